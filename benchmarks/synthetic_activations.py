"""Activations that look like an SAE's, in any amount: what the benchmarks count.

Each document is made from its own seed, so a corpus is a prefix of every longer one and does not depend on how it is
cut into blocks. What fires is drawn from sources. A source is one latent, or a group of 3 to 50 latents that fire
together. On a token of intensity z, a source fires with probability 1 - exp(-x z), independently of the others:

- z is lognormal, so that the number of latents varies from token to token;
- rates fall as 1 / (1 + rank / c): a few latents fire on 20 to 60 % of the tokens, most on less than 0.1 %;
- a source that is rarer than ``burst_rate`` is silent in most documents, and fires at that rate in the others;
- when a group fires, each member does with the group's probability s, and members fire on no other occasion: so two of
  them have the Jaccard s^2 / (2 s - s^2) = s / (2 - s).

The x are solved so that each latent fires on the promised share of tokens. What fires on a token is drawn as Poisson
events (their number, then the source of each), a source with several counted once: the cost is that of what fires.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from coactivation_manifolds.activations.token_rows import TokenRows, concatenate, feature_id_dtype

Array = npt.NDArray[Any]

HIGHEST_RATE, VOCABULARY, SHORTEST_DOCUMENT = 0.6, 50_000, 16
SMALLEST_GROUP, LARGEST_GROUP = 3, 50


@dataclass(frozen=True)
class Workload:
    """What to make.

    Attributes
    ----------
    n_latents, mean_l0
        Latents F, and the mean number that fires on a token.
    seed
        Everything follows from it.
    l0_spread
        Standard deviation of log z.
    document_tokens, burst_rate
        Mean length of a document; rate of rare sources in the documents where they are not silent.
    silent, grouped, group_share
        Shares of the latents that never fire and that are in groups, and the groups' share of what fires.

    """

    n_latents: int = 65_536
    mean_l0: float = 80.0
    seed: int = 0
    l0_spread: float = 0.35
    document_tokens: int = 256
    burst_rate: float = 0.04
    silent: float = 0.1
    grouped: float = 0.08
    group_share: float = 0.2


class Sources(NamedTuple):
    """What can fire: S sources, and what each means.

    Attributes
    ----------
    on
        Share of documents in which a source is not silent, [S].
    intensity
        Its rate of events in those, [S].
    starts, members
        Source s fires the latents members[starts[s]:starts[s + 1]]; int64 [S + 1], int64 [sum of sizes].
    strength
        Probability of each member when the source fires, [S]; 1 of single latents.
    rates
        The share of tokens on which each latent fires, [F].

    """

    on: Array
    intensity: Array
    starts: Array
    members: Array
    strength: Array
    rates: Array

    def groups(self) -> list[tuple[Array, float]]:
        """The groups' latents and the Jaccard of any two of them."""
        return [
            (self.members[self.starts[s] : self.starts[s + 1]], float(self.strength[s] / (2 - self.strength[s])))
            for s in np.flatnonzero(np.diff(self.starts) > 1)
        ]


def plan_sources(workload: Workload) -> Sources:
    """Choose the groups, and the rate of every source."""
    rng = np.random.default_rng(workload.seed)
    latents = rng.permutation(workload.n_latents)
    sizes = _group_sizes(rng, int(workload.grouped * workload.n_latents))
    n_alone = int((1 - workload.silent) * workload.n_latents) - int(sizes.sum())
    strength = rng.uniform(0.2, 0.95, len(sizes))
    l0_of_groups = workload.group_share * workload.mean_l0 if len(sizes) else 0.0
    weight = 1 / (1 + np.arange(len(sizes)) / 8)
    group_rates = np.minimum(weight * l0_of_groups / (weight * sizes * strength).sum(), 0.3) if len(sizes) else weight
    l0_alone = workload.mean_l0 - float((group_rates * sizes * strength).sum())
    source_rates = np.concatenate([group_rates, _falling_rates(n_alone, l0_alone)])
    sizes = np.concatenate([sizes, np.ones(n_alone, np.int64)])
    strength = np.concatenate([strength, np.ones(n_alone)])
    on = np.minimum(1.0, source_rates / workload.burst_rate)
    members = latents[: sizes.sum()]
    rates = np.zeros(workload.n_latents)
    rates[members] = np.repeat(source_rates * strength, sizes)
    return Sources(
        on=on,
        intensity=_intensity_of_rate(source_rates / on, workload.l0_spread),
        starts=np.concatenate([[0], np.cumsum(sizes)]),
        members=members,
        strength=strength,
        rates=rates,
    )


def generate_blocks(
    workload: Workload, n_tokens: int, *, block_tokens: int = 65_536, first_token: int = 0
) -> Iterator[TokenRows]:
    """Tokens ``first_token`` to ``n_tokens`` in blocks of ``block_tokens``, the last one shorter; memory is a few
    blocks'.
    """
    sources = plan_sources(workload)
    number, made = 0, 0
    while (length := _document_length(workload, _document_rng(workload, number))) <= first_token - made:
        number, made = number + 1, made + length
    waiting: list[TokenRows] = []
    for first in range(first_token, n_tokens, block_tokens):
        last = min(first + block_tokens, n_tokens)
        while made < last:
            document = _document(workload, sources, number, first_token=made)
            made += document.n_tokens
            number += 1
            waiting.append(document.rows(max(0, first_token - made + document.n_tokens), document.n_tokens))
        rows = concatenate(waiting, workload.n_latents)
        yield rows.rows(0, last - first)
        waiting = [rows.rows(last - first, rows.n_tokens)]


def generate_csr(workload: Workload, n_tokens: int) -> tuple[Array, Array]:
    """The same tokens in memory: offsets int64 [n_tokens + 1], and ids, ascending in each token."""
    blocks = [(rows.offsets, rows.feature_ids.copy()) for rows in generate_blocks(workload, n_tokens)]
    lengths = np.concatenate([np.zeros(1, np.int64), *(np.diff(offsets) for offsets, _ in blocks)])
    ids = np.concatenate([np.empty(0, feature_id_dtype(workload.n_latents)), *(ids for _, ids in blocks)])
    return np.cumsum(lengths), ids


def _group_sizes(rng: np.random.Generator, n_grouped: int) -> Array:
    """Sizes between the smallest and the largest, evenly on a logarithmic scale, together at most ``n_grouped``."""
    low, high = np.log(SMALLEST_GROUP), np.log(LARGEST_GROUP + 1)
    sizes = np.exp(rng.uniform(low, high, n_grouped // SMALLEST_GROUP)).astype(np.int64)
    return sizes[np.cumsum(sizes) <= n_grouped]


def _falling_rates(n: int, total: float) -> Array:
    """HIGHEST_RATE / (1 + rank / c) with the c at which the rates add up to ``total``."""
    if n * HIGHEST_RATE < total:
        raise ValueError(f"{n} latents can't fire {total:.1f} times a token")
    ranks = np.arange(n)
    low, high = 1e-9, 1e12
    for _ in range(200):
        c = np.sqrt(low * high)
        low, high = (c, high) if (HIGHEST_RATE / (1 + ranks / c)).sum() < total else (low, c)
    return HIGHEST_RATE / (1 + ranks / low)


def _intensity_of_rate(rates: Array, spread: float) -> Array:
    """The x at which the mean of 1 - exp(-x z) over the lognormal z of mean 1 is the rate (Gauss-Hermite)."""
    points, weights = np.polynomial.hermite_e.hermegauss(40)
    z = np.exp(spread * points - spread**2 / 2)
    grid = np.geomspace(1e-9, 50, 20_000)
    shares = -np.expm1(-np.outer(grid, z)) @ (weights / weights.sum())
    return np.interp(rates, shares, grid)


def _document_rng(workload: Workload, number: int) -> np.random.Generator:
    return np.random.default_rng([workload.seed, number])


def _document_length(workload: Workload, rng: np.random.Generator) -> int:
    """A document's tokens: the first thing drawn."""
    return SHORTEST_DOCUMENT + int(rng.exponential(workload.document_tokens - SHORTEST_DOCUMENT))


def _document(workload: Workload, sources: Sources, number: int, *, first_token: int) -> TokenRows:
    """One document, from its own seed."""
    rng = _document_rng(workload, number)
    n = _document_length(workload, rng)
    awake = np.flatnonzero(rng.random(len(sources.on)) < sources.on)
    cumulative = np.cumsum(sources.intensity[awake])
    z = rng.lognormal(-(workload.l0_spread**2) / 2, workload.l0_spread, n)
    total = cumulative[-1] if len(awake) else 0.0
    events = rng.poisson(total * z)
    drawn = np.searchsorted(cumulative, rng.random(events.sum()) * total, side="right")
    drawn = awake[np.minimum(drawn, len(awake) - 1)]
    most = int(np.diff(sources.starts)[drawn].sum())
    ids, lengths = _fire(
        events, drawn, rng.random(most), sources.starts, sources.members, sources.strength, np.zeros(len(sources.on))
    )
    return TokenRows(
        doc_id=np.full(n, number, np.int64),
        token_index=np.arange(first_token, first_token + n),
        position_in_doc=np.arange(n, dtype=np.int32),
        token_id=rng.integers(0, VOCABULARY, n, np.int32),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        feature_ids=ids.astype(feature_id_dtype(workload.n_latents)),
        activations=(0.5 + rng.standard_exponential(len(ids), np.float32)).astype(np.float16),
        n_latents=workload.n_latents,
    )


@numba.njit  # no cache on disk: it would hold the name that this module was imported by
def _fire(events, drawn, chance, starts, members, strength, last_token):  # type: ignore[no-untyped-def]  # typed by numba
    """The latents of each token, ascending, from its events; a source drawn twice on a token fires once."""
    ids = np.empty(len(chance), np.int64)
    lengths = np.zeros(len(events), np.int64)
    event, size, used = 0, 0, 0
    for t in range(len(events)):
        begin = size
        for source in drawn[event : event + events[t]]:
            if last_token[source] == t + 1:
                continue
            last_token[source] = t + 1
            for latent in members[starts[source] : starts[source + 1]]:
                ids[size] = latent
                size += chance[used] < strength[source]
                used += 1
        event += events[t]
        ids[begin:size].sort()
        lengths[t] = size - begin
    return ids[:size], lengths
