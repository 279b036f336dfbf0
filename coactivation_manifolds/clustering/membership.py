"""Who is in which cluster: from labels to ranked cluster ids, and the file that holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from coactivation_manifolds.errors import InputError
from coactivation_manifolds.schemas import CLUSTERS, conform, require_columns
from coactivation_manifolds.storage import PathLike, read_table, write_table

MIN_CLUSTER_SIZE = 2
"""A latent on its own is no cluster."""


@dataclass(frozen=True)
class Clusters:
    """The clusters of one clustering; latents in no cluster do not appear.

    Attributes
    ----------
    feature_ids
        uint32[n], ascending.
    cluster_ids
        int32[n], the cluster of each; 0 is the largest.

    """

    feature_ids: npt.NDArray[np.uint32]
    cluster_ids: npt.NDArray[np.int32]

    @property
    def n_clusters(self) -> int:
        """How many clusters there are."""
        return int(self.cluster_ids.max()) + 1 if len(self.cluster_ids) else 0

    @property
    def n_clustered(self) -> int:
        """How many latents are in a cluster."""
        return len(self.feature_ids)

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """int64[n_clusters], members of each cluster, descending."""
        return np.bincount(self.cluster_ids, minlength=self.n_clusters).astype(np.int64)

    def members(self) -> list[npt.NDArray[np.uint32]]:
        """The members of each cluster, ascending, in the order of the ids."""
        by_cluster = self.feature_ids[np.argsort(self.cluster_ids, kind="stable")]
        return np.split(by_cluster, np.cumsum(self.sizes)[:-1]) if self.n_clusters else []


def rank_clusters(feature_ids: npt.ArrayLike, labels: npt.ArrayLike) -> Clusters:
    """Turn any labels into cluster ids: by size, then by smallest member; single latents are left out.

    Parameters
    ----------
    feature_ids
        int[n], each at most once, in any order.
    labels
        int[n], equal where two latents are in one cluster; their values mean nothing.

    """
    features = np.asarray(feature_ids, dtype=np.int64)
    order = np.argsort(features, kind="stable")
    features = features[order]
    _, first, codes, counts = np.unique(
        np.asarray(labels, dtype=np.int64)[order], return_index=True, return_inverse=True, return_counts=True
    )
    # features ascend, so the first place of a label is that of its smallest member
    ranked = np.lexsort((first, -counts))
    rank = np.empty(len(counts), dtype=np.int32)
    rank[ranked] = np.arange(len(counts), dtype=np.int32)
    kept = counts[codes] >= MIN_CLUSTER_SIZE
    return Clusters(features[kept].astype(np.uint32), rank[codes[kept]])


def write_clusters(clusters: Clusters, path: PathLike, *, metadata: Mapping[str, str] | None = None) -> None:
    """Write ``clusters.parquet``: one row a clustered latent, ordered by feature_id."""
    columns = {"feature_id": clusters.feature_ids, "cluster_id": clusters.cluster_ids}
    write_table(conform(columns, CLUSTERS), path, metadata=metadata)


def read_clusters(path: PathLike) -> tuple[Clusters, dict[str, str]]:
    """Read ``clusters.parquet`` and what its footer says of how it was made.

    Raises
    ------
    InputError
        The file is missing, damaged, not ordered by feature_id, or its cluster ids are no gapless numbers from 0.

    """
    table = read_table(path)
    require_columns(table, CLUSTERS, str(path))
    features = table.column("feature_id").to_numpy().astype(np.uint32)
    ids = table.column("cluster_id").to_numpy().astype(np.int32)
    ascending = bool((np.diff(features.astype(np.int64)) > 0).all())
    gapless = not len(ids) or (int(ids.min()) == 0 and bool(np.bincount(ids).all()))
    if not ascending or not gapless:
        fault = "cluster_id has gaps" if ascending else "feature_id is not in ascending order"
        raise InputError(f"{path}: {fault}; delete the file and make it anew with: snakemake {path}")
    return Clusters(features, ids), footer(table.schema)


def footer(schema: pa.Schema) -> dict[str, str]:
    """The text entries of a Parquet footer."""
    entries = (schema.metadata or {}).items()
    return {key.decode(): value.decode() for key, value in entries if not key.startswith(b"ARROW:")}
