"""The sweep in one picture: clusters, median size and largest cluster, with the suggested threshold and why."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from coactivation_manifolds.clustering.spec import ClusteringSpec, parse_spec
from coactivation_manifolds.clustering.sweep import LARGEST_ALLOWED, suggest_threshold
from coactivation_manifolds.figures.style import (
    FONT_SIZE,
    INK,
    MARKERS,
    MUTED,
    PALETTE,
    SMALL,
    TITLE,
    figure_style,
    new_figure,
    save_figure,
)
from coactivation_manifolds.storage import PathLike, read_table

MEASURES = (("n_clusters", "clusters"), ("median_size", "median size"), ("max_size", "largest cluster"))
COLUMN_WIDTH = 4.6
PANEL_HEIGHT = 1.45
LEGEND_DROP = 0.46
"""Inches from the lowest panel to the names of the lines below it."""
LINE_HEIGHT = 0.17
"""Inches of one line of small text."""
CHARACTERS_PER_INCH = 15

Row = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """One line of a panel: what it is called, where it lies, what it shows at each place."""

    label: str
    places: list[float]
    rows: list[Row]


@dataclass(frozen=True)
class Side:
    """One column of panels: its title, the name of its horizontal axis, its lines."""

    title: str
    axis: str
    lines: list[Line]


def plot_sweep(summary_path: PathLike, *, figure_path: PathLike) -> None:
    """Draw ``sweep/summary.parquet``.

    Connected components against their Jaccard threshold on the left, then Leiden runs against their resolution, each
    objective in a column of its own since their resolutions are different scales; cosine clusterings are counted, not
    drawn. The dashed line is the suggested threshold.
    """
    summary = read_table(summary_path)
    name, reason = suggest_threshold(summary)
    with figure_style():
        figure = draw_sweep(summary, name=name, reason=reason)
        save_figure(figure, figure_path, metadata={"suggested": name or "", "reason": reason})


def draw_sweep(summary: pa.Table, *, name: str | None, reason: str) -> Figure:
    """The figure, to be saved within ``figure_style``."""
    rows = summary.to_pylist()
    specs = [parse_spec(row["clustering"]) for row in rows]
    sides = _sides(rows, specs)
    width = max(7.5, COLUMN_WIDTH * len(sides))
    n_cosine = sum(spec.from_cosine for spec in specs)
    note = f" {n_cosine} cosine clusterings of the sweep are not drawn." if n_cosine else ""
    text = textwrap.wrap(f"{reason[:1].upper()}{reason[1:]}.{note}", int((width - 0.3) * CHARACTERS_PER_INCH))
    n_names = max(len(side.lines) for side in sides)
    top = 0.78 + LINE_HEIGHT * len(text)
    bottom = 0.5 + (0.12 + LINE_HEIGHT * n_names if n_names > 1 else 0)
    height = top + PANEL_HEIGHT * len(MEASURES) + bottom
    figure, axes = new_figure(len(MEASURES), len(sides), width=width, height=height, sharex="col")
    figure.subplots_adjust(
        left=0.68 / width, right=1 - 0.15 / width, top=1 - top / height, bottom=bottom / height, hspace=0.16, wspace=0.2
    )
    for number, side in enumerate(sides):
        column: list[Axes] = list(axes[:, number])
        for panel, (key, label) in zip(column, MEASURES, strict=True):
            _draw_panel(panel, side.lines, key)
            if number == 0:
                panel.set_ylabel(label)
        if side.axis == "resolution":
            _resolution_axis(column[-1], side.lines)
        elif name is not None:
            for panel in column:
                panel.axvline(float(parse_spec(name).threshold), color=INK, linewidth=1, linestyle="--", zorder=1)
        _name_lines(column, side)
    figure.align_ylabels(axes[:, 0])
    heading = f"Suggested: {name} (dashed)" if name else "No suggestion"
    figure.text(0.15 / width, 1 - 0.13 / height, heading, fontsize=TITLE, va="top", color=INK)
    figure.text(
        0.15 / width, 1 - 0.4 / height, "\n".join(text), fontsize=FONT_SIZE, va="top", color=MUTED, linespacing=1.3
    )
    return figure


def _sides(rows: Sequence[Row], specs: Sequence[ClusteringSpec]) -> list[Side]:
    sides = [
        Side("Connected components", "Jaccard threshold", component_lines(rows, specs)),
        Side("Leiden, CPM", "resolution", leiden_lines(rows, specs, objective="cpm")),
        Side("Leiden, modularity", "resolution", leiden_lines(rows, specs, objective="modularity")),
    ]
    return [side for side in sides if side.lines] or sides[:1]


def component_lines(rows: Sequence[Row], specs: Sequence[ClusteringSpec]) -> list[Line]:
    """Connected components made from co-activation, one line for each cosine cap, against the threshold."""
    families: dict[str, list[tuple[float, Row]]] = {}
    for row, spec in zip(rows, specs, strict=True):
        if not spec.from_cosine and spec.method == "components":
            label = "all edges" if spec.cosine_cap is None else f"without edges of cosine > {spec.cosine_cap:.2f}"
            families.setdefault(label, []).append((float(row["threshold"]), row))
    return _lines(families)


def leiden_lines(rows: Sequence[Row], specs: Sequence[ClusteringSpec], *, objective: str) -> list[Line]:
    """Leiden made from co-activation, one line for each weight, threshold, cap and seed, against the resolution."""
    pairs = zip(rows, specs, strict=True)
    kept = [(row, spec) for row, spec in pairs if not spec.from_cosine and spec.objective == objective]
    several_seeds = len({spec.seed for _, spec in kept}) > 1
    families: dict[str, list[tuple[float, Row]]] = {}
    for row, spec in kept:
        cap = f", cosine \N{LESS-THAN OR EQUAL TO} {spec.cosine_cap:.2f}" if spec.cosine_cap is not None else ""
        seed = f", seed {spec.seed}" if several_seeds else ""
        label = f"weight {spec.weight}, Jaccard \N{GREATER-THAN OR EQUAL TO} {spec.threshold:.2f}{cap}{seed}"
        families.setdefault(label, []).append((float(spec.resolution or 0), row))
    return _lines(families)


def _lines(families: dict[str, list[tuple[float, Row]]]) -> list[Line]:
    lines = []
    for label, points in families.items():
        points.sort(key=lambda point: point[0])
        lines.append(Line(label, [place for place, _ in points], [row for _, row in points]))
    return lines


def _draw_panel(panel: Axes, lines: Sequence[Line], key: str) -> None:
    for number, line in enumerate(lines):
        pairs = zip(line.places, line.rows, strict=True)
        drawn = [(place, row[key]) for place, row in pairs if row[key] or key == "n_clusters"]
        panel.plot(
            [place for place, _ in drawn],
            [value for _, value in drawn],
            color=PALETTE[number % len(PALETTE)],
            marker=MARKERS[number % len(MARKERS)],
            markersize=4.5,
            alpha=0.9,
            label=line.label,
        )
    values = [row[key] for line in lines for row in line.rows if row[key]]
    if not values:
        panel.set_ylim(0, 1)
        panel.set_yticks([])
        panel.text(0.5, 0.5, "no clusters", ha="center", va="center", transform=panel.transAxes, color=MUTED)
    elif key != "n_clusters" and max(values) > 10 * min(values):  # sizes run from 2 to the number of latents
        panel.set_yscale("log")
        panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if max(values) < 100 * min(values) else (1,)))
        panel.yaxis.set_major_formatter(FuncFormatter(_with_commas))
        panel.yaxis.set_minor_formatter(NullFormatter())
    else:
        panel.set_ylim(0, max(values) * 1.15)
        panel.yaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
        panel.yaxis.set_major_formatter(FuncFormatter(_with_commas))
    if key == "max_size" and max(values, default=0) > LARGEST_ALLOWED // 2:
        panel.axhline(LARGEST_ALLOWED, color=MUTED, linewidth=0.8, linestyle=":")
        panel.annotate(
            f"{LARGEST_ALLOWED}",
            (1, LARGEST_ALLOWED),
            xycoords=("axes fraction", "data"),
            xytext=(-2, 2),
            textcoords="offset points",
            ha="right",
            fontsize=SMALL,
            color=MUTED,
            annotation_clip=True,
        )


def _with_commas(value: float, _: object) -> str:
    return f"{value:,.0f}"


def _resolution_axis(panel: Axes, lines: Sequence[Line]) -> None:
    places = sorted({place for line in lines for place in line.places})
    if places[0] > 0 and places[-1] > 3 * places[0]:
        panel.set_xscale("log")
    if len(places) <= 8:
        panel.set_xticks(places, [f"{place:g}" for place in places])
        panel.xaxis.set_minor_locator(NullLocator())


def _name_lines(column: Sequence[Axes], side: Side) -> None:
    """Title above the column; the lines' names in it where there is one, else below the column."""
    several = len(side.lines) > 1
    column[0].set_title(side.title if several or not side.lines else f"{side.title}: {side.lines[0].label}", color=INK)
    column[-1].set_xlabel(side.axis)
    if several:
        below = LEGEND_DROP / (0.9 * PANEL_HEIGHT)
        column[-1].legend(
            loc="upper left",
            bbox_to_anchor=(0, -below),
            borderaxespad=0,
            borderpad=0,
            labelspacing=0.35,
            handlelength=2.4,
        )
