"""How a token shard is cut into batches and parts: fixed by the configuration, the same for every attempt."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.corpus.plan import CorpusShard


@dataclass(frozen=True)
class BatchPlan:
    """Batches of ``batch_size`` contexts and parts of ``batches_per_part`` batches, in the shard's order."""

    tokens: CorpusShard
    batch_size: int
    batches_per_part: int
    keep_special_tokens: bool

    @property
    def n_batches(self) -> int:
        """Batches of the shard."""
        return -(-self.tokens.n_contexts // self.batch_size)

    @property
    def n_parts(self) -> int:
        """Parts of the shard."""
        return -(-self.n_batches // self.batches_per_part)

    @property
    def dropped(self) -> npt.NDArray[np.int64]:
        """Token ids that become no rows: the tokenizer's special ones, unless they are kept."""
        special = [] if self.keep_special_tokens else self.tokens.tokenizer["special_token_ids"]
        return np.asarray(special, dtype=np.int64)

    def batches(self, part: int) -> range:
        """Numbers of a part's batches."""
        first = part * self.batches_per_part
        return range(first, min(first + self.batches_per_part, self.n_batches))

    def token_range(self, batch: int) -> tuple[int, int]:
        """First token of a batch in the shard, and the first behind it."""
        first = batch * self.batch_size
        last = min(first + self.batch_size, self.tokens.n_contexts)
        return int(self.tokens.context_offsets[first]), int(self.tokens.context_offsets[last])

    def contexts(self, batch: int) -> list[npt.NDArray[np.int32]]:
        """Own token ids of a batch's contexts."""
        first = batch * self.batch_size
        offsets = self.tokens.context_offsets[first : first + self.batch_size + 1]
        return [self.tokens.token_id[start:end] for start, end in pairwise(offsets)]

    def kept_tokens(self, batch: int) -> npt.NDArray[np.int64]:
        """Numbers, in the shard, of the tokens of a batch that become rows."""
        start, end = self.token_range(batch)
        return start + np.flatnonzero(~np.isin(self.tokens.token_id[start:end], self.dropped))

    def tokens_of_part(self, part: int) -> int:
        """Own tokens of a part, kept or not."""
        batches = self.batches(part)
        return self.token_range(batches[-1])[1] - self.token_range(batches[0])[0]

    def rows_of_parts(self) -> dict[int, int]:
        """How many rows each part has."""
        return {part: sum(len(self.kept_tokens(batch)) for batch in self.batches(part)) for part in range(self.n_parts)}
