"""The clusters of a clustering as rows of its summary, and which of them have a shape to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.errors import ResultsError
from coactivation_manifolds.storage import PathLike, read_array, read_table


@dataclass(frozen=True)
class ClusterRecord:
    """One row of ``clusters_summary.parquet`` (docs/data_format.md); NaN and None where a number is unknown."""

    cluster_id: int
    size: int
    members: tuple[int, ...]
    n_pairs_present: int
    mean_jaccard: float | None
    mean_cosine: float | None
    cosine_best_jaccard: float | None
    missed_by_cosine: bool | None

    @property
    def name(self) -> str:
        """The cluster's number as in paths: ``0003``."""
        return f"{self.cluster_id:04d}"

    @property
    def n_pairs(self) -> int:
        """Pairs of members; the mean Jaccard is over the ``n_pairs_present`` of them that are edges."""
        return self.size * (self.size - 1) // 2


def read_clusters(summary_path: PathLike) -> list[ClusterRecord]:
    """Read all clusters of a clustering, largest first."""
    fields = list(ClusterRecord.__dataclass_fields__)
    rows = read_table(summary_path, columns=fields).to_pylist()
    return [ClusterRecord(**{**row, "members": tuple(row["members"])}) for row in rows]


def find_cluster(clusters: Sequence[ClusterRecord], clustering: str, cluster: int) -> ClusterRecord:
    """The cluster of this number.

    Raises
    ------
    ResultsError
        There is none; the message tells the range.

    """
    for record in clusters:
        if record.cluster_id == cluster:
            return record
    if not clusters:
        raise ResultsError(f"{clustering} has no clusters; asked for {cluster:04d}: choose a lower threshold")
    count = f"{len(clusters)} clusters, 0000 to {clusters[-1].name}" if len(clusters) > 1 else "1 cluster, 0000"
    raise ResultsError(f"{clustering} has {count}; asked for {cluster:04d}")


def check_size(record: ClusterRecord, clustering: str, settings: Mapping[str, Any]) -> None:
    """Stop at a cluster too large to be drawn even when asked for by name.

    Raises
    ------
    ResultsError
        More than ``geometry.max_size_on_request`` latents.

    """
    largest = settings["max_size_on_request"]
    if record.size > largest:
        raise ResultsError(
            f"cluster {record.name} of {clustering} has {record.size:,} latents, more than "
            f"geometry.max_size_on_request = {largest:,}: raise that key, or ask for a higher threshold"
        )


def check_points(record: ClusterRecord, n_points: int, clustering: str, settings: Mapping[str, Any]) -> None:
    """Stop at a cluster with too few points to show a shape.

    Raises
    ------
    ResultsError
        Fewer than ``geometry.min_points`` points.

    """
    if n_points < settings["min_points"]:
        raise ResultsError(
            f"cluster {record.name} of {clustering} has {n_points:,} points ({point_rule(settings, record.size)}), "
            f"fewer than geometry.min_points = {settings['min_points']:,}: too few to show a shape; "
            "harvest more tokens, or lower that key"
        )


def why_not_drawn(record: ClusterRecord, n_points: int | None, settings: Mapping[str, Any]) -> str | None:
    """Why the batch lists a cluster without drawing it, in a few words; None where it draws it.

    ``n_points`` is None where nobody has counted, which is so outside the size bounds.
    """
    if record.size > settings["max_size"]:
        return f"too large: {record.size:,} latents, more than clustering.max_size = {settings['max_size']:,}"
    if record.size < settings["min_size"]:
        return f"too small: {record.size:,} latents, fewer than clustering.min_size = {settings['min_size']:,}"
    if n_points is not None and n_points < settings["min_points"]:
        return f"too few points: {n_points:,}, fewer than geometry.min_points = {settings['min_points']:,}"
    return None


ALL_ALIKE = "no shape: its points are one and the same"


def in_size_bounds(record: ClusterRecord, settings: Mapping[str, Any]) -> bool:
    """Whether the batch looks at a cluster of this size."""
    return bool(settings["min_size"] <= record.size <= settings["max_size"])


def point_rule(settings: Mapping[str, Any], size: int | None = None) -> str:
    """What makes a token a point, in words, for a cluster of this size or for any."""
    least = settings["min_active"]
    window = settings.get("positions")
    where = f", at positions {window[0]:,} to {window[1] - 1:,} of a document" if window else ""
    members = f"the {size:,} members" if size is not None else "its members"
    return f"tokens where {f'any of {members} fires' if least == 1 else f'at least {least} of {members} fire'}{where}"


def read_decoder(decoder_path: PathLike | None, *, n_latents: int) -> npt.NDArray[Any] | None:
    """The decoder's rows, memory-mapped [n_latents, d_model]; None where the experiment has no decoder.

    Raises
    ------
    ResultsError
        It has another number of rows than there are latents.

    """
    if not decoder_path:
        return None
    decoder = read_array(decoder_path, mmap=True)
    if decoder.ndim != 2 or len(decoder) != n_latents:
        raise ResultsError(
            f"{decoder_path} has shape {list(decoder.shape)}, expected {n_latents:,} rows, one for each latent of the "
            "index: it belongs to another SAE; delete it and make it anew"
        )
    return decoder


def member_rows(decoder: npt.NDArray[Any] | None, members: Sequence[int]) -> npt.NDArray[np.float64] | None:
    """The decoder rows of a cluster's members, float64 [k, d_model]."""
    return None if decoder is None else np.asarray(decoder[list(members)], dtype=np.float64)
