"""One cluster as a page that needs nothing else: every drawn point tells its context when pointed at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.errors import ResultsError
from coactivation_manifolds.figures.cluster_header import BASES, active_shares, fact_lines
from coactivation_manifolds.figures.cluster_panel import known_colourings, strongest_member
from coactivation_manifolds.figures.colouring import (
    Colouring,
    ValueColouring,
    colour_by_kind,
    colour_by_value,
)
from coactivation_manifolds.figures.token_names import TokenNames, readable
from coactivation_manifolds.geometry.cluster_view import ClusterView
from coactivation_manifolds.report.contexts import point_contexts
from coactivation_manifolds.report.templates import json_for_script, render
from coactivation_manifolds.storage import PathLike, write_text

if TYPE_CHECKING:
    from coactivation_manifolds.activations.index import FeatureIndex

MAX_BYTES = 1_000_000
TOKEN_LENGTH = 40
MEMBERS_PER_POINT = 6
STEPS = 9_999
"""Scores are written as whole numbers from -9,999 to 9,999 of the largest: finer than a screen."""

Ids = npt.NDArray[np.int64]


def write_cluster_page(
    view: ClusterView, names: TokenNames, path: PathLike, *, index: FeatureIndex, called: Sequence[str] = ()
) -> None:
    """Write ``cluster.html``: the drawn points, or fewer of them where the page would pass 1 MB (said on the page).

    ``called`` are lines about the shape that the cluster was called.

    Raises
    ------
    ResultsError
        Not even 50 points fit.

    """
    shown = view.sample
    rng = np.random.default_rng(view.settings["seed"])
    while True:
        page = cluster_page(view, names, shown, index=index, called=called)
        size = len(page.encode())
        if size <= MAX_BYTES:
            write_text(page, path)
            return
        fewer = int(len(shown) * min(0.8, 0.9 * MAX_BYTES / size))
        if fewer < min(50, len(view.sample)):
            raise ResultsError(
                f"{path} would pass 1 MB with {len(shown)} points: cluster {view.record.name} of {view.clustering} has "
                f"{view.record.size:,} members with too long texts; ask for a clustering with a higher threshold"
            )
        shown = np.sort(rng.choice(shown, fewer, replace=False))


def cluster_page(
    view: ClusterView, names: TokenNames, shown: Ids, *, index: FeatureIndex, called: Sequence[str] = ()
) -> str:
    """The page as text, with these points (places among all points, ascending)."""
    facts = [text for text, _ in fact_lines(view, view.basis)[:3]]
    if len(shown) < len(view.sample):
        facts.insert(2, f"This page holds {len(shown):,} of them, a random sample, to stay below 1 MB.")
    facts[:0] = called
    labels, shares = active_shares(view)
    return render(
        "cluster.html",
        title=f"Cluster {view.record.name} of {view.clustering}",
        facts=facts,
        histogram=[(label, share, share / max(shares)) for label, share in zip(labels, shares, strict=True)],
        members=list(zip(view.record.members, names.strongest(view.record.members), strict=True)),
        data=json_for_script(page_data(view, names, shown, index=index)),
    )


def page_data(view: ClusterView, names: TokenNames, shown: Ids, *, index: FeatureIndex) -> dict[str, Any]:
    """What the page's script draws."""
    contexts = point_contexts(index, names, view.points.token_rows[shown])
    activations = view.points.activations(view.points.token_rows[shown])
    return {
        "bases": [basis_data(view, basis, shown) for basis in view.axes],
        "colourings": [colouring_data(colouring, shown) for colouring in page_colourings(view, names)],
        "pieces": contexts.pieces,
        "before": contexts.before,
        "here": contexts.here,
        "after": contexts.after,
        "position": None if view.positions is None else known_or_null(view.positions[shown]),
        "row": view.points.token_rows[shown].tolist(),
        "members": list(view.record.members),
        "firing": firing_members(activations),
        "n_active": view.n_active[shown].tolist(),
    }


def basis_data(view: ClusterView, basis: str, shown: Ids) -> dict[str, Any]:
    """Scores of the points, one list a component, in steps of ``unit``."""
    scores = view.scores[basis][shown]
    unit = float(np.abs(scores).max(initial=0)) / STEPS or 1.0
    steps = np.rint(scores / unit).astype(int)
    return {
        "name": BASES[basis],
        "unit": unit,
        "evr": [round(float(share), 5) for share in view.axes[basis].evr],
        "scores": steps.T.tolist(),
    }


def page_colourings(view: ClusterView, names: TokenNames) -> list[Colouring]:
    """Token, next token, position, strongest member, members at once: those that are known."""

    def shown(ids: Ids) -> list[str]:
        return [readable(name, max_length=TOKEN_LENGTH) for name in names.names(ids)]

    def latents(ids: Ids) -> list[str]:
        tokens = names.strongest(ids.tolist())
        return [
            f"{i}" + (f" {readable(token, max_length=TOKEN_LENGTH)}" if token else "")
            for i, token in zip(ids.tolist(), tokens, strict=True)
        ]

    member = colour_by_kind("strongest member", strongest_member(view), latents)
    return [*known_colourings(view, shown), member, colour_by_value("members firing at once", view.n_active)]


def colouring_data(colouring: Colouring, shown: Ids) -> dict[str, Any]:
    """A colouring of the shown points, for the script."""
    if isinstance(colouring, ValueColouring):
        values = known_or_null(colouring.values[shown])
        return {
            "title": colouring.title,
            "values": values,
            "low": colouring.low,
            "high": colouring.high,
            "cut": colouring.is_cut,
        }
    kinds = [[kind.name, kind.colour, kind.count, kind.marker] for kind in colouring.kinds]
    rest = [[kind.name, kind.colour, kind.count, kind.marker] for kind in colouring.rest]
    return {"title": colouring.title, "kinds": kinds, "rest": rest, "of": colouring.of_point[shown].tolist()}


def known_or_null(values: Ids) -> list[int | None]:
    """Numbers for the script, null for the unknown ones, which are -1 here."""
    return [value if value >= 0 else None for value in values.tolist()]


def firing_members(activations: npt.NDArray[np.float64]) -> list[list[float]]:
    """The strongest members on each point, [n, k]: place and value (three digits) in turn, strongest first."""
    order = np.argsort(-activations, axis=1, kind="stable")[:, :MEMBERS_PER_POINT]
    strongest = np.take_along_axis(activations, order, axis=1)
    distinct, which = np.unique(strongest, return_inverse=True)
    written = np.array([float(f"{value:.3g}") for value in distinct.tolist()])[which].reshape(order.shape)
    firing = (strongest > 0).sum(axis=1)
    rows = zip(order.tolist(), written.tolist(), firing.tolist(), strict=True)
    return [[number for pair in zip(*row, strict=True) for number in pair][: 2 * n] for *row, n in rows]
