"""Decoder cosine against brute force, whatever the block size."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coactivation_manifolds.errors import InputError
from coactivation_manifolds.schemas import COSINE_EDGES, COSINE_NEIGHBORS
from coactivation_manifolds.similarity.cosine import decoder_cosine, find_cosine_neighbors, row_norms, similar_rows
from coactivation_manifolds.storage import read_table


def decoders() -> st.SearchStrategy[np.ndarray]:
    """Random rows, some zero, some the same, some near-duplicates."""

    def build(seed: int, n_latents: int, d_model: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        decoder = rng.normal(size=(n_latents, d_model)).astype(np.float32)
        copies = rng.random(n_latents) < 0.3
        decoder[copies] = decoder[rng.integers(0, n_latents, int(copies.sum()))]
        near = rng.random(n_latents) < 0.2
        decoder[near] += (1e-6 * rng.normal(size=(int(near.sum()), d_model))).astype(np.float32)
        decoder[rng.random(n_latents) < 0.1] = 0
        return decoder

    return st.builds(build, st.integers(0, 2**32 - 1), st.integers(1, 25), st.integers(1, 9))


def all_pairs(decoder: np.ndarray) -> list[tuple[float, int, int]]:
    """Every pair of rows that are not zero, most similar first, ties by ids."""
    a, b = np.triu_indices(len(decoder), 1)
    cosine = decoder_cosine(decoder, a, b)
    rows = zip(-cosine, a.tolist(), b.tolist(), strict=True)
    return sorted(row for row in rows if not np.isnan(row[0]))


@settings(deadline=None, max_examples=100)
@given(decoder=decoders())
def test_cosine_of_pairs(decoder: np.ndarray) -> None:
    a, b = np.meshgrid(np.arange(len(decoder)), np.arange(len(decoder)))
    a, b = a.reshape(-1), b.reshape(-1)
    cosine = decoder_cosine(decoder, a, b)
    exact = decoder.astype(np.float64)
    norms = np.linalg.norm(exact, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = ((exact @ exact.T) / np.outer(norms, norms))[a, b]
    np.testing.assert_allclose(cosine, expected, atol=1e-12)
    np.testing.assert_array_equal(cosine, decoder_cosine(decoder, b, a))
    assert (np.abs(cosine[~np.isnan(cosine)]) <= 1).all()


@settings(deadline=None, max_examples=150)
@given(
    decoder=decoders(),
    wanted=st.integers(0, 6),
    n_pairs=st.integers(0, 40),
    max_pairs=st.sampled_from([1, 10, 50, 10**6]),
    entries_per_block=st.sampled_from([1, 60, 10**6]),
)
def test_neighbors_and_most_similar_pairs(
    decoder: np.ndarray, wanted: int, n_pairs: int, max_pairs: int, entries_per_block: int
) -> None:
    neighbors, edges, cut = similar_rows(
        decoder, n_neighbors=wanted, n_pairs=n_pairs, max_pairs=max_pairs, entries_per_block=entries_per_block
    )
    assert neighbors.schema == COSINE_NEIGHBORS
    assert edges.schema == COSINE_EDGES
    pairs = all_pairs(decoder)
    m = max(n_pairs, sum(-minus >= 0.30 for minus, _, _ in pairs))
    expected = pairs[: min(m, max_pairs)]
    assert list(zip(*edges.select(["feature_a", "feature_b", "cosine"]).to_pydict().values(), strict=True)) == [
        (a, b, -minus) for minus, a, b in expected
    ]
    assert cut == (min(m, len(pairs)) > max_pairs)
    rows = []
    for latent in range(len(decoder)):
        own = sorted((minus, a + b - latent) for minus, a, b in pairs if latent in (a, b))
        rows += [(latent, rank + 1, other, -minus) for rank, (minus, other) in enumerate(own[:wanted])]
    assert list(zip(*neighbors.to_pydict().values(), strict=True)) == rows


def write_edges(path: Path, n_edges: int) -> Path:
    pq.write_table(pa.table({"feature_a": np.zeros(n_edges, np.uint32)}), path)
    return path


def test_files_do_not_depend_on_blocks(tmp_path: Path) -> None:
    decoder = np.random.default_rng(0).normal(size=(300, 24)).astype(np.float32)
    decoder[::7] = decoder[5]
    np.save(tmp_path / "decoder.npy", decoder)
    edges = write_edges(tmp_path / "edges.parquet", 9_000)
    contents = set()
    for number, entries in enumerate((1, 5_000, 10**8)):
        neighbors_path, cosine_path = tmp_path / f"n{number}.parquet", tmp_path / f"c{number}.parquet"
        find_cosine_neighbors(
            tmp_path / "decoder.npy",
            edges,
            cosine_neighbors=8,
            max_cosine_edges=10_000,
            neighbors_path=neighbors_path,
            cosine_edges_path=cosine_path,
            entries_per_block=entries,
        )
        contents.add((neighbors_path.read_bytes(), cosine_path.read_bytes()))
    assert len(contents) == 1
    assert len(read_table(cosine_path)) == 9_000
    assert len(read_table(neighbors_path)) == 8 * 300
    assert pq.read_schema(cosine_path).metadata[b"cut"] == b"false"


def test_a_cut_list_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    np.save(tmp_path / "decoder.npy", np.ones((30, 4), np.float32))
    find_cosine_neighbors(
        tmp_path / "decoder.npy",
        write_edges(tmp_path / "edges.parquet", 3),
        cosine_neighbors=2,
        max_cosine_edges=50,
        neighbors_path=tmp_path / "n.parquet",
        cosine_edges_path=tmp_path / "c.parquet",
        entries_per_block=30,
    )
    assert len(read_table(tmp_path / "c.parquet")) == 50
    assert pq.read_schema(tmp_path / "c.parquet").metadata[b"cut"] == b"true"
    assert "similarity.max_cosine_edges" in caplog.text


def test_bad_decoders_are_told(tmp_path: Path) -> None:
    def find(decoder: np.ndarray) -> None:
        np.save(tmp_path / "decoder.npy", decoder)
        find_cosine_neighbors(
            tmp_path / "decoder.npy",
            write_edges(tmp_path / "edges.parquet", 0),
            cosine_neighbors=2,
            max_cosine_edges=5,
            neighbors_path=tmp_path / "n.parquet",
            cosine_edges_path=tmp_path / "c.parquet",
        )

    with pytest.raises(InputError, match="row 1: a value is not finite"):
        find(np.array([[1.0, 2.0], [np.nan, 1.0]], np.float32))
    with pytest.raises(InputError, match="n_latents, d_model"):
        find(np.ones(4, np.float32))
    with pytest.raises(InputError, match="n_latents, d_model"):
        find(np.ones((2, 2), np.int64))


def test_a_wide_pair_s_cosine_does_not_depend_on_the_others():
    decoder = np.random.default_rng(0).standard_normal((40, 9_001)).astype(np.float32)
    a, b = np.triu_indices(40, 1)
    together = decoder_cosine(decoder, a, b)
    alone = [decoder_cosine(decoder, a[i : i + 1], b[i : i + 1])[0] for i in range(len(a))]
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(row_norms(decoder), [row_norms(row[None])[0] for row in decoder])
