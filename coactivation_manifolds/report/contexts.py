"""The text round a cluster's points: some tokens before and after, within the document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from coactivation_manifolds.figures.token_names import NONE, TokenNames, running

if TYPE_CHECKING:
    from coactivation_manifolds.activations.index import FeatureIndex

BEFORE, AFTER = 10, 5
GAP = " ⋯ "
"""Stands where tokens were left out between two neighbours (special tokens, or the start of a new context)."""

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Contexts:
    """Pieces of text and, for each point, which pieces surround it.

    Attributes
    ----------
    pieces
        Distinct texts, safe to show (white space as it is, control characters visible).
    before, here, after
        For each point the places in ``pieces`` of the tokens before it, of its own, and of those after it.

    """

    pieces: list[str]
    before: list[list[int]]
    here: list[int]
    after: list[list[int]]


def point_contexts(
    index: FeatureIndex, names: TokenNames, token_rows: Ids, *, before: int = BEFORE, after: int = AFTER
) -> Contexts:
    """Collect the tokens round each point, from the same document only.

    Parameters
    ----------
    index
        The experiment's index.
    names
        Texts of tokens; where they are unknown, ids stand for them.
    token_rows
        Row of each point in the index.
    before, after
        Number of tokens at most on either side.

    """
    offsets = np.arange(-before, after + 1)
    wanted = token_rows[:, None] + offsets
    inside = (wanted >= 0) & (wanted < index.n_tokens)
    rows = np.unique(wanted[inside])
    table = index.tokens(rows)
    place = np.searchsorted(rows, np.where(inside, wanted, token_rows[:, None]))
    documents = table.column("doc_id").to_numpy()[place]
    inside &= documents == documents[:, before : before + 1]
    gap = ~_adjoining(table)[place]
    ids = pc.fill_null(table.column("token_id"), -1).to_numpy().astype(np.int64)
    pieces, of_row = _pieces(ids, names)
    # two slots a place: the mark before a token that does not follow its neighbour, and the token
    begun = np.zeros_like(inside)
    begun[:, 1:] = np.logical_or.accumulate(inside, axis=1)[:, :-1]
    used = np.stack([inside & gap & begun, inside], axis=2).reshape(len(token_rows), -1)
    slots = np.stack([np.full(place.shape, len(pieces)), of_row[place]], axis=2).reshape(used.shape)
    here = 2 * before + 1
    return Contexts(
        [*pieces, GAP],
        _used_slots(slots[:, :here], used[:, :here]),
        slots[:, here].tolist(),
        _used_slots(slots[:, here + 1 :], used[:, here + 1 :]),
    )


def _used_slots(slots: Ids, used: npt.NDArray[np.bool_]) -> list[list[int]]:
    """The used slots of each row, in their order."""
    values = slots[used].tolist()
    ends = np.cumsum(used.sum(axis=1)).tolist()
    return [values[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _adjoining(table: pa.Table) -> npt.NDArray[np.bool_]:
    """Whether each row goes on where the row before it ended: by position in the document, else by token index."""

    def steps(name: str) -> Ids:
        return np.diff(pc.fill_null(table.column(name), -1).to_numpy().astype(np.int64), prepend=-9)

    known = pc.is_valid(table.column("position_in_doc")).to_numpy(zero_copy_only=False)
    return np.where(known, steps("position_in_doc"), steps("token_index")) == 1


def _pieces(ids: Ids, names: TokenNames) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Distinct texts of token ids, and the place of each row's text among them."""
    distinct, of_row = np.unique(ids, return_inverse=True)
    texts = names.texts(distinct)
    between = "" if names.hold_spaces else " "
    pieces = [
        between + running(text) if text is not None else (NONE if i < 0 else f" [{i}]")
        for text, i in zip(texts, distinct.tolist(), strict=True)
    ]
    return pieces, of_row.astype(np.int64)
