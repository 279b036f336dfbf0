"""A control for a whole experiment: every latent's firings shifted along the corpus by an amount of its own.

A circular shift keeps how often a latent fires, how strongly, and how its firings come in bursts, and breaks which
latents fire together. It does not keep how many latents fire on a token. What the workflow still finds on shifted
activations, it finds by chance.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.activations.activation_reader import read_manifests
from coactivation_manifolds.activations.activation_writer import ShardWriter, fingerprint_hash
from coactivation_manifolds.activations.index import FeatureIndex
from coactivation_manifolds.activations.posting_lists import postings_within
from coactivation_manifolds.activations.token_rows import NULL, TokenRows, feature_id_dtype
from coactivation_manifolds.algorithm_versions import ALGORITHM_VERSION
from coactivation_manifolds.errors import InputError
from coactivation_manifolds.storage import PathLike

PART_ROWS = 8_192
"""Tokens in a part."""

logger = logging.getLogger(__name__)

Array = npt.NDArray[Any]


def shift_shard(
    shard: int, *, manifest_paths: Sequence[PathLike], offsets_path: PathLike, manifest_path: PathLike, seed: int
) -> None:
    """Write one shard of the shifted activations: the shard's tokens, with the latents that are shifted onto them.

    Latent f's firing on row r of the corpus (N rows) is moved to row (r + s_f) mod N; the s_f are drawn evenly from
    0 to N - 1 with the seed, the same for all shards.

    Parameters
    ----------
    shard
        Its number.
    manifest_paths
        Manifests of all shards of the experiment, in order.
    offsets_path
        The experiment's ``index/feature_offsets.npy``, with the other files of the index beside it.
    manifest_path
        Written last; the parts go into its folder.
    seed
        Of the shifts.

    Raises
    ------
    InputError
        The index is of other tokens than the manifests.
    ResultsError
        Shards of different runs, or files of the index that don't belong together.
    StorageError
        Disk full, or the folder can't be written.

    """
    manifests = read_manifests(manifest_paths)
    index = FeatureIndex.open(offsets_path)
    ends = np.cumsum([0, *(int(manifest["n_tokens"]) for manifest in manifests)])
    if index.n_tokens != ends[-1]:
        raise InputError(
            f"the index at {Path(offsets_path).parent} holds {index.n_tokens} tokens, the shards hold {ends[-1]}: "
            f"delete that folder and make it anew with: snakemake {offsets_path}"
        )
    writer = ShardWriter(
        Path(manifest_path).parent,
        shard=shard,
        n_latents=index.n_latents,
        fingerprint={
            "null": "circular shift",
            "seed": seed,
            "of": fingerprint_hash({"shards": [manifest["parts"] for manifest in manifests]}),
            "version": ALGORITHM_VERSION["null"],
        },
    )
    shifts = draw_shifts(index.n_latents, index.n_tokens, seed=seed)
    rows = shifted_rows(index, shifts, int(ends[shard]), int(ends[shard + 1]))
    starts = range(0, rows.n_tokens, PART_ROWS)
    for part, start in enumerate(starts):
        block = rows.rows(start, min(start + PART_ROWS, rows.n_tokens))
        writer.write_part(part, block, first_batch=part, last_batch=part, extra={"null": True})
    writer.commit(manifest_path, expected_parts=len(starts))
    logger.info("shard %d: %d tokens, %d entries", shard, rows.n_tokens, rows.n_entries)


def draw_shifts(n_latents: int, n_tokens: int, *, seed: int) -> npt.NDArray[np.int64]:
    """How far each latent is shifted, int64 [n_latents], even over 0 to n_tokens - 1."""
    return np.random.default_rng(seed).integers(0, max(1, n_tokens), n_latents)


def shifted_rows(index: FeatureIndex, shifts: npt.NDArray[np.int64], first: int, last: int) -> TokenRows:
    """The rows first:last of the corpus after shifting; memory is some 40 bytes an entry of theirs."""
    found = [_moved_into(index, latent, int(shifts[latent]), first, last) for latent in _firing(index)]
    entry_rows = np.concatenate([np.empty(0, np.int64), *(rows for rows, _ in found)])
    lengths = [len(rows) for rows, _ in found]
    ids = np.repeat(np.fromiter(_firing(index), feature_id_dtype(index.n_latents)), lengths)
    values = np.concatenate([np.empty(0, np.float16), *(values for _, values in found)])
    # stable: latents were gone through in ascending order, and stay so within a token
    order = np.argsort(entry_rows, kind="stable")
    tokens = index.tokens(np.arange(first, last))
    columns = {name: tokens[name].fill_null(NULL).to_numpy() for name in tokens.column_names}
    counts = np.bincount(entry_rows - first, minlength=last - first)
    return TokenRows(
        **columns,
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        feature_ids=ids[order],
        activations=values[order],
        n_latents=index.n_latents,
    )


def _firing(index: FeatureIndex) -> Iterator[int]:
    """The latents that fire at all, ascending."""
    return iter(np.flatnonzero(index.counts).tolist())


def _moved_into(index: FeatureIndex, latent: int, shift: int, first: int, last: int) -> tuple[Array, Array]:
    """A latent's shifted rows within first:last, and their values."""
    begin, length = (first - shift) % index.n_tokens, last - first
    spans = ((begin, min(begin + length, index.n_tokens)), (0, begin + length - index.n_tokens))
    found = [postings_within(*index.postings(latent), low, high - 1) for low, high in spans if low < high]
    moved = [(rows.astype(np.int64) + shift) % index.n_tokens for rows, _ in found]
    return (
        np.concatenate([np.empty(0, np.int64), *moved]),
        np.concatenate([np.empty(0, np.float16), *(values for _, values in found)]),
    )
