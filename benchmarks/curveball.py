"""Firing patterns with exactly the margins of a given one, evenly drawn: curveball trades.

Strona et al., Nature Communications 5, 2014, 4114; trades of all latents at once, in random pairs, after Carstens,
Hamann, Meyer, Penschuck, Tran and Wagner, Parallel Global Edge Switching, ESA 2018, 11.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

Patterns = npt.NDArray[np.bool_]


def draw_patterns(fires: Patterns, *, samples: int, rounds_first: int, rounds: int, seed: int) -> Iterator[Patterns]:
    """Random matrices with the row and column sums of ``fires``; the same array again and again.

    Parameters
    ----------
    fires
        bool [latents, tokens].
    samples
        How many.
    rounds_first, rounds
        Rounds of trades (each latent takes part in one trade a round) before the first sample, and between samples.
    seed
        Of the trades.

    """
    state = np.ascontiguousarray(fires).copy()
    rng = np.random.default_rng(seed)
    _trade(state, rounds_first, rng)
    for sample in range(samples):
        if sample:
            _trade(state, rounds, rng)
        yield state


@numba.njit(cache=True)
def _trade(state: Any, rounds: Any, rng: Any) -> None:
    """Pairs of latents share out anew the tokens on which only one of them fires."""
    latents, tokens = state.shape
    pool = np.empty(tokens, np.int64)
    for _ in range(rounds):
        order = np.arange(latents)
        for at in range(latents - 1, 0, -1):
            other = rng.integers(0, at + 1)
            order[at], order[other] = order[other], order[at]
        for pair in range(latents // 2):
            a, b = order[2 * pair], order[2 * pair + 1]
            alone, count = 0, 0
            for token in range(tokens):
                if state[a, token] != state[b, token]:
                    pool[count] = token
                    count += 1
                    alone += state[a, token]
            for at in range(alone):
                other = rng.integers(at, count)
                pool[at], pool[other] = pool[other], pool[at]
            for at in range(count):
                state[a, pool[at]] = at < alone
                state[b, pool[at]] = at >= alone
