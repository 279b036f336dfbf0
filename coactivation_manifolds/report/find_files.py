"""The files of one find: its shape with its null draws, its components with the shape drawn in, its page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
import pyarrow.parquet as pq

from coactivation_manifolds.errors import ResultsError
from coactivation_manifolds.figures.cluster_panel import draw_cluster_panel
from coactivation_manifolds.figures.shape_figure import Evidence, draw_shape_figure
from coactivation_manifolds.figures.token_names import TokenNames
from coactivation_manifolds.geometry.cluster_view import ClusterView
from coactivation_manifolds.geometry.fitted_shape import FittedShape, fit_shape, outline, place_in
from coactivation_manifolds.geometry.nulls.shape_test import RECON, make_turns
from coactivation_manifolds.geometry.pca import ACTIVATIONS, RECONSTRUCTION
from coactivation_manifolds.geometry.shape_points import read_tested
from coactivation_manifolds.geometry.shapes.persistence import measure_persistence
from coactivation_manifolds.geometry.shapes.registry import SHAPES
from coactivation_manifolds.report.cluster_page import write_cluster_page
from coactivation_manifolds.report.finds import Find, Part, fact_lines, plain_reading, reading_words
from coactivation_manifolds.report.shape_reading import read_shape
from coactivation_manifolds.storage import PathLike

if TYPE_CHECKING:
    from coactivation_manifolds.activations.index import FeatureIndex


class NullDraws(NamedTuple):
    """The statistic of a find's shape: of the cluster, float64 [r] of its null draws, and what none of it counts as."""

    observed: float
    draws: npt.NDArray[np.float64]
    least: float


def read_null_draws(draws_path: PathLike, find: Find) -> NullDraws:
    """The draws of a find's shape from ``shape_draws.parquet`` of its clustering.

    Of a simplex with its number of vertices, in the basis of the call.
    """
    name = registered_name(find)
    column = f"{find.basis}_{name}"
    table = pq.read_table(
        draws_path, columns=["draw", column], filters=pc.field("cluster_id") == find.cluster_id
    ).sort_by("draw")
    values = table.column(column).to_numpy().astype(np.float64)
    return NullDraws(float(values[0]), values[1:], SHAPES[name].least)


def registered_name(find: Find) -> str:
    """The name of a find's shape in the registry."""
    return f"{find.shape}_{find.n_vertices}" if find.shape == "simplex" else find.shape


def fit_find(find: Find, view: ClusterView, *, decoder: npt.NDArray[Any] | None) -> FittedShape:
    """Fit the called shape to the points that it was tested on.

    Raises
    ------
    ResultsError
        With these settings the cluster is not tested.

    """
    settings = view.settings
    tested = read_tested(
        view.record, index=view.points.index, decoder=decoder, settings=settings, seed=settings["seed"]
    )
    if tested is None:
        raise ResultsError(f"cluster {view.record.name} of {view.clustering} is not tested with these settings")
    turn = make_turns(tested.decoder, len(view.record.members))[find.basis]
    basis = RECONSTRUCTION if find.basis == RECON else ACTIVATIONS
    return fit_shape(tested.activations, turn=turn, kind=find.shape, basis=basis, n_vertices=find.n_vertices or 0)


def draw_find(
    find: Find,
    view: ClusterView,
    shape: FittedShape,
    null: NullDraws,
    *,
    vertex_tokens: Sequence[Sequence[int]] = (),
    names: TokenNames,
    index: FeatureIndex,
    settings: Mapping[str, Any],
    folder: Path,
) -> list[Part]:
    """Write ``shape.png``, ``pca.png`` and ``cluster.html`` of one find; gives the reading of its shape.

    Parameters
    ----------
    find, view, shape, null
        What was found, and what is known of it.
    vertex_tokens
        Token ids at each vertex of a simplex (``shapes.json``).
    names
        Texts of tokens.
    index
        The experiment's index.
    settings
        As in ``plot_cluster_pca``, with ``persistence``: whether the figure shows persistent homology.
    folder
        Where to write.

    Raises
    ------
    ConfigError
        Persistent homology is asked for, and ripser is not there.

    """
    facts = fact_lines(find)
    parts = read_shape(view, shape, names, vertex_tokens=vertex_tokens)
    loops = measure_persistence(shape.activations @ shape.turn) if settings["persistence"] else None
    evidence = Evidence(facts, reading_words(parts), null.observed, null.draws, null.least, loops)
    draw_shape_figure(view, shape, names, evidence, folder / "shape.png")
    lines = [place_in(view.axes[shape.basis], shape, line) for line in outline(shape)]
    called = [f"{find.name} · {facts[0]}"]
    draw_cluster_panel(view, names, folder / "pca.png", basis=shape.basis, outline=lines, called=called)
    write_cluster_page(
        view, names, folder / "cluster.html", index=index, called=[*called, facts[1], plain_reading(parts)]
    )
    return parts
