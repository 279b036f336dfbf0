"""Shifted activations against np.roll of the dense matrix."""

import numpy as np
import pytest
from dense_rows import dense_from_rows, dense_matrices, random_dense, rows_from_dense
from hypothesis import given, settings
from hypothesis import strategies as st
from test_index import build, write_shards

from coactivation_manifolds.activations.activation_reader import read_shard
from coactivation_manifolds.activations.circular_shift import draw_shifts, shift_shard
from coactivation_manifolds.activations.token_rows import TokenRows, concatenate
from coactivation_manifolds.errors import InputError, ResultsError


def shifted(matrix: np.ndarray, folder, cuts: list[int], seed: int) -> list[TokenRows]:
    """The shards of the shifted activations."""
    manifests = write_shards(folder / "activations", rows_from_dense(matrix), cuts)
    build(manifests, folder / "index")
    shards = []
    for shard in range(len(manifests)):
        target = folder / f"null/shard={shard:06d}/manifest.json"
        shift_shard(
            shard,
            manifest_paths=manifests,
            offsets_path=folder / "index/feature_offsets.npy",
            manifest_path=target,
            seed=seed,
        )
        shards.append(read_shard(target))
    return shards


def rolled(matrix: np.ndarray, seed: int) -> np.ndarray:
    """Each column rolled by its shift."""
    shifts = draw_shifts(matrix.shape[1], len(matrix), seed=seed)
    return np.stack([np.roll(column, shift) for column, shift in zip(matrix.T, shifts, strict=True)], axis=1)


@given(matrix=dense_matrices(), seed=st.integers(0, 99), data=st.data())
@settings(max_examples=40, deadline=None)
def test_equals_rolled_columns_however_the_tokens_are_cut(tmp_path_factory, matrix, seed, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(matrix)), max_size=3)))
    shards = shifted(matrix, tmp_path_factory.mktemp("shift"), cuts, seed)
    rows = concatenate(shards, matrix.shape[1])
    np.testing.assert_array_equal(dense_from_rows(rows), rolled(matrix, seed))
    original = rows_from_dense(matrix)
    for column in ("doc_id", "token_index", "position_in_doc", "token_id"):
        np.testing.assert_array_equal(getattr(rows, column), getattr(original, column))


def test_firings_and_values_of_each_latent_are_kept(tmp_path):
    matrix = random_dense(3, n_tokens=90, n_latents=12)
    rows = concatenate(shifted(matrix, tmp_path, [40], 7), 12)
    np.testing.assert_array_equal(np.sort(dense_from_rows(rows), axis=0), np.sort(matrix, axis=0))


def test_seeds_differ_and_shifts_stay_within_the_corpus():
    one, other = (draw_shifts(500, 1_000, seed=seed) for seed in (0, 1))
    assert (one != other).any()
    assert one.min() >= 0 and one.max() < 1_000


def test_an_index_of_other_tokens_is_refused(tmp_path):
    matrix = random_dense(3, n_tokens=30, n_latents=5)
    shifted(matrix, tmp_path, [], 0)
    other = write_shards(tmp_path / "other", rows_from_dense(matrix[:20]), [])
    with pytest.raises((InputError, ResultsError), match="20"):
        shift_shard(
            0,
            manifest_paths=other,
            offsets_path=tmp_path / "index/feature_offsets.npy",
            manifest_path=tmp_path / "m/manifest.json",
            seed=0,
        )
