"""One cluster as one figure: pairs of components across, colourings down, and what stands behind them above."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes as Panel
from matplotlib.colors import to_rgba_array
from matplotlib.ticker import MaxNLocator

from coactivation_manifolds.figures.cluster_header import draw_header, header_height
from coactivation_manifolds.figures.colouring import Colouring, ValueColouring, colour_by_kind, colour_by_value
from coactivation_manifolds.figures.legend import LEGEND, draw_legend
from coactivation_manifolds.figures.style import GREY, MUTED, SEQUENTIAL, figure_style, new_figure, save_figure
from coactivation_manifolds.figures.token_names import TokenNames, drawable
from coactivation_manifolds.geometry.cluster_view import ClusterView
from coactivation_manifolds.storage import PathLike

PANEL_INCHES = {1: 2.8, 2: 2.75, 3: 2.6, 4: 2.45}
LEFT, GAP, ROW_GAP, BOTTOM = 0.62, 0.62, 0.62, 0.5
MIN_WIDTH = 9.4
TOKEN_LENGTH = 16


@dataclass(frozen=True)
class Grid:
    """Where panels stand, in inches from the lower left corner."""

    rows: int
    columns: int
    header: float

    @property
    def panel(self) -> float:
        """Side of a panel."""
        return PANEL_INCHES[self.columns]

    @property
    def width(self) -> float:
        """Width of the figure."""
        return max(MIN_WIDTH, LEFT + self.columns * (self.panel + GAP) + LEGEND)

    @property
    def height(self) -> float:
        """Height of the figure."""
        return self.header + self.rows * (self.panel + ROW_GAP) + BOTTOM - 0.35

    def box(self, row: int, column: int) -> tuple[float, float, float, float]:
        """Left, bottom, width, height of a panel, as shares of the figure; column ``columns`` is the legend's."""
        left = LEFT + column * (self.panel + GAP)
        bottom = self.height - self.header - row * (self.panel + ROW_GAP) - self.panel
        wide = LEGEND - 0.1 if column == self.columns else self.panel
        return left / self.width, bottom / self.height, wide / self.width, self.panel / self.height


def draw_cluster_panel(view: ClusterView, names: TokenNames, path: PathLike, *, basis: str) -> None:
    """Draw one cluster in one basis and write the PNG; the spec goes into its metadata.

    Parameters
    ----------
    view
        The cluster's points and their components.
    names
        Texts of tokens.
    path
        The PNG to write.
    basis
        ``reconstruction`` or ``activations``; must be one of ``view.axes``.

    """
    colourings = panel_colourings(view, names)
    pairs = component_pairs(view.axes[basis].n_components)
    with figure_style():
        members = names.strongest(view.record.members)
        grid = Grid(len(colourings), len(pairs), 0.0)
        grid = Grid(len(colourings), len(pairs), header_height(view, grid.width))
        figure, axes = new_figure(grid.rows, grid.columns, width=grid.width, height=grid.height)
        draw_header(figure, view, members, basis=basis, height=grid.header)
        order = np.random.default_rng(view.settings["seed"]).permutation(len(view.sample))
        drawn = view.sample[order]
        scores = panel_scores(view, basis)[drawn]
        for row, colouring in enumerate(colourings):
            for column, pair in enumerate(pairs):
                panel = axes[row, column]
                panel.set_position(grid.box(row, column))
                draw_points(panel, scores[:, pair[0]], scores[:, pair[1]], colouring, drawn)
                label_panel(panel, view, basis, pair)
            title = axes[row, 0].set_title(f"coloured by {colouring.title}", fontweight="bold", pad=5)
            title.set_in_layout(False)
            draw_legend(figure.add_axes(grid.box(row, grid.columns)), colouring, height=grid.panel)
        save_figure(figure, path, metadata=figure_metadata(view, basis))


def component_pairs(n_components: int) -> list[tuple[int, int]]:
    """PC1-PC2, PC2-PC3, ... as far as there are components; one pair with a made-up second where there is only one."""
    return [(i, i + 1) for i in range(max(1, n_components - 1))]


def panel_scores(view: ClusterView, basis: str) -> npt.NDArray[np.float64]:
    """Scores of all points; where there is one component only, a second column spreads the points evenly at random."""
    scores = view.scores[basis]
    if scores.shape[1] > 1:
        return scores
    spread = np.random.default_rng(view.settings["seed"]).uniform(-1, 1, len(scores)) * np.ptp(scores[:, 0]) / 6
    return np.column_stack([scores[:, 0], spread])


def panel_colourings(view: ClusterView, names: TokenNames) -> list[Colouring]:
    """Token, next token, position in the document; where none is known, the member that fires strongest."""

    def shown(ids: npt.NDArray[np.int64]) -> list[str]:
        return [drawable(name, max_length=TOKEN_LENGTH) for name in names.names(ids)]

    found = known_colourings(view, shown)
    return found or [colour_by_kind("strongest member", strongest_member(view), _latent_names)]


def known_colourings(view: ClusterView, shown: Callable[[npt.NDArray[np.int64]], Sequence[str]]) -> list[Colouring]:
    """Those of token, next token and position that are known; a token has the same colour as itself as next token.

    ``shown`` gives the names of token ids.
    """
    found: list[Colouring] = []
    if view.token_ids is not None:
        token = colour_by_kind("token", view.token_ids, shown)
        found.append(token)
        if view.next_token_ids is not None:
            found.append(colour_by_kind("next token", view.next_token_ids, shown, none="no next token", like=token))
    if view.positions is not None:
        found.append(colour_by_value("position in document", view.positions))
    return found


def strongest_member(view: ClusterView) -> npt.NDArray[np.int64]:
    """Latent id of the member of largest activation on each point."""
    members = np.asarray(view.record.members, dtype=np.int64)
    return np.concatenate([members[block.argmax(axis=1)] for block in view.points.blocks()])


def _latent_names(ids: npt.NDArray[np.int64]) -> Sequence[str]:
    return [f"latent {i}" for i in ids.tolist()]


def draw_points(
    panel: Panel,
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    colouring: Colouring,
    drawn: npt.NDArray[np.int64],
    *,
    size: float | None = None,
) -> None:
    """Scatter one panel: grey below, then one artist for each marker, points in random order so that none hides all.

    ``size`` is a point's area in square points; by default it follows from how many points there are.
    """
    size = size or float(np.clip(9_000 / max(1, len(x)), 4.5, 22))
    style: dict[str, Any] = {"s": size, "linewidths": 0, "alpha": 0.8}
    if isinstance(colouring, ValueColouring):
        values = colouring.values[drawn]
        known = values >= 0
        if not known.all():
            panel.scatter(x[~known], y[~known], color=GREY, **style)
        x, y, values = x[known], y[known], values[known]
        panel.scatter(x, y, c=values, cmap=SEQUENTIAL, vmin=colouring.low, vmax=colouring.high, **style)
        return
    kinds = colouring.of_point[drawn]
    grey = kinds < 0
    if grey.any():
        panel.scatter(x[grey], y[grey], color=GREY, **style)
    markers = np.array([kind.marker for kind in colouring.kinds])
    colours = to_rgba_array([kind.colour for kind in colouring.kinds])
    for marker in dict.fromkeys(markers.tolist()):
        here = ~grey
        here[here] = markers[kinds[here]] == marker
        larger = style | {"s": size * (2.2 if marker != "o" else 1)}
        panel.scatter(x[here], y[here], c=colours[kinds[here]], marker=marker, **larger)


def label_panel(panel: Panel, view: ClusterView, basis: str, pair: tuple[int, int]) -> None:
    """Components and their share of the variance on the axes; one unit is as long across as up."""
    shares = view.axes[basis].evr
    panel.set_aspect("equal", adjustable="datalim")
    panel.xaxis.set_major_locator(MaxNLocator(3))
    panel.yaxis.set_major_locator(MaxNLocator(3))
    panel.tick_params(bottom=False, left=False, pad=3)
    labels = [f"PC{i + 1}  ({100 * shares[i]:.1f} % of variance)" if i < len(shares) else "" for i in pair]
    panel.set_xlabel(labels[0], labelpad=2)
    if labels[1]:
        panel.set_ylabel(labels[1], labelpad=1)
    else:
        panel.set_ylabel("no second component: spread at random", labelpad=1, color=MUTED)
        panel.set_yticklabels([])


def figure_metadata(view: ClusterView, basis: str) -> dict[str, str]:
    """What the figure shows, for its PNG metadata."""
    settings = view.settings
    return {
        "Title": f"{view.clustering} cluster {view.record.name}",
        "clustering": view.clustering,
        "cluster": view.record.name,
        "members": ",".join(str(member) for member in view.record.members),
        "basis": basis,
        "n_points": str(view.n_points),
        "n_points_drawn": str(len(view.sample)),
        "min_active": str(settings["min_active"]),
        "positions": str(settings["positions"]),
        "seed": str(settings["seed"]),
    }
