"""One cluster as one figure: pairs of components across, colourings down, and what stands behind them above."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.figures.canvas import Canvas
from coactivation_manifolds.figures.cluster_header import draw_header, header_height
from coactivation_manifolds.figures.colouring import Colouring, colour_by_kind, colour_by_value
from coactivation_manifolds.figures.frame import Frame, draw_frame
from coactivation_manifolds.figures.legend import LEGEND, draw_legend
from coactivation_manifolds.figures.outlines import draw_outline
from coactivation_manifolds.figures.points import draw_points
from coactivation_manifolds.figures.style import FONT_SIZE
from coactivation_manifolds.figures.token_names import TokenNames, drawable
from coactivation_manifolds.geometry.cluster_view import ClusterView
from coactivation_manifolds.storage import PathLike

PANEL_INCHES = {1: 2.8, 2: 2.75, 3: 2.6, 4: 2.45}
LEFT, GAP, ROW_GAP, BOTTOM = 0.62, 0.62, 0.62, 0.5
MIN_WIDTH = 9.4
ROW_TITLE = FONT_SIZE + 0.5
TOKEN_LENGTH = 16
LEAST_VISIBLE = 0.2
"""Of the points' span, that a shape's lines must have to be drawn into a panel."""


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

    def left(self, column: int) -> float:
        """Left edge of a column; ``columns`` is the legend's."""
        return LEFT + column * (self.panel + GAP)

    def top(self, row: int) -> float:
        """Upper edge of a row."""
        return self.header + row * (self.panel + ROW_GAP)


def draw_cluster_panel(
    view: ClusterView,
    names: TokenNames,
    path: PathLike,
    *,
    basis: str,
    outline: Sequence[npt.NDArray[np.float64]] = (),
    called: Sequence[str] = (),
) -> None:
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
    outline
        Lines of a fitted shape to draw into the panels, each float64 [n, p] in the basis' components.
    called
        Lines of the header about the shape: its name, its q.

    """
    colourings = panel_colourings(view, names)
    pairs = component_pairs(view.axes[basis].n_components)
    grid = Grid(len(colourings), len(pairs), 0.0)
    grid = Grid(len(colourings), len(pairs), header_height(view, grid.width, n_called=len(called)))
    canvas = Canvas(width=grid.width, height=grid.height)
    draw_header(canvas, view, names.strongest(view.record.members), basis=basis, called=called)
    drawn = np.random.default_rng(view.settings["seed"]).permutation(view.sample)
    scores = panel_scores(view, basis)[drawn]
    for row, colouring in enumerate(colourings):
        top = grid.top(row)
        canvas.write(LEFT, top - 0.05, f"coloured by {colouring.title}", bold=True, size=ROW_TITLE, up="bottom")
        for column, (across, up) in enumerate(pairs):
            x, y = scores[:, across], scores[:, up]
            seen = visible_from(outline, (across, up), span=max(np.ptp(x), np.ptp(y)))
            held = np.vstack([np.column_stack([x, y]), *seen])
            frame = Frame.around(held[:, 0], held[:, 1], left=grid.left(column), top=top, side=grid.panel)
            draw_frame(
                canvas, frame, axis_labels(view, basis, (across, up)), numbered_up=has_component(view, basis, up)
            )
            draw_points(canvas, frame.across(x), frame.down(y), colouring, drawn)
            draw_outline(canvas, frame, seen)
        draw_legend(canvas, colouring, left=grid.left(grid.columns), top=top, height=grid.panel)
    canvas.save(path, metadata=figure_metadata(view, basis))


def visible_from(
    outline: Sequence[npt.NDArray[np.float64]], pair: tuple[int, int], *, span: float
) -> list[npt.NDArray[np.float64]]:
    """The lines of a shape in two components, [n, 2]; none where all are a dot beside points that span so much."""
    seen = [line[:, list(pair)] for line in outline if line.shape[1] > max(pair)]
    extent = float(np.ptp(np.vstack(seen), axis=0).max()) if seen else 0.0
    return seen if extent >= LEAST_VISIBLE * span else []


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


def has_component(view: ClusterView, basis: str, component: int) -> bool:
    """Whether there is such a component, or only a made-up one."""
    return component < view.axes[basis].n_components


def axis_labels(view: ClusterView, basis: str, pair: tuple[int, int]) -> tuple[str, str]:
    """Components and their share of the variance."""
    shares = view.axes[basis].evr
    across, up = (
        f"PC{i + 1}  ({100 * shares[i]:.1f} % of variance)"
        if has_component(view, basis, i)
        else "no second component: spread at random"
        for i in pair
    )
    return across, up


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
