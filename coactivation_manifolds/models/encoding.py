"""From contexts to firing latents: one forward pass to the hook, then the SAE, slice by slice, kept sparse."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from coactivation_manifolds.errors import GuardRailError
from coactivation_manifolds.models.batches import ModelBatch, make_batch
from coactivation_manifolds.models.hooks import HookPoint, run_to_hook
from coactivation_manifolds.models.sae_loader import LoadedSae

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

DENSE_VALUES = 2**26
"""Latents times tokens held densely on the device at once (256 MiB in float32); fixed, whatever the machine."""


@dataclass(frozen=True)
class Latents:
    """Firing latents of n tokens: token i owns ``offsets[i]:offsets[i + 1]``, ids ascending, values above 0."""

    offsets: npt.NDArray[np.int64]
    feature_ids: npt.NDArray[np.int64]
    values: npt.NDArray[np.float32]

    @property
    def n_tokens(self) -> int:
        """Tokens."""
        return len(self.offsets) - 1


def concatenate(parts: Sequence[Latents]) -> Latents:
    """Latents of several stretches of tokens, end to end."""
    counts = [np.diff(part.offsets) for part in parts]
    return Latents(
        offsets=np.r_[0, np.cumsum(np.concatenate([np.empty(0, np.int64), *counts]))].astype(np.int64),
        feature_ids=np.concatenate([np.empty(0, np.int64), *(part.feature_ids for part in parts)]),
        values=np.concatenate([np.empty(0, np.float32), *(part.values for part in parts)]),
    )


def encode(x: torch.Tensor, loaded: LoadedSae) -> Latents:
    """Latents of an SAE's inputs.

    Parameters
    ----------
    x
        float32 [tokens, d_in], as ``sae_input`` gives it.
    loaded
        The SAE, on the same device.

    Raises
    ------
    GuardRailError
        A latent is NaN.

    """
    rows_at_once = max(1, DENSE_VALUES // loaded.n_latents)
    parts = []
    with torch.no_grad():
        for start in range(0, len(x), rows_at_once):
            dense = loaded.sae.encode(x[start : start + rows_at_once])
            if bool(torch.isnan(dense).any()):
                raise GuardRailError(
                    "the SAE gave NaN latents; check that it belongs to this model, and try model.dtype float32 or "
                    "bfloat16"
                )
            # row-major order: within a token, ids ascend
            where = torch.nonzero(dense > 0, as_tuple=True)
            counts = torch.bincount(where[0], minlength=len(dense)).cpu().numpy()
            parts.append(
                Latents(
                    offsets=np.r_[0, np.cumsum(counts)].astype(np.int64),
                    feature_ids=where[1].cpu().numpy(),
                    values=dense[where].float().cpu().numpy(),
                )
            )
            del dense, where
    return concatenate(parts)


def sae_input(tensor: torch.Tensor, loaded: LoadedSae) -> torch.Tensor:
    """The hook's tensor as the SAE was trained to read it, float32 on the SAE's device.

    A model loaded with ``center_writing_weights`` has every matrix that writes to the residual stream centred, so that
    what it writes has mean 0 over the width: that is the plain model's tensor minus its mean.

    Raises
    ------
    GuardRailError
        The tensor has another width than the SAE reads, or holds infinite numbers or NaN.

    """
    if tensor.shape[-1] != loaded.d_in:
        raise GuardRailError(
            f"the tensor at {loaded.hook_name} is {tensor.shape[-1]} wide, but the SAE reads {loaded.d_in}: the SAE "
            "belongs to another model or hook; check model and sae"
        )
    if not bool(torch.isfinite(tensor).all()):
        raise GuardRailError(
            f"the model's activations at {loaded.hook_name} hold infinite numbers or NaN; set model.dtype to bfloat16 "
            "or float32 (float16 ends at 65,504)"
        )
    x = tensor.to(device=loaded.sae.W_dec.device, dtype=torch.float32)
    return x - x.mean(dim=-1, keepdim=True) if loaded.centre_input else x


@dataclass
class LatentReader:
    """A model, a hook in it and an SAE, ready to read contexts.

    ``front`` and ``dropped`` as in ``make_batch``. ``limit`` is the largest batch that has fitted into the device's
    memory so far (None: any), ``halved`` gives for each batch that had to be cut how many contexts ran at once.
    """

    model: torch.nn.Module
    point: HookPoint
    loaded: LoadedSae
    device: torch.device
    front: int | None
    dropped: npt.NDArray[np.integer]
    limit: int | None = None
    halved: dict[int, int] = field(default_factory=dict)

    def inputs(self, contexts: Sequence[npt.NDArray[np.integer]]) -> torch.Tensor:
        """The SAE's inputs on the kept tokens of contexts that run through the model together, [tokens, d_in]."""
        batch = make_batch(contexts, front=self.front, dropped=self.dropped)
        tensor = self._run(batch)
        kept = torch.from_numpy(batch.kept).to(tensor.device)
        return sae_input(tensor[kept], self.loaded)

    def _run(self, batch: ModelBatch) -> torch.Tensor:
        return run_to_hook(
            self.model,
            self.point,
            torch.from_numpy(batch.input_ids).to(self.device),
            torch.from_numpy(batch.attention.astype(np.int64)).to(self.device),
        )

    def read(self, contexts: Sequence[npt.NDArray[np.integer]], *, batch: int) -> Latents:
        """Latents on the kept tokens of one batch, in reading order; memory and errors as in ``in_stretches``."""
        return concatenate(
            self.in_stretches(contexts, lambda stretch: encode(self.inputs(stretch), self.loaded), batch=batch)
        )

    def in_stretches(
        self,
        contexts: Sequence[npt.NDArray[np.integer]],
        work: Callable[[Sequence[npt.NDArray[np.integer]]], Result],
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
