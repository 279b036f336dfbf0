"""Cut tokenised documents into contexts that a small model is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True)
class Contexts:
    """Token ids of contexts, special token first, the end of short ones filled up.

    Attributes
    ----------
    token_ids
        int64 [n_contexts, context_length]; beyond a context's length the special token stands, never to be read.
    lengths
        Tokens of each context, special token included, int64 [n_contexts].

    """

    token_ids: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """Where a token of the text stands, neither special token nor filling: bool [n_contexts, context_length]."""
        columns = np.arange(self.token_ids.shape[1])
        return (columns >= 1) & (columns < self.lengths[:, None])


def tokenize(texts: Sequence[str], tokenizer: PreTrainedTokenizerFast) -> list[list[int]]:
    """Token ids of each document, no special tokens added."""
    ids: list[list[int]] = tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
    return ids


def document_contexts(documents: Sequence[Sequence[int]], *, context_length: int, bos: int) -> Contexts:
    """Cut each document into pieces of at most ``context_length`` - 1 tokens, the special token in front of each.

    As the harvest does: no context holds two documents.
    """
    step = context_length - 1
    pieces = [document[start : start + step] for document in documents for start in range(0, len(document), step)]
    token_ids = np.full((len(pieces), context_length), bos, dtype=np.int64)
    lengths = np.fromiter((len(piece) + 1 for piece in pieces), dtype=np.int64, count=len(pieces))
    for row, piece in enumerate(pieces):
        token_ids[row, 1 : len(piece) + 1] = piece
    return Contexts(token_ids, lengths)


def stream_contexts(documents: Sequence[Sequence[int]], *, context_length: int, bos: int) -> Contexts:
    """Join the documents with the special token between them, and cut the stream into full contexts.

    Every context begins with the special token; the last, incomplete one is left out.

    Raises
    ------
    InputError
        Not enough text for one context.

    """
    step = context_length - 1
    stream = np.fromiter((token for document in documents for token in (*document, bos)), dtype=np.int64)
    n_contexts = len(stream) // step
    if n_contexts == 0:
        raise InputError(
            f"the training documents have {len(stream)} tokens, fewer than one context of {context_length}: "
            "give more text"
        )
    token_ids = np.full((n_contexts, context_length), bos, dtype=np.int64)
    token_ids[:, 1:] = stream[: n_contexts * step].reshape(n_contexts, step)
    return Contexts(token_ids, np.full(n_contexts, context_length, dtype=np.int64))
