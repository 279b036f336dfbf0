"""From contexts to firing latents: one forward pass to the hook, then the SAE, slice by slice, kept sparse."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from coactivation_manifolds.errors import GuardRailError
from coactivation_manifolds.models.batches import make_batch
from coactivation_manifolds.models.device_queue import to_device
from coactivation_manifolds.models.hooks import HookPoint, run_to_hook
from coactivation_manifolds.models.sae_loader import LoadedSae
from coactivation_manifolds.models.sparse_latents import (
    Latents,
    PendingLatents,
    RoomTooSmall,
    concatenate,
    take_entries,
)

logger = logging.getLogger(__name__)

Result = TypeVar("Result")
Contexts = Sequence[npt.NDArray[np.integer]]

DENSE_VALUES = 2**26
"""Latents times tokens held densely on the device at once (256 MiB in float32); fixed, whatever the machine."""


ENTRIES_PER_TOKEN = 256
"""Room for firing latents on the device, for each token of a slice; where it is too small, the batch is run again."""


def start_encoding(x: torch.Tensor, loaded: LoadedSae, *, entries_per_token: int) -> PendingLatents:
    """Give the device an SAE's inputs to encode, slice by slice; returns before it is done.

    Parameters
    ----------
    x
        float32 [tokens, d_in], as ``sae_input`` gives it.
    loaded
        The SAE, on the same device.
    entries_per_token
        Room for this many firing latents a token, on average over a slice.

    """
    rows_at_once = max(1, DENSE_VALUES // loaded.n_latents)
    slices = []
    with torch.no_grad():
        finite = torch.isfinite(x).all()
        for start in range(0, len(x), rows_at_once):
            rows = x[start : start + rows_at_once]
            slices.append(take_entries(loaded.sae.encode(rows), room=entries_per_token * len(rows)))
    return PendingLatents(loaded.hook_name, loaded.n_latents, finite, slices)


def sae_input(tensor: torch.Tensor, loaded: LoadedSae) -> torch.Tensor:
    """The hook's tensor as the SAE was trained to read it, float32 on the SAE's device.

    A model loaded with ``center_writing_weights`` has every matrix that writes to the residual stream centred, so that
    what it writes has mean 0 over the width: that is the plain model's tensor minus its mean.

    Raises
    ------
    GuardRailError
        The tensor has another width than the SAE reads.

    """
    if tensor.shape[-1] != loaded.d_in:
        raise GuardRailError(
            f"the tensor at {loaded.hook_name} is {tensor.shape[-1]} wide, but the SAE reads {loaded.d_in}: the SAE "
            "belongs to another model or hook; check model and sae"
        )
    x = tensor.to(device=loaded.sae.W_dec.device, dtype=torch.float32)
    return x - x.mean(dim=-1, keepdim=True) if loaded.centre_input else x


@dataclass
class LatentReader:
    """A model, a hook in it and an SAE, ready to read contexts.

    ``front`` and ``dropped`` as in ``make_batch``. ``limit`` is the largest batch that has fitted into the device's
    memory so far (None: any), ``halved`` gives for each batch that had to be cut how many contexts ran at once.
    ``entries_per_token`` as in ``start_encoding``; it grows where it was too small.
    """

    model: torch.nn.Module
    point: HookPoint
    loaded: LoadedSae
    device: torch.device
    front: int | None
    dropped: npt.NDArray[np.integer]
    limit: int | None = None
    entries_per_token: int = ENTRIES_PER_TOKEN
    halved: dict[int, int] = field(default_factory=dict)

    def inputs(self, contexts: Contexts) -> torch.Tensor:
        """The SAE's inputs on the kept tokens of contexts that run through the model together, [tokens, d_in]."""
        batch = make_batch(contexts, front=self.front, dropped=self.dropped)
        tensor = run_to_hook(
            self.model,
            self.point,
            to_device(batch.input_ids, self.device),
            to_device(batch.attention.astype(np.int64), self.device),
        )
        # numbers of rows in place of a mask, whose sum the host would have to wait for
        kept = to_device(np.flatnonzero(batch.kept), tensor.device)
        return sae_input(tensor.flatten(0, 1).index_select(0, kept), self.loaded)

    def read(self, batches: Iterable[tuple[int, Contexts]]) -> Iterator[Latents]:
        """Latents on the kept tokens of one batch after the other, in reading order.

        Each batch is fetched when the device has been given the next one, so that it never stands still.

        Parameters
        ----------
        batches
            The batches' numbers in the shard, and own token ids of their contexts.

        Raises
        ------
        GuardRailError
            Not even one context fits into memory, or a number is infinite or NaN.

        """
        ahead: tuple[int, Contexts, int, list[PendingLatents]] | None = None
        for batch, contexts in batches:
            behind, ahead = ahead, (batch, contexts, self.entries_per_token, self._start(batch, contexts))
            if behind is not None:
                yield self._finish(*behind)
        if ahead is not None:
            yield self._finish(*ahead)

    def _start(self, batch: int, contexts: Contexts) -> list[PendingLatents]:
        """Give the device a batch, whole or in stretches that its memory holds."""

        def work(stretch: Contexts) -> PendingLatents:
            return start_encoding(self.inputs(stretch), self.loaded, entries_per_token=self.entries_per_token)

        return self.in_stretches(contexts, work, batch=batch)

    def _finish(self, batch: int, contexts: Contexts, room: int, pending: list[PendingLatents]) -> Latents:
        """Fetch a batch; where more fires than there was room for, run it again with more."""
        while True:
            try:
                return concatenate([stretch.collect() for stretch in pending], self.loaded.n_latents)
            except RoomTooSmall:
                # the batch before may have asked for more since this one was started
                room = self.entries_per_token = max(self.entries_per_token, 2 * room)
            logger.info("batch %d is run again with room for %d latents a token", batch, self.entries_per_token)
            pending = self._start(batch, contexts)

    def in_stretches(
        self,
        contexts: Contexts,
        work: Callable[[Contexts], Result],
        *,
        batch: int,
    ) -> list[Result]:
        """Do something with a batch's contexts, all at once or, where the device's memory does not hold them, in
        halves.

        Parameters
        ----------
        contexts
            Own token ids of the batch's contexts.
        work
            Called with one stretch of them after the other.
        batch
            The batch's number in its shard, for the record.

        Raises
        ------
        GuardRailError
            Not even one context fits into memory.

        """
        size = min(self.limit or len(contexts), len(contexts))
        while True:
            try:
                results = [work(contexts[start : start + size]) for start in range(0, len(contexts), size)]
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                if size == 1:
                    raise GuardRailError(
                        "not even one context fits into the memory of the device; shorten corpus.context_length, set "
                        "model.dtype to bfloat16, or spread the model over more GPUs (model.device_map: auto, "
                        "harvest.gpus_per_job)"
                    ) from error
            else:
                if size < len(contexts):
                    self.halved[batch] = size
                return results
            # outside the except clause: the exception holds on to the tensors of the failed pass
            size = -(-size // 2)
            self.limit = size
            logger.warning("out of memory: batch %d is tried again with %d contexts at once", batch, size)
            release_memory()


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether an error says that the memory of the GPU or of the host is exhausted."""
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in text or "can't allocate memory" in text


def release_memory() -> None:
    """Give cached blocks of GPU memory back before the next try."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def reconstruct(x: torch.Tensor, loaded: LoadedSae) -> tuple[torch.Tensor, torch.Tensor]:
    """Dense latents and the SAE's reconstruction of its inputs, normalisation undone."""
    sae: Any = loaded.sae
    with torch.no_grad():
        latents = sae.encode(x)
        return latents, sae.decode(latents)
