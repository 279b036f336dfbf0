"""Contexts as a padded batch for the model, with a mask of the tokens whose latents are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.errors import InputError


@dataclass(frozen=True)
class ModelBatch:
    """Input of one forward pass, all arrays of shape [contexts, length].

    ``attention`` is False on padding, which stands on the right; ``kept`` is True on the tokens that become rows. Rows
    come in reading order: context after context.
    """

    input_ids: npt.NDArray[np.int64]
    attention: npt.NDArray[np.bool_]
    kept: npt.NDArray[np.bool_]


def front_token(*, prepend_bos: bool, bos_token_id: int | None, eos_token_id: int | None) -> int | None:
    """The special token that goes in front of each context: BOS, or EOS where there is none (as in TransformerLens).

    Raises
    ------
    InputError
        The SAE expects one and the tokenizer has neither.

    """
    if not prepend_bos:
        return None
    if bos_token_id is not None:
        return bos_token_id
    if eos_token_id is not None:
        return eos_token_id
    raise InputError(
        "the SAE expects a special token in front of each context (prepend_bos), but the tokenizer has neither a BOS "
        "nor an EOS token; define one in the tokenizer's folder"
    )


def make_batch(
    contexts: Sequence[npt.NDArray[np.integer]],
    *,
    front: int | None,
    dropped: npt.NDArray[np.integer],
    padding: int = 0,
) -> ModelBatch:
    """Lay contexts side by side.

    Parameters
    ----------
    contexts
        Own token ids of each context.
    front
        Token put in front of each, or None; it never becomes a row.
    dropped
        Token ids that never become rows.
    padding
        Token id on padding; any will do, since attention looks to the left.

    """
    offset = 0 if front is None else 1
    length = offset + max(len(tokens) for tokens in contexts)
    input_ids = np.full((len(contexts), length), padding, dtype=np.int64)
    attention = np.zeros((len(contexts), length), dtype=bool)
    kept = np.zeros((len(contexts), length), dtype=bool)
    for row, tokens in enumerate(contexts):
        end = offset + len(tokens)
        if front is not None:
            input_ids[row, 0] = front
        input_ids[row, offset:end] = tokens
        attention[row, :end] = True
        kept[row, offset:end] = ~np.isin(tokens, dropped)
    return ModelBatch(input_ids, attention, kept)
