"""Token rows made from dense matrices, and back, for comparison."""

import numpy as np
from hypothesis import strategies as st

from coactivation_manifolds.activations.token_rows import TokenRows, feature_id_dtype


def rows_from_dense(dense: np.ndarray, *, first_token: int = 0, words_per_doc: int = 5) -> TokenRows:
    """Rows of a dense matrix of non-negative float16: documents of a fixed length, every second token skipped."""
    dense = np.asarray(dense, np.float16)
    token, latent = np.nonzero(dense)
    number = np.arange(first_token, first_token + len(dense), dtype=np.int64)
    return TokenRows(
        doc_id=number // words_per_doc,
        token_index=2 * number,
        position_in_doc=(number % words_per_doc).astype(np.int32),
        token_id=(number % 7).astype(np.int32),
        offsets=np.concatenate([[0], np.cumsum((dense > 0).sum(axis=1))]).astype(np.int64),
        feature_ids=latent.astype(feature_id_dtype(dense.shape[1])),
        activations=dense[token, latent],
        n_latents=dense.shape[1],
    )


def dense_from_rows(rows: TokenRows) -> np.ndarray:
    """The dense float16 matrix of rows."""
    dense = np.zeros((rows.n_tokens, rows.n_latents), np.float16)
    dense[rows.row_of_entries(), rows.feature_ids] = rows.activations
    return dense


def random_dense(seed: int, *, n_tokens: int, n_latents: int, density: float = 0.3) -> np.ndarray:
    """A random sparse matrix of positive float16 values."""
    rng = np.random.default_rng(seed)
    values = rng.exponential(1.0, (n_tokens, n_latents)) + 1e-3
    return np.where(rng.random((n_tokens, n_latents)) < density, values, 0).astype(np.float16)


def dense_matrices(max_tokens: int = 12, max_latents: int = 8) -> st.SearchStrategy[np.ndarray]:
    """Small random dense matrices, also without tokens, entirely silent, or full."""
    return st.builds(
        lambda seed, n_tokens, n_latents, density: random_dense(
            seed, n_tokens=n_tokens, n_latents=n_latents, density=density
        ),
        st.integers(0, 2**32 - 1),
        st.integers(0, max_tokens),
        st.integers(1, max_latents),
        st.sampled_from([0.0, 0.2, 0.5, 1.0]),
    )


def assert_same_rows(one: TokenRows, other: TokenRows) -> None:
    """Every array is the same, with the same type."""
    names = ("doc_id", "token_index", "position_in_doc", "token_id", "offsets", "feature_ids", "activations")
    for name in names:
        left, right = getattr(one, name), getattr(other, name)
        assert left.dtype == right.dtype, name
        np.testing.assert_array_equal(left, right, err_msg=name)
    assert one.n_latents == other.n_latents
