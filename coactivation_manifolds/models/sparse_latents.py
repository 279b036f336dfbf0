"""Firing latents, kept sparse: taken out of dense slices on the device, and fetched from it later.

How many latents fire is known on the device only, and asking for it would make the host wait for each slice. So a slice
gets room for a fixed number of entries, and whether that was enough is seen when the batch is fetched.
Ids and values cross in the types of the files, 4 bytes an entry up to 65,536 latents.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from coactivation_manifolds.errors import GuardRailError
from coactivation_manifolds.models.device_queue import Mark, fetch
from coactivation_manifolds.schemas import MAX_UINT16_LATENTS, feature_id_type


@dataclass(frozen=True)
class Latents:
    """Firing latents of n tokens: token i owns ``offsets[i]:offsets[i + 1]``, ids ascending.

    Values were above 0 and have been rounded to the nearest float16, ties to even: a tiny one is 0 now, and one of
    65,520 or more infinite. ``beyond`` is what the first infinite one was, NaN without one.
    """

    offsets: npt.NDArray[np.int64]
    feature_ids: npt.NDArray[np.uint16] | npt.NDArray[np.uint32]
    values: npt.NDArray[np.float16]
    beyond: float = math.nan

    @property
    def n_tokens(self) -> int:
        """Tokens."""
        return len(self.offsets) - 1


class RoomTooSmall(Exception):  # noqa: N818 - no error: the stretch is encoded again, with more room
    """More latents fire than there was room for."""


@dataclass(frozen=True)
class SliceEntries:
    """What fires in one slice, on the device: entries in row-major order, with unused room behind them.

    ``ends``: where the entries of each token end; behind the room, where it was too small. ``facts``: the sum of the
    dense slice, and what the first value that float16 makes infinite was.
    """

    ends: torch.Tensor
    ids: torch.Tensor
    values: torch.Tensor
    facts: torch.Tensor


def take_entries(dense: torch.Tensor, *, room: int) -> SliceEntries:
    """The firing latents of a dense slice, without waiting for the device.

    Parameters
    ----------
    dense
        float32 [tokens, n_latents], not negative.
    room
        Entries that are taken at most.

    """
    n_tokens, n_latents = dense.shape
    room = min(room, dense.numel())
    # one more than there is room for shows whether there is enough; unused places lie behind the last latent
    places = torch.nonzero_static((dense > 0).flatten(), size=room + 1, fill_value=dense.numel()).squeeze(1)
    behind = torch.arange(1, n_tokens + 1, device=dense.device) * n_latents
    ends = torch.searchsorted(places, behind, out_int32=True)
    places = places[:room].clamp(max=dense.numel() - 1)
    exact = torch.take(dense, places).float()
    values = exact.to(torch.float16)
    first_beyond = torch.isinf(values).to(torch.uint8).argmax(dim=0, keepdim=True)
    # cut to its low 16 bits, an id below 65,536 is what the host reads as uint16
    ids = (places % n_latents).to(torch.int16 if n_latents <= MAX_UINT16_LATENTS else torch.int32)
    return SliceEntries(ends, ids, values, torch.stack([dense.sum(), torch.take(exact, first_beyond)[0]]))


@dataclass
class PendingLatents:
    """Latents of a stretch of tokens that the device may still be computing.

    ``finite``: whether all inputs of the SAE are numbers, on the device. ``mark`` stands behind the last slice.
    """

    hook_name: str
    n_latents: int
    finite: torch.Tensor
    slices: Sequence[SliceEntries]
    mark: Mark = field(init=False)

    def __post_init__(self) -> None:
        """Mark the end."""
        self.mark = Mark(self.finite.device)

    def collect(self) -> Latents:
        """Wait for the device, check, and fetch what fires.

        Raises
        ------
        GuardRailError
            An input is infinite or NaN, or a latent NaN.
        RoomTooSmall
            To be encoded again with more room.

        """
        self.mark.wait()
        finite, *told = fetch(
            [self.finite, *(part.facts for part in self.slices), *(part.ends for part in self.slices)]
        )
        facts, ends = told[: len(self.slices)], told[len(self.slices) :]
        check_finite(bool(finite), self.hook_name)
        # no latent is negative, so a sum is NaN only where one of them is
        if any(np.isnan(fact[0]) for fact in facts):
            raise GuardRailError(
                "the SAE gave NaN latents; check that it belongs to this model, and try model.dtype float32 or bfloat16"
            )
        if any(end[-1] > len(part.ids) for part, end in zip(self.slices, ends, strict=True)):
            raise RoomTooSmall
        filled = [(part, int(end[-1])) for part, end in zip(self.slices, ends, strict=True)]
        fetched = fetch([entries[:total] for part, total in filled for entries in (part.ids, part.values)])
        unsigned = feature_id_type(self.n_latents).to_pandas_dtype()
        return concatenate(
            (
                Latents(np.concatenate([[0], end]), ids.view(unsigned), values, float(fact[1]))
                for end, ids, values, fact in zip(ends, fetched[::2], fetched[1::2], facts, strict=True)
            ),
            self.n_latents,
        )


def check_finite(finite: bool, hook_name: str) -> None:
    """Stop where the model's tensor at the hook holds what is no number.

    Raises
    ------
    GuardRailError
        It does.

    """
    if not finite:
        raise GuardRailError(
            f"the model's activations at {hook_name} hold infinite numbers or NaN; set model.dtype to bfloat16 "
            "or float32 (float16 ends at 65,504)"
        )


def concatenate(parts: Iterable[Latents], n_latents: int) -> Latents:
    """Latents of several stretches of tokens, end to end."""
    parts = list(parts)
    unsigned = feature_id_type(n_latents).to_pandas_dtype()
    counts = np.concatenate([np.zeros(1, np.int64), *(np.diff(part.offsets) for part in parts)])
    return Latents(
        offsets=np.cumsum(counts, dtype=np.int64),
        feature_ids=np.concatenate([np.empty(0, unsigned), *(part.feature_ids for part in parts)]),
        values=np.concatenate([np.empty(0, np.float16), *(part.values for part in parts)]),
        beyond=next((part.beyond for part in parts if np.isinf(part.values).any()), math.nan),
    )
