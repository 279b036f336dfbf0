"""Cutting tokenised documents into contexts: a pure function of token ids.

Numbering. ``token_index`` counts the corpus's own tokens, ``position_in_doc`` those of the document, both from 0. A
context belongs to the shard in which its first token falls, so the cut into shards never cuts a context. The corpus
ends with the last context that begins before ``n_tokens``: no context is cut short by the total either (it can be
overrun by less than one context), so a larger total adds contexts and changes none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Context:
    """What the model sees at once, special token in front not included.

    ``first_token_index`` is the corpus-wide number of the first token; the others follow without gaps. The arrays have
    one value for each token.
    """

    number: int
    first_token_index: int
    doc_ids: npt.NDArray[np.int64]
    positions: npt.NDArray[np.int64]
    token_ids: npt.NDArray[np.int64]

    @property
    def n_tokens(self) -> int:
        """Tokens in this context."""
        return len(self.token_ids)


def pack(
    documents: Iterable[tuple[int, Sequence[int]]],
    *,
    max_tokens: int,
    across_documents: bool = False,
    n_tokens: int | None = None,
) -> Iterator[Context]:
    """Cut documents into contexts of at most ``max_tokens`` own tokens.

    Parameters
    ----------
    documents
        Number and token ids of each document, in corpus order.
    max_tokens
        Own tokens in a context.
    across_documents
        Whether a context may go on with the next document (nothing is put between them); only the corpus's last context
        is then shorter. Otherwise each document begins a new context.
    n_tokens
        Stop before the first context that begins at this token or later; None takes all.

    """
    first = 0
    pieces = cut(stretches(documents, across_documents), max_tokens)
    for number, (doc_ids, positions, token_ids) in enumerate(pieces):
        yield Context(number, first, doc_ids, positions, token_ids)
        first += len(token_ids)
        if n_tokens is not None and first >= n_tokens:
            return


Stretch = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]


def stretches(documents: Iterable[tuple[int, Sequence[int]]], across_documents: bool) -> Iterator[tuple[Stretch, bool]]:
    """Each document's tokens with their numbers, and whether a context must end with it."""
    for doc_id, tokens in documents:
        token_ids = np.asarray(tokens, dtype=np.int64)
        doc_ids = np.full(len(token_ids), doc_id, dtype=np.int64)
        yield (doc_ids, np.arange(len(token_ids), dtype=np.int64), token_ids), not across_documents


def cut(pieces: Iterable[tuple[Stretch, bool]], max_tokens: int) -> Iterator[Stretch]:
    """Cut stretches to ``max_tokens``, joining one to the next unless it says that it ends."""
    held: list[Stretch] = []
    n_held = 0
    for piece, ends in pieces:
        start, length = 0, len(piece[2])
        while start < length:
            taken = min(max_tokens - n_held, length - start)
            held.append(
                (piece[0][start : start + taken], piece[1][start : start + taken], piece[2][start : start + taken])
            )
            n_held += taken
            start += taken
            if n_held == max_tokens:
                yield join(held)
                held, n_held = [], 0
        if ends and held:
            yield join(held)
            held, n_held = [], 0
    if held:
        yield join(held)


def join(parts: list[Stretch]) -> Stretch:
    """Stretches end to end."""
    if len(parts) == 1:
        return parts[0]
    return (
        np.concatenate([part[0] for part in parts]),
        np.concatenate([part[1] for part in parts]),
        np.concatenate([part[2] for part in parts]),
    )
