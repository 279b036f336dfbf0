from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from dense_rows import random_dense
from hypothesis import given, settings
from hypothesis import strategies as st

from coactivation_manifolds.activations.index import FeatureIndex
from coactivation_manifolds.activations.index_tokens import token_batch
from coactivation_manifolds.activations.latent_tokens import rank_latent_tokens
from coactivation_manifolds.schemas import INDEX_TOKENS, LATENT_TOKENS
from coactivation_manifolds.storage import read_table


def index_in_memory(dense: np.ndarray, token_id: np.ndarray) -> FeatureIndex:
    """An index without files."""
    import pyarrow as pa

    latent, row = np.nonzero(dense.T)
    number = np.arange(len(dense))
    batch = token_batch([number, number, number.astype(np.int32), token_id.astype(np.int32)], INDEX_TOKENS)
    return FeatureIndex(
        np.concatenate([[0], np.cumsum((dense > 0).sum(axis=0))]).astype(np.int64),
        row.astype(np.uint32),
        dense.T[latent, row],
        pa.Table.from_batches([batch]),
    )


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), limit=st.integers(1, 4))
def test_ranks_are_those_of_a_counter(seed: int, limit: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("tokens") / "latent_tokens.parquet"
    dense = random_dense(seed, n_tokens=25, n_latents=5, density=0.4)
    dense[:, 2] = 0
    tokens = np.random.default_rng(seed).integers(-1, 5, 25)
    rank_latent_tokens(index_in_memory(dense, tokens), n_tokens=limit, latent_tokens_path=path)
    table = read_table(path)
    assert table.schema.equals(LATENT_TOKENS)
    expected = []
    for latent in range(5):
        fired = [row for row in np.flatnonzero(dense[:, latent]) if tokens[row] >= 0]
        counts = Counter(int(tokens[row]) for row in fired)
        for rank, (token, count) in enumerate(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:limit], 1):
            values = [float(dense[row, latent]) for row in fired if tokens[row] == token]
            expected.append((latent, rank, token, count, pytest.approx(np.mean(values), rel=1e-12)))
    assert [tuple(row.values()) for row in table.to_pylist()] == expected


def test_without_token_ids_the_table_is_empty_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    index = index_in_memory(random_dense(0, n_tokens=6, n_latents=3), np.full(6, -1))
    rank_latent_tokens(index, n_tokens=5, latent_tokens_path=tmp_path / "latent_tokens.parquet")
    assert read_table(tmp_path / "latent_tokens.parquet").num_rows == 0
    assert "no token ids" in caplog.text
