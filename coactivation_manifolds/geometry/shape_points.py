"""The points that a cluster's shape is tested on: read the same way wherever the shape is measured, fitted or drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.geometry.clusters import ClusterRecord, in_size_bounds, member_rows
from coactivation_manifolds.geometry.nulls.shape_test import sample_rows
from coactivation_manifolds.geometry.points import find_points

if TYPE_CHECKING:
    from coactivation_manifolds.activations.index import FeatureIndex

Array = npt.NDArray[np.float64]


class TestedPoints(NamedTuple):
    """Points of one cluster.

    Attributes
    ----------
    record
        The cluster.
    n_points
        Of all of it.
    token_rows
        int64 [m], ascending: rows of the sample in the index.
    activations
        float64 [m, k]: of the sample, columns in the order of the members.
    decoder
        float64 [k, d_model]: the members' decoder rows; None without a decoder.
    seed
        Of sample, null and draws.

    """

    record: ClusterRecord
    n_points: int
    token_rows: npt.NDArray[np.int64]
    activations: Array
    decoder: Array | None
    seed: int


def seed_of(record: ClusterRecord, *, seed: int) -> int:
    """A seed for one set of latents, the same in every clustering that has it."""
    return int(np.random.SeedSequence([seed, *record.members]).generate_state(1)[0])


def read_tested(
    record: ClusterRecord,
    *,
    index: FeatureIndex,
    decoder: npt.NDArray[Any] | None,
    settings: Mapping[str, Any],
    seed: int,
) -> TestedPoints | None:
    """Read the sample of one cluster; None where it is not tested: too small or large, or with too few points.

    Parameters
    ----------
    record
        The cluster.
    index, decoder
        Of the experiment; decoder rows [n_latents, d_model] or None.
    settings
        ``min_active``, ``min_points``, ``positions``, ``min_size``, ``max_size``, ``sample_points``.
    seed
        The experiment's.

    """
    if not in_size_bounds(record, settings):
        return None
    points = find_points(index, record.members, min_active=settings["min_active"], positions=settings.get("positions"))
    if len(points) < max(2, settings["min_points"]):
        return None
    own_seed = seed_of(record, seed=seed)
    rows = points.token_rows[sample_rows(len(points), seed=own_seed, most=settings["sample_points"])]
    activations = points.activations(rows)
    if (activations == activations[0]).all():
        return None
    return TestedPoints(record, len(points), rows, activations, member_rows(decoder, record.members), own_seed)


def iterate_tested(
    records: Sequence[ClusterRecord],
    *,
    index: FeatureIndex,
    decoder: npt.NDArray[Any] | None,
    settings: Mapping[str, Any],
    seed: int,
) -> Iterator[TestedPoints]:
    """The tested clusters in their order, one at a time; parameters as in ``read_tested``."""
    for record in records:
        tested = read_tested(record, index=index, decoder=decoder, settings=settings, seed=seed)
        index.forget_pages()
        if tested is not None:
            yield tested
