"""A find as one figure: the fitted shape with the latents at it, and what it was tested against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.figures.canvas import Canvas
from coactivation_manifolds.figures.colouring import Kind, KindColouring
from coactivation_manifolds.figures.legend import LEGEND, draw_legend
from coactivation_manifolds.figures.null_histogram import draw_null_histogram
from coactivation_manifolds.figures.persistence_diagram import draw_persistence
from coactivation_manifolds.figures.shape_labels import break_lines
from coactivation_manifolds.figures.shape_panel import draw_side, mark_places, name_round_ring
from coactivation_manifolds.figures.shape_views import SideView, side_views
from coactivation_manifolds.figures.style import FONT_SIZE, GREY, INK, MARKERS, MUTED, PALETTE, SMALL, TITLE
from coactivation_manifolds.figures.token_names import TokenNames, drawable
from coactivation_manifolds.geometry.cluster_view import ClusterView
from coactivation_manifolds.geometry.fitted_shape import FittedShape, latent_places, leading_latents
from coactivation_manifolds.geometry.shapes.persistence import Persistence
from coactivation_manifolds.storage import PathLike

MARGIN, LINE = 0.16, 0.175
SIDE, GAP, LEFT = 3.3, 0.72, 0.75
NAMES = 1.25
"""Inches on either side of a ring for the names of its latents."""
EVIDENCE = 2.5
HISTOGRAM = 1.45
MOST_IN_LEGEND = 19
TOKEN_LENGTH = 14

STATISTICS = {
    "circle": "evenness of the radius \N{MULTIPLICATION SIGN} covered directions",
    "simplex": "skewness, over that of masses at the vertices",
    "helix": "share of what line and circle leave over",
    "curve": "share of variance along the curve",
}
COLOURS = "points: coloured by the latent that is most above its own mean there"
ORDERS = {
    "circle": "latents round the ring",
    "simplex": "latents by vertex",
    "helix": "latents along the axis",
    "curve": "latents along the curve",
}


class Evidence(NamedTuple):
    """What a call rests on.

    Attributes
    ----------
    facts
        Lines under the title.
    reading
        Words to be written under the panels, in order.
    observed, draws
        The statistic of the shape, and float64 [r] of its null draws.
    least
        What a draw that has none of the shape counts as.
    persistence
        The cloud's loops; None leaves their panel out.

    """

    facts: Sequence[str]
    reading: Sequence[str]
    observed: float
    draws: npt.NDArray[np.float64]
    least: float = 0.0
    persistence: Persistence | None = None


def draw_shape_figure(
    view: ClusterView, shape: FittedShape, names: TokenNames, evidence: Evidence, path: PathLike
) -> None:
    """Draw a fitted shape and what it rests on, and write the PNG."""
    sides = side_views(shape)
    round_ring = shape.kind == "circle"
    beside = NAMES if round_ring else 0.0
    panels = LEFT + beside + len(sides) * (SIDE + GAP) + beside - (0.35 if round_ring else 0.0)
    legend = 0.0 if round_ring else LEGEND + 0.15
    width = panels + legend + EVIDENCE + 2 * MARGIN
    facts = [*evidence.facts, COLOURS]
    lines = break_lines(evidence.reading, width=width - 2 * MARGIN, size=FONT_SIZE)
    top = MARGIN + 0.3 + LINE * len(facts) + 0.45
    bottom = top + SIDE + 0.68
    canvas = Canvas(width=width, height=bottom + LINE * len(lines) + MARGIN)
    title = f"{shape_title(shape)} · cluster {view.record.name} of {view.clustering}"
    canvas.write(MARGIN, MARGIN, title, size=TITLE, bold=True)
    for line, text in enumerate(facts):
        canvas.write(MARGIN, MARGIN + 0.3 + LINE * line, text, colour=INK if line == 0 else MUTED)
    _draw_sides(canvas, view, shape, names, sides, left=LEFT + beside, top=top)
    _draw_evidence(canvas, shape, evidence, left=panels + legend + MARGIN, top=top)
    for line, text in enumerate(lines):
        canvas.write(MARGIN, bottom + LINE * line, text)
    canvas.save(path, metadata=_metadata(view, shape))


def shape_title(shape: FittedShape) -> str:
    """The shape's name, a simplex with its vertices."""
    return f"Simplex of {shape.n_vertices} vertices" if shape.kind == "simplex" else shape.kind.capitalize()


def latent_colouring(
    view: ClusterView, shape: FittedShape, names: TokenNames, order: npt.NDArray[np.int64], *, marks: Sequence[str] = ()
) -> KindColouring:
    """The drawn points by the latent that is most above its own mean, latents in the shape's order.

    ``of_point`` is over the drawn points; ``kinds`` holds all latents, each with its mark in front where there are any
    (in the same order).
    """
    leading = leading_latents(shape, view.sample_activations)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    of_point = place[leading]
    counts = np.bincount(of_point, minlength=len(order)).tolist()
    members = [view.record.members[column] for column in order.tolist()]
    before = list(marks) or [""] * len(order)
    looks = [(colour, marker) for marker in MARKERS for colour in PALETTE]
    kinds = [
        Kind(member, f"{mark}{latent_name(member, token)}", *looks[i % len(looks)], counts[i])
        for i, (member, token, mark) in enumerate(zip(members, names.strongest(members), before, strict=True))
    ]
    return KindColouring(ORDERS[shape.kind], tuple(kinds), (), of_point)


def latent_name(latent: int, token: str | None) -> str:
    """A latent with its most frequent token, to be drawn."""
    return f"{latent}" if token is None else f"{latent} {drawable(token, max_length=TOKEN_LENGTH)}"


def _draw_sides(
    canvas: Canvas,
    view: ClusterView,
    shape: FittedShape,
    names: TokenNames,
    sides: Sequence[SideView],
    *,
    left: float,
    top: float,
) -> None:
    order, places = latent_places(shape)
    marks = [f"{int(vertex) + 1}: " for vertex in places[order]] if shape.kind == "simplex" else []
    colouring = latent_colouring(view, shape, names, order, marks=marks)
    scores = shape.scores(view.sample_activations)
    drawn = np.random.default_rng(view.settings["seed"]).permutation(len(scores)).astype(np.int64)
    for column, side in enumerate(sides):
        x = left + column * (SIDE + GAP)
        frame = draw_side(canvas, shape, side, scores, colouring, order=drawn, left=x, top=top, side=SIDE)
        if shape.kind == "circle":
            name_round_ring(canvas, frame, shape, colouring)
        elif shape.kind == "simplex":
            corners = np.zeros((shape.n_vertices, shape.axes.n_components))
            corners[:, : shape.n_vertices - 1] = shape.fit.vertices
            mark_places(canvas, frame, corners @ side.projection, [f"{v + 1}" for v in range(shape.n_vertices)])
        elif shape.kind == "curve":
            ends = shape.fit.knots[[0, -1]] @ side.projection
            mark_places(canvas, frame, ends, ["start", "end"])
    if shape.kind != "circle":
        x = left + len(sides) * (SIDE + GAP) - 0.35
        draw_legend(canvas, _shortened(colouring), left=x, top=top, height=SIDE)


def _shortened(colouring: KindColouring) -> KindColouring:
    """A legend's lines, the last ones together where there are too many."""
    if len(colouring.kinds) <= MOST_IN_LEGEND + 1:
        return colouring
    more = colouring.kinds[MOST_IN_LEGEND:]
    rest = Kind(-1, f"{len(more)} others", GREY, "o", sum(kind.count for kind in more))
    return KindColouring(colouring.title, colouring.kinds[:MOST_IN_LEGEND], (rest,), colouring.of_point)


def _draw_evidence(canvas: Canvas, shape: FittedShape, evidence: Evidence, *, left: float, top: float) -> None:
    wide = EVIDENCE - 0.3
    n_draws = len(evidence.draws)
    n_none = int((evidence.draws <= evidence.least).sum())
    heading = f"against {n_draws:,} null draws" if n_draws else "no null draws"
    canvas.write(left, top - 0.05, heading, bold=True, size=SMALL, up="bottom")
    if n_draws:
        draw_null_histogram(
            canvas,
            evidence.observed,
            evidence.draws,
            label=STATISTICS[shape.kind],
            note=f"no {shape.kind}, counted as {evidence.least:.2g}: {n_none:,}" if n_none else "",
            left=left,
            top=top,
            width=wide,
            height=HISTOGRAM if evidence.persistence else 2.2,
        )
    if evidence.persistence:
        below = top + HISTOGRAM + 0.9
        side = SIDE - HISTOGRAM - 0.9
        draw_persistence(canvas, evidence.persistence, left=left + 0.45, top=below, side=side)


def _metadata(view: ClusterView, shape: FittedShape) -> dict[str, str]:
    return {
        "Title": f"{view.clustering} cluster {view.record.name}: {shape.kind}",
        "clustering": view.clustering,
        "cluster": view.record.name,
        "members": ",".join(str(member) for member in view.record.members),
        "shape": shape.kind,
        "basis": shape.basis,
    }
