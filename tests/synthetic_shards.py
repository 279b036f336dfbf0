"""Dense firing patterns cut into shards, counted by the library and, beside it, densely."""

from itertools import pairwise
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from coactivation_manifolds.activations.activation_writer import ShardWriter
from coactivation_manifolds.activations.token_rows import TokenRows, feature_id_dtype
from coactivation_manifolds.cooccurrence.candidates import merge_candidates
from coactivation_manifolds.cooccurrence.recount import recount_shard
from coactivation_manifolds.cooccurrence.shard_counts import count_shard
from coactivation_manifolds.similarity.edges import reduce_counts

FLOORS = [0.0, 0.02, 0.05, 0.07, 0.1, 0.2, 1 / 4, 0.333, 0.5, 0.75, 1.0]


def firing_patterns(max_tokens: int = 40, max_latents: int = 14) -> st.SearchStrategy[np.ndarray]:
    """Boolean tokens x latents: random rates, some latents silent, some always on, some copies of others."""

    def build(seed: int, n_tokens: int, n_latents: int, density: float) -> np.ndarray:
        rng = np.random.default_rng(seed)
        rates = rng.random(n_latents) ** 2 * density
        rates[rng.random(n_latents) < 0.1] = 0.0
        rates[rng.random(n_latents) < 0.1] = 1.0
        fires = rng.random((n_tokens, n_latents)) < rates
        fires[rng.random(n_tokens) < 0.1] = rng.random() < 0.5
        copies = rng.random(n_latents) < 0.2
        fires[:, copies] = fires[:, rng.integers(0, n_latents, int(copies.sum()))]
        return fires

    return st.builds(
        build,
        st.integers(0, 2**32 - 1),
        st.integers(0, max_tokens),
        st.integers(1, max_latents),
        st.sampled_from([0.05, 0.3, 1.0, 2.0]),
    )


def csr(fires: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Offsets and ids of a boolean matrix."""
    offsets = np.concatenate([[0], np.cumsum(fires.sum(axis=1))]).astype(np.int64)
    return offsets, np.nonzero(fires)[1].astype(feature_id_dtype(fires.shape[1]))


def token_rows(fires: np.ndarray, *, first_token: int = 0, words_per_doc: int = 6) -> TokenRows:
    """Rows of a boolean matrix; every value is 1."""
    offsets, ids = csr(fires)
    number = np.arange(first_token, first_token + len(fires), dtype=np.int64)
    return TokenRows(
        doc_id=number // words_per_doc,
        token_index=number,
        position_in_doc=(number % words_per_doc).astype(np.int32),
        token_id=np.zeros(len(fires), np.int32),
        offsets=offsets,
        feature_ids=ids,
        activations=np.ones(len(ids), np.float16),
        n_latents=fires.shape[1],
    )


def write_shards(fires: np.ndarray, folder: Path, *, cuts: list[int]) -> list[Path]:
    """Write the tokens as shards that end at the cuts; equal cuts make empty shards."""
    manifests = []
    bounds = [0, *cuts, len(fires)]
    for shard, (low, high) in enumerate(pairwise(bounds)):
        place = folder / f"shard={shard:06d}"
        writer = ShardWriter(place, shard=shard, n_latents=fires.shape[1], fingerprint={"test": 1})
        if high > low:
            writer.write_part(0, token_rows(fires[low:high], first_token=low), first_batch=0, last_batch=0)
        place.mkdir(parents=True, exist_ok=True)
        writer.commit(place / "manifest.json", expected_parts=int(high > low))
        manifests.append(place / "manifest.json")
    return manifests


def make_edges(
    manifests: list[Path],
    folder: Path,
    *,
    floor: float = 0.02,
    min_count: int = 1,
    min_firings: int = 1,
    max_density: float | None = None,
    positions: list[int] | None = None,
    decoder_path: Path | None = None,
    threads: int = 1,
    backwards: bool = False,
) -> dict[str, Path]:
    """Run both passes and the reduce; the paths of what the reduce wrote."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{shard:06d}" for shard in range(len(manifests))]
    for name, manifest in zip(names, manifests, strict=True):
        count_shard(
            manifest,
            jaccard_floor=floor,
            positions=positions,
            threads=threads,
            counts_path=folder / f"{name}.parquet",
            marginals_path=folder / f"{name}.npy",
            totals_path=folder / f"{name}.json",
        )
    if backwards:
        names = names[::-1]
        manifests = manifests[::-1]
    merge_candidates(
        [folder / f"{name}.parquet" for name in names],
        [folder / f"{name}.npy" for name in names],
        jaccard_floor=floor,
        candidates_path=folder / "candidates.parquet",
    )
    for name, manifest in zip(names, manifests, strict=True):
        recount_shard(
            manifest,
            counts_path=folder / f"{name}.parquet",
            marginals_path=folder / f"{name}.npy",
            candidates_path=folder / "candidates.parquet",
            positions=positions,
            threads=threads,
            recount_path=folder / f"{name}.recount.parquet",
        )
    made = {name: folder / file for name, file in MADE.items()}
    reduce_counts(
        [folder / f"{name}.parquet" for name in names],
        [folder / f"{name}.recount.parquet" for name in names],
        [folder / f"{name}.npy" for name in names],
        [folder / f"{name}.json" for name in names],
        decoder_path=decoder_path,
        jaccard_floor=floor,
        min_count=min_count,
        min_firings=min_firings,
        max_density=max_density,
        edges_path=made["edges"],
        totals_path=made["totals"],
        tail_path=made["tail"],
    )
    return made


MADE = {"edges": "edges.parquet", "totals": "totals.json", "tail": "tail.parquet"}
