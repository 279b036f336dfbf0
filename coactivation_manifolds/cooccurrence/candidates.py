"""The union of the shards' candidate pairs: every pair that can reach the floor over the whole corpus."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from coactivation_manifolds.cooccurrence.pair_files import write_union
from coactivation_manifolds.storage import PathLike

logger = logging.getLogger(__name__)


def merge_candidates(counts_paths: Sequence[PathLike], *, candidates_path: PathLike) -> None:
    """Write the pairs that any shard kept, ordered by (feature_a, feature_b), in bounded memory.

    Parameters
    ----------
    counts_paths
        The shards' pair counts, in any order.
    candidates_path
        ``schemas.CANDIDATES``.

    Raises
    ------
    InputError
        A file is missing or damaged.

    """
    total = write_union(list(counts_paths), candidates_path)
    logger.info("%d candidate pairs of %d shards", total, len(counts_paths))
