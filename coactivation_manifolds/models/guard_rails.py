"""Checks before a harvest may go on: do model, hook, special token, normalisation and SAE fit together?

A wrong layer, a missing special token or a wrong normalisation gives latents that look right and mean nothing; they
show in the share of variance that the SAE leaves unexplained (FVU).
"""

from __future__ import annotations

import logging
import math
from dataclasses import asdict, dataclass
from typing import Any

import torch

from coactivation_manifolds.errors import GuardRailError
from coactivation_manifolds.models.encoding import DENSE_VALUES, reconstruct
from coactivation_manifolds.models.sae_loader import HEADS_HOOK, LoadedSae

logger = logging.getLogger(__name__)

FEW_TOKENS = 16
"""A first batch of fewer tokens (the end of a corpus) says too little to stop for: FVU about the mean of n tokens is
larger by n / (n - 1)."""

L0_FACTOR = 3.0
"""A measured L0 this many times larger or smaller than the stated one draws a warning; texts differ."""

CAUSES = (
    "the usual causes are a wrong layer, a missing or superfluous special token in front (prepend_bos), a dtype too "
    "coarse (float16), a normalisation of the input that was not honoured, or an SAE of another model"
)


@dataclass(frozen=True)
class GuardRails:
    """What was measured on a shard's first batch, and what the SAE's makers state.

    ``fvu`` = sum ||x - x_hat||^2 / sum ||x - mean(x)||^2 over the batch's tokens, in the space of the SAE's input; None
    where all inputs are equal (a single token).
    """

    fvu: float | None
    mean_l0: float
    n_tokens: int
    stated_l0: float | None
    stated_fvu: float | None

    def as_dict(self) -> dict[str, Any]:
        """For the shard's manifest, keys sorted, as they come back from the footer of a part."""
        return dict(sorted(asdict(self).items()))


def measure(x: torch.Tensor, loaded: LoadedSae) -> GuardRails:
    """FVU and mean L0 of an SAE on its inputs.

    Parameters
    ----------
    x
        float32 [tokens, d_in].
    loaded
        The SAE, on the same device.

    """
    mean = x.mean(dim=0, dtype=torch.float64)
    rows_at_once = max(1, DENSE_VALUES // loaded.n_latents)
    unexplained = total = 0.0
    n_firing = 0
    for start in range(0, len(x), rows_at_once):
        rows = x[start : start + rows_at_once]
        latents, output = reconstruct(rows, loaded)
        unexplained += float((rows.double() - output.double()).square().sum())
        total += float((rows.double() - mean).square().sum())
        n_firing += int((latents > 0).sum())
    stated = loaded.stated
    explained = stated.variance_explained if stated is not None else None
    return GuardRails(
        fvu=unexplained / total if total > 0 else None,
        mean_l0=n_firing / len(x),
        n_tokens=len(x),
        stated_l0=stated.l0 if stated is not None else None,
        stated_fvu=1.0 - explained if explained is not None else None,
    )


def check(measured: GuardRails, *, max_fvu: float, hook_name: str) -> None:
    """Stop where the SAE does not explain its input; warn where L0 is far from the stated one.

    Raises
    ------
    GuardRailError
        FVU over ``max_fvu`` or no number, or no latent fires at all, on a batch of at least 16 tokens.

    """
    stated = f" (its makers state {measured.stated_fvu:.3f})" if measured.stated_fvu is not None else ""
    if measured.fvu is not None and not math.isfinite(measured.fvu):
        raise GuardRailError(
            f"the SAE's reconstruction at {hook_name} holds NaN or infinite numbers on the first batch: its weights "
            "are damaged, or model.dtype is too coarse (float16)"
        )
    problem = None
    if measured.fvu is not None and measured.fvu > max_fvu:
        problem = (
            f"the SAE leaves a share of {measured.fvu:.3f} of the variance at {hook_name} unexplained on the first "
            f"batch{stated}, more than harvest.max_fvu = {max_fvu}: {CAUSES}"
        )
    elif measured.mean_l0 == 0:
        problem = f"no latent fires on the {measured.n_tokens} tokens of the first batch at {hook_name}: {CAUSES}"
    if problem is not None and measured.n_tokens >= FEW_TOKENS:
        raise GuardRailError(problem)
    if problem is not None:
        logger.warning("%s (not stopped: the batch has %d tokens only)", problem, measured.n_tokens)
    if measured.stated_l0 and not 1 / L0_FACTOR <= measured.mean_l0 / measured.stated_l0 <= L0_FACTOR:
        logger.warning(
            "on the first batch %.1f latents fire on a token, where the SAE's makers state %.1f; %s",
            measured.mean_l0,
            measured.stated_l0,
            CAUSES,
        )
    fvu = "undefined" if measured.fvu is None else f"{measured.fvu:.4f}{stated}"
    logger.info("guard rails on the first %d tokens: FVU %s, mean L0 %.2f", measured.n_tokens, fvu, measured.mean_l0)


def check_width(d_model: int, loaded: LoadedSae) -> None:
    """Stop before anything runs where the SAE reads the residual stream of a model of another width.

    Raises
    ------
    GuardRailError
        The widths differ.

    """
    if not loaded.hook_name.endswith(HEADS_HOOK) and d_model != loaded.d_in:
        raise GuardRailError(
            f"the model's d_model is {d_model}, but the SAE reads vectors of {loaded.d_in} at {loaded.hook_name}: the "
            "SAE belongs to another model; check model and sae"
        )
