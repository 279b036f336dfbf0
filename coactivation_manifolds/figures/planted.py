"""The planted ring and belief state beside the clusters that read them best; nothing is computed here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_rgb

from coactivation_manifolds.figures.style import (
    GREY,
    INK,
    MUTED,
    PALETTE,
    SEQUENTIAL,
    SMALL,
    figure_style,
    new_figure,
    save_figure,
)
from coactivation_manifolds.geometry.clusters import point_rule
from coactivation_manifolds.storage import PathLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from coactivation_manifolds.training.planted_view import PlantedView

MAX_DRAWN = 6_000
DRAWING_SEED = 0
CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(3) / 2]])
CORNER_COLOURS = (PALETTE[1], PALETTE[2], PALETTE[0])
POINT_AREA = 3.0
CYCLE = LinearSegmentedColormap.from_list("angle", [PALETTE[place] for place in (0, 2, 3, 1, 4, 0)])
"""Colours of an angle: five of the colour-blind safe palette in a circle."""


def draw_planted(
    views: Mapping[str, PlantedView | None],
    found: Mapping[str, Mapping[str, Any] | None],
    *,
    clustering: str,
    settings: Mapping[str, Any],
    path: PathLike,
) -> None:
    """Draw both planted shapes, one row each.

    Parameters
    ----------
    views
        ``ring`` and ``simplex``: the best cluster's points and truth, or None where no cluster was found.
    found
        The same keys: the numbers of check.json.
    clustering, settings
        Said on the figure; ``min_active`` and ``positions``.
    path
        Written: a PNG file.

    """
    with figure_style():
        figure, axes = new_figure(2, 4, width=15.0, height=8.0)
        for row, (key, draw) in enumerate((("ring", _draw_ring), ("simplex", _draw_simplex))):
            view, numbers = views[key], found[key]
            if view is None or numbers is None or view.scores.shape[1] < 2:
                for axis in axes[row]:
                    axis.set_axis_off()
                axes[row, 0].text(0, 0.5, f"no cluster reads the planted {key}", transform=axes[row, 0].transAxes)
                continue
            draw(axes[row], view, numbers)
        figure.suptitle(
            f"What was planted, read from clusters of {clustering}: points are {point_rule(settings)}; "
            f"at most {MAX_DRAWN:,} drawn",
            x=0.012,
            ha="left",
            color=INK,
        )
        figure.tight_layout(rect=(0, 0, 1, 0.97))
        save_figure(figure, path, metadata={"clustering": clustering, "min_active": str(settings["min_active"])})


def _draw_ring(axes: np.ndarray[Any, Any], view: PlantedView, numbers: Mapping[str, Any]) -> None:
    shown = _sample(len(view.scores))
    own = ~np.isnan(view.beliefs[:, 0])
    angle = np.arctan2(view.beliefs[:, 1], view.beliefs[:, 0])
    colours = CYCLE((angle + np.pi) / (2 * np.pi))
    colours[~own] = (*to_rgb(GREY), 1.0)
    _scatter(axes[0], view.scores[shown], colours[shown])
    axes[0].set_title(f"{_title(numbers)}\ncolour: true angle; grey: other processes")
    _scatter(axes[1], view.scores[shown], GREY)
    radius = np.abs(view.scores).max()
    scale = radius / max(1e-12, np.hypot(*view.arrows.T).max())
    for member, (x, y) in zip(view.members, view.arrows * scale, strict=True):
        axes[1].annotate("", xy=(x, y), xytext=(0, 0), arrowprops={"arrowstyle": "->", "color": INK})
        axes[1].annotate(str(member), xy=(x, y), fontsize=SMALL, color=INK, xytext=(3, 3), textcoords="offset points")
    axes[1].set_title("decoder rows of the latents, in the same plane\n(lengths to scale among themselves)")
    for axis in axes[:2]:
        _plane(axis, view)
    _draw_jaccard(axes[2], view, "ordered by preferred angle")
    for place, member in enumerate(view.members):
        axes[3].plot(
            np.degrees(view.bins),
            view.tuning[place],
            color=PALETTE[place % len(PALETTE)],
            linestyle=("-", "--", ":")[(place // len(PALETTE)) % 3],
            label=str(member),
        )
    axes[3].set_xticks([-180, -90, 0, 90, 180])
    axes[3].set_xlabel("true angle, degrees")
    axes[3].set_title("mean activation against the true angle\n(all tokens of the process)")
    axes[3].legend(title="latent", loc="upper left", bbox_to_anchor=(1.0, 1.02))


def _draw_simplex(axes: np.ndarray[Any, Any], view: PlantedView, numbers: Mapping[str, Any]) -> None:
    shown = _sample(len(view.scores))
    own = ~np.isnan(view.beliefs[:, 0])
    colours = np.tile(to_rgb(GREY), (len(own), 1))
    colours[own] = _mix(view.beliefs[own])
    _scatter(axes[0], view.scores[shown], colours[shown])
    axes[0].set_title(f"{_title(numbers)}\ncolour: true belief; grey: other processes")
    _plane(axes[0], view)
    drawn = _sample(len(view.held_out))
    truth = view.beliefs[view.held_out[drawn]]
    every = view.held_out_beliefs[_sample(len(view.held_out_beliefs))]
    share = len(view.held_out) / max(1, len(view.held_out_beliefs))
    _triangle(axes[1], every, every, "true beliefs of all tokens of the process\n(held-out documents)")
    _triangle(
        axes[2],
        view.predicted[drawn],
        truth,
        f"beliefs read linearly from the cluster\non its points, {share:.0%} of them",
    )
    _draw_jaccard(axes[3], view, "ordered by latent")


def _title(numbers: Mapping[str, Any]) -> str:
    r2 = "unknown" if numbers["r2"] is None else f"{numbers['r2']:.3f}"
    return f"cluster {numbers['cluster_id']:04d}: {numbers['size']} latents, {numbers['n_points']:,} points, R² {r2}"


def _scatter(axis: Axes, points: np.ndarray[Any, Any], colours: np.ndarray[Any, Any] | str) -> None:
    axis.scatter(points[:, 0], points[:, 1], c=colours, s=POINT_AREA, linewidths=0)


def _plane(axis: Axes, view: PlantedView) -> None:
    axis.set_aspect("equal", adjustable="datalim")
    axis.set_xlabel(f"PC1 ({view.evr[0]:.0%} of variance)")
    axis.set_ylabel(f"PC2 ({view.evr[1]:.0%})")


def _triangle(axis: Axes, beliefs: np.ndarray[Any, Any], truth: np.ndarray[Any, Any], title: str) -> None:
    _scatter(axis, beliefs @ CORNERS, _mix(truth))
    outline = CORNERS[[0, 1, 2, 0]]
    axis.plot(*outline.T, color=MUTED, linewidth=0.7)
    for number, (corner, shift) in enumerate(zip(CORNERS, ((0, -10), (0, -10), (0, 5)), strict=True), start=1):
        axis.annotate(f"state {number}", corner, xytext=shift, textcoords="offset points", ha="center", fontsize=SMALL)
    axis.set_aspect("equal")
    axis.set_axis_off()
    axis.set_title(title)


def _draw_jaccard(axis: Axes, view: PlantedView, order: str) -> None:
    image = axis.imshow(view.jaccard, cmap=SEQUENTIAL, vmin=0.0, vmax=max(0.6, float(view.jaccard.max())))
    places = np.arange(len(view.members))
    axis.set_xticks(places, [str(member) for member in view.members], rotation=90)
    axis.set_yticks(places, [str(member) for member in view.members])
    axis.grid(visible=False)
    axis.set_title(f"Jaccard similarity of the latents\n({order})")
    axis.figure.colorbar(image, ax=axis, fraction=0.046, pad=0.04)


def _mix(beliefs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A belief's colour: the corners' colours mixed in its proportions."""
    corners = np.array([to_rgb(colour) for colour in CORNER_COLOURS])
    return np.clip(beliefs @ corners, 0.0, 1.0)


def _sample(n: int) -> np.ndarray[Any, Any]:
    """Rows to draw, a seeded sample, in ascending order."""
    if n <= MAX_DRAWN:
        return np.arange(n)
    return np.sort(np.random.default_rng(DRAWING_SEED).choice(n, size=MAX_DRAWN, replace=False))
