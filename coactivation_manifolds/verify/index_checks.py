"""The index against the activations: all tokens, all offsets, and the postings of the sampled latents."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from coactivation_manifolds import paths
from coactivation_manifolds.activations.index import FeatureIndex
from coactivation_manifolds.activations.index_files import open_tokens
from coactivation_manifolds.activations.posting_lists import postings_within
from coactivation_manifolds.activations.token_rows import TokenRows
from coactivation_manifolds.storage import read_array
from coactivation_manifolds.verify.pair_tables import Array
from coactivation_manifolds.verify.place import Place
from coactivation_manifolds.verify.repair import Problem

TOKEN_COLUMNS = ("doc_id", "token_index", "position_in_doc", "token_id")


class IndexCheck:
    """Follows the activations part by part, and compares the same rows of the index.

    Opening it raises an error of ours where its files don't fit together, offsets that fall among them.
    """

    def __init__(self, place: Place, sample: Array) -> None:
        self._place, self._sample = place, sample
        self._offsets = place.path(paths.INDEX_OFFSETS)
        self._index = FeatureIndex.open(self._offsets)
        self._tokens = open_tokens(place.path(paths.INDEX_TOKENS))
        self._next_row = 0
        self._found: dict[str, str] = {}

    def add_rows(self, rows: TokenRows) -> None:
        """Compare the rows of a part."""
        first, self._next_row = self._next_row, self._next_row + rows.n_tokens
        if not rows.n_tokens or self._found:
            return
        described = self._tokens.slice(first, rows.n_tokens)
        for name in TOKEN_COLUMNS:
            if not np.array_equal(described[name].fill_null(-1).to_numpy(), getattr(rows, name)):
                self._found[paths.INDEX_TOKENS] = f"{name} differs from the activations within rows {first:,} and after"
        row_of = rows.row_of_entries()
        for latent in self._sample.tolist():
            mine = rows.feature_ids == latent
            postings = self._index.postings(latent)
            token_rows, values = postings_within(*postings, first, first + rows.n_tokens - 1)
            if not np.array_equal(token_rows, row_of[mine] + first):
                self._found[paths.INDEX_TOKEN_ROWS] = f"the tokens of latent {latent} differ from the activations"
            elif not np.array_equal(values, rows.activations[mine]):
                self._found[paths.INDEX_VALUES] = f"the values of latent {latent} differ from the activations"
        self._index.forget_pages()

    def problems(self, fired: Array) -> Iterator[Problem]:
        """What was found, and whether all offsets are those of the latents' firings."""
        if not self._found and not np.array_equal(np.diff(read_array(self._offsets)), fired):
            yield self._place.problem(self._offsets, "its offsets differ from the firings of the latents")
        if not self._found and self._next_row != self._tokens.num_rows:
            path = self._place.path(paths.INDEX_TOKENS)
            yield self._place.problem(path, f"has {self._tokens.num_rows:,} tokens, the shards {self._next_row:,}")
        for template, what in self._found.items():
            yield self._place.problem(self._place.path(template), what)
