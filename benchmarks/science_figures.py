"""The figures of docs/validation.md: ROC curves, the confusion matrix, power curves, where calls break."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from planted_lab import POWER_POINTS, WANTED_POWER
from science_measures import CALLS

from coactivation_manifolds.figures.style import (
    GREY,
    INK,
    MARKERS,
    PALETTE,
    SEQUENTIAL,
    SMALL,
    figure_style,
    new_figure,
    save_figure,
)

IMAGES = Path("docs/images")
ROC, CONFUSION, POWER, LIMITS = (f"validation_{name}.png" for name in ("roc", "confusion", "power", "limits"))
UNITS = {
    "noise": "signal to noise",
    "overlap": "half width of a tile, in steps",
    "arc": "degrees of the arc",
    "tiles": "latents that tile a ring",
}


def draw_roc(part: dict[str, Any], path: Path) -> None:
    """One curve for each way to rank."""
    with figure_style():
        figure, axes = new_figure(width=4.2, height=3.8)
        panel = axes[0, 0]
        for k, (name, found) in enumerate(part["roc"].items()):
            x, y = np.array(found["curve"]).T
            panel.plot(x, y, color=PALETTE[k], label=f"{name}: {found['auc']:.3f}")
        panel.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=0.8)
        panel.set(xlabel="share of blobs and mixtures above", ylabel="share of shapes above", aspect="equal")
        panel.legend(title="area under the curve", loc="lower right")
        figure.tight_layout()
        save_figure(figure, path)


def draw_confusion(part: dict[str, Any], path: Path) -> None:
    """Planted kinds in rows, calls in columns; each row's shares as shades, counts as numbers."""
    table = part["confusion"]
    counts = np.array([[row[call] for call in CALLS] for row in table.values()])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    with figure_style():
        figure, axes = new_figure(width=5.6, height=0.9 + 0.3 * len(table))
        panel = axes[0, 0]
        panel.imshow(shares, cmap=SEQUENTIAL, vmin=0, vmax=1, aspect="auto")
        panel.set_xticks(range(len(CALLS)), CALLS)
        panel.set_yticks(range(len(table)), list(table))
        panel.set(xlabel="called")
        panel.grid(visible=False)
        for i, row in enumerate(counts):
            for j, count in enumerate(row):
                if count:
                    colour = "white" if shares[i, j] < 0.5 else INK
                    panel.text(j, i, str(count), ha="center", va="center", color=colour, fontsize=SMALL)
        figure.tight_layout()
        save_figure(figure, path)


def draw_power(part: dict[str, Any], path: Path) -> None:
    """Share of right calls over points, one panel a shape, one line a noise."""
    shapes = part["shapes"]
    with figure_style():
        figure, axes = new_figure(1, len(shapes), width=1.0 + 2.1 * len(shapes), height=2.6, sharey=True)
        for panel, (kind, lines) in zip(axes[0], shapes.items(), strict=True):
            for k, (snr, line) in enumerate(lines.items()):
                panel.plot(
                    POWER_POINTS, line["shares"], MARKERS[k], linestyle="-", color=PALETTE[k], label=f"SNR {snr}"
                )
            panel.axhline(WANTED_POWER, color=GREY, linestyle="--", linewidth=0.8)
            panel.set(xscale="log", xlabel="points", title=kind, ylim=(-0.03, 1.03))
            panel.set_xticks(POWER_POINTS, [f"{n:,}" for n in POWER_POINTS], rotation=45)
            panel.minorticks_off()
        axes[0, 0].set_ylabel("share called right")
        axes[0, -1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        figure.tight_layout()
        save_figure(figure, path)


def draw_limits(part: dict[str, Any], path: Path) -> None:
    """What is called, over what is varied."""
    names = ("circle", "curve", "simplex", "helix", "none")
    with figure_style():
        figure, axes = new_figure(1, len(part["calls"]), width=1.0 + 2.4 * len(part["calls"]), height=2.7, sharey=True)
        for panel, (what, values) in zip(axes[0], part["calls"].items(), strict=True):
            order = sorted(values, key=float)
            base = np.zeros(len(order))
            for k, name in enumerate(names):
                shares = np.array([values[value].get(name, 0) / part["repeats"] for value in order])
                colour = GREY if name == "none" else PALETTE[k]
                panel.bar(range(len(order)), shares, bottom=base, color=colour, width=0.8, label=name)
                base += shares
            panel.set_xticks(range(len(order)), order)
            panel.set(xlabel=UNITS[what])
            panel.grid(visible=False, axis="x")
        axes[0, 0].set_ylabel("share called")
        axes[0, -1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        figure.tight_layout()
        save_figure(figure, path)
