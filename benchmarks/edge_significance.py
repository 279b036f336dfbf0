"""The null of edge significance against sampling: means, variances and p-values by kind of pair, and bursty latents.

Sections: `sampled`, patterns with exactly the same margins, drawn by curveball trades, at several mean L0 and for
TopK; `shifted`, latents that fire in bursts, every circular shift of one against the other.

    python benchmarks/edge_significance.py [--only SECTION] [--seed N]
"""

from __future__ import annotations

import argparse
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import numpy.typing as npt
from curveball import draw_patterns
from measuring import in_processes, parser_of, run_sections

from coactivation_manifolds.similarity.configuration_model import solve_configuration_model
from coactivation_manifolds.similarity.fixed_counts import FixedCounts, solve_fixed_counts
from coactivation_manifolds.similarity.significance import edge_significance

Patterns = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

LATENTS, TOKENS = 300, 1_000
CASES = tuple((l0, top_k) for l0 in (5, 10, 20, 50, 100) for top_k in (False, True))
SAMPLES, ROUNDS_FIRST, ROUNDS = 400, 50, 3
LOOKED_AT = 20
"""p-values are taken of every so many samples."""
KINDS = {"rare": 0.02, "middle": 0.2, "dense": 0.8, "nearly always on": 1.0}
"""By share of tokens, up to."""
FEWEST_PAIRS = 20
SHIFTED_TOKENS, SHIFTED_LATENTS, SHIFTED_PAIRS = 20_000, 60, 400
BURSTS = (1, 2, 5, 10, 30)


def main() -> None:
    """Sample, shift, and write docs/benchmarks/edge_significance.json."""
    parser = parser_of(__doc__, ("sampled", "shifted"))
    parser.add_argument("--seed", type=int, default=11)
    run_sections("edge_significance", parser.parse_args(), {"sampled": measure_sampled, "shifted": measure_shifted})


def measure_sampled(arguments: argparse.Namespace) -> dict[str, Any]:
    """For each case and kind of pair: model over sampled, before and after the token and latent counts are fixed."""
    jobs = [(*case, arguments.seed) for case in CASES]
    cases = in_processes(measure_case, jobs, arguments.threads, what="edges, sampled")
    return {"seed": arguments.seed, "tokens": TOKENS, "latents": LATENTS, "samples": SAMPLES, "cases": cases}


def measure_case(job: tuple[int, bool, int]) -> dict[str, Any]:
    """One mean L0, TopK or not, and a seed."""
    mean_l0, top_k, seed = job
    fires = draw_firings(mean_l0, top_k=top_k, seed=seed)
    return {"mean_l0": mean_l0, "top_k": top_k, **compare_with_samples(fires, seed=seed)}


def draw_firings(mean_l0: int, *, top_k: bool, seed: int) -> Patterns:
    """Heavy-tailed firing rates up to 0.95, tokens of differing levels or with the same number, two latents always on.

    Returns bool [latents, tokens]; latents with fewer than three firings are left out.
    """
    rng = np.random.default_rng([seed, mean_l0, int(top_k)])
    shape = 1 / np.arange(1, LATENTS + 1) ** 0.9
    low, high = 0.0, 1e5
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if np.minimum(0.95, middle * shape).sum() < mean_l0 else (low, middle)
    rates = np.minimum(0.95, low * shape)
    odds = rates / (1 - rates)
    if top_k:
        scores = np.log(odds) + rng.logistic(size=(TOKENS, LATENTS))
        scores[:, -2:] = -np.inf
        fires = np.zeros((TOKENS, LATENTS), bool)
        np.put_along_axis(fires, np.argsort(-scores, axis=1)[:, :mean_l0], True, axis=1)
    else:
        level = rng.lognormal(0, 0.5, TOKENS)[:, None] * odds
        fires = rng.random((TOKENS, LATENTS)) < level / (1 + level)
    fires[:, -2:] = True
    return np.ascontiguousarray(fires[:, fires.sum(axis=0) >= 3].T)


def fit(fires: Patterns) -> tuple[FixedCounts, Counts, dict[int, int]]:
    """The null of a pattern, n_i and the histogram of k_t."""
    n = fires.sum(axis=1).astype(np.int64)
    k, tokens = np.unique(fires.sum(axis=0), return_counts=True)
    tokens_by_k = {int(key): int(count) for key, count in zip(k, tokens, strict=True)}
    return solve_fixed_counts(n, tokens_by_k), n, tokens_by_k


def compare_with_samples(fires: Patterns, *, seed: int) -> dict[str, Any]:
    """Means and variances of n_ab, and shares of small p-values, against curveball trades."""
    model, n, tokens_by_k = fit(fires)
    a, b = np.triu_indices(len(n), 1)
    expected, variance = moments(model, n[a], n[b])
    loose_expected, loose_variance = loose_moments(n, tokens_by_k, a, b)
    total, squares = np.zeros((2, len(n), len(n)))
    small = np.zeros((2, len(a)))
    draws = draw_patterns(fires, samples=SAMPLES, rounds_first=ROUNDS_FIRST, rounds=ROUNDS, seed=seed)
    for number, sample in enumerate(draws):
        wide = sample.astype(np.float32)
        joint = (wide @ wide.T).astype(np.float64)
        total += joint
        squares += joint**2
        if number % LOOKED_AT == 0:
            log10_p = edge_significance(model, n[a], n[b], joint[a, b].astype(np.int64)).log10_p
            small += log10_p <= np.log10([[0.05], [0.01]])
    mean = (total / SAMPLES)[a, b]
    sampled = ((squares / SAMPLES)[a, b] - mean**2) * SAMPLES / (SAMPLES - 1)
    looked = len(range(0, SAMPLES, LOOKED_AT))
    rows = []
    for names, chosen in kinds_of_pairs(n / fires.shape[1], a, b):
        rows.append(
            {
                "kind": list(names),
                "pairs": int(chosen.sum()),
                "mean": ratio_of(expected, mean, chosen),
                "mean_loose": ratio_of(loose_expected, mean, chosen),
                "variance": ratio_of(variance, sampled, chosen),
                "variance_loose": ratio_of(loose_variance, sampled, chosen),
                "p_05": float(small[0, chosen].mean() / looked),
                "p_01": float(small[1, chosen].mean() / looked),
            }
        )
    always = (n[a] == fires.shape[1]) | (n[b] == fires.shape[1])
    return {
        "kinds": rows,
        "always_on": {
            "pairs": int(always.sum()),
            "largest_difference": float(np.abs(expected - mean)[always].max()),
            "variance": float(variance[always].max()),
            "variance_sampled": float(sampled[always].max()),
        },
    }


def moments(model: FixedCounts, n_a: Counts, n_b: Counts) -> tuple[Values, Values]:
    """Expectation and variance, from z of a count that is one above the largest."""
    beyond = np.minimum(n_a, n_b) + 1
    expected, z, _ = edge_significance(model, n_a, n_b, beyond)
    return expected, np.where(z > 0, ((beyond - expected) / np.where(z > 0, z, 1.0)) ** 2, 0.0)


def loose_moments(
    n: Counts, tokens_by_k: dict[int, int], a: npt.NDArray[np.intp], b: npt.NDArray[np.intp]
) -> tuple[Values, Values]:
    """The same by the configuration model alone, whose margins hold only in expectation."""
    model = solve_configuration_model(n, tokens_by_k)
    p = model.probabilities[model.rows(n)]
    expected = (p * model.tokens) @ p.T
    return expected[a, b], (expected - (p**2 * model.tokens) @ (p**2).T)[a, b]


def kinds_of_pairs(
    density: Values, a: npt.NDArray[np.intp], b: npt.NDArray[np.intp]
) -> list[tuple[tuple[str, str], npt.NDArray[np.bool_]]]:
    """Pairs by the kinds of both latents, without those always on; kinds of few pairs are left out."""
    names = list(KINDS)
    kind = np.searchsorted(list(KINDS.values()), density, side="left")
    kind[density == 1] = len(names)
    low, high = np.minimum(kind[a], kind[b]), np.maximum(kind[a], kind[b])
    found = []
    for first, second in combinations_with_replacement(range(len(names)), 2):
        chosen = (low == first) & (high == second)
        if chosen.sum() >= FEWEST_PAIRS:
            found.append(((names[first], names[second]), chosen))
    return found


def ratio_of(model: Values, sampled: Values, chosen: npt.NDArray[np.bool_]) -> float:
    """Sums over the pairs: model over sampled."""
    return float(model[chosen].sum() / sampled[chosen].sum())


def measure_shifted(arguments: argparse.Namespace) -> dict[str, Any]:
    """For each mean burst: variance of n_ab over all circular shifts over the model's, and shares of small p-values."""
    rows = []
    for burst in BURSTS:
        rng = np.random.default_rng([arguments.seed, burst])
        density = np.exp(rng.uniform(np.log(0.005), np.log(0.2), SHIFTED_LATENTS))
        fires = np.stack([draw_bursts(share, burst, rng) for share in density])
        model, n, _ = fit(fires)
        a, b = np.triu_indices(SHIFTED_LATENTS, 1)
        chosen = rng.choice(len(a), SHIFTED_PAIRS, replace=False)
        a, b = a[chosen], b[chosen]
        expected, variance = moments(model, n[a], n[b])
        spectra = np.fft.rfft(fires.astype(np.float64), axis=1)
        ratios, means, small = np.zeros(len(a)), np.zeros(len(a)), np.zeros(2)
        every = SHIFTED_TOKENS // 50
        for pair in range(len(a)):
            joint = np.fft.irfft(spectra[a[pair]] * spectra[b[pair]].conj(), SHIFTED_TOKENS)
            ratios[pair], means[pair] = joint.var() / variance[pair], joint.mean() / expected[pair]
            some = np.rint(joint[::every]).astype(np.int64)
            same = np.ones(len(some), np.int64)
            log10_p = edge_significance(model, n[a[pair]] * same, n[b[pair]] * same, some).log10_p
            small += (log10_p[:, None] <= np.log10([0.05, 0.01])).mean(axis=0)
        rows.append(
            {
                "mean_burst": burst,
                "mean": float(means.mean()),
                "variance": [float(value) for value in np.quantile(ratios, [0.5, 0.05, 0.95])],
                "p_05": float(small[0] / len(a)),
                "p_01": float(small[1] / len(a)),
            }
        )
    return {
        "seed": arguments.seed, "tokens": SHIFTED_TOKENS, "latents": SHIFTED_LATENTS, "pairs": SHIFTED_PAIRS,
        "bursts": rows,
    }  # fmt: skip


def draw_bursts(density: float, burst: float, rng: np.random.Generator) -> Patterns:
    """A latent that fires in runs of mean length ``burst``, apart by runs of silence, bool [tokens].

    Bursts of mean 1 are independent tokens.
    """
    if burst <= 1:
        return rng.random(SHIFTED_TOKENS) < density
    silence = burst * (1 - density) / density
    runs = int(4 * SHIFTED_TOKENS / (burst + silence)) + 50
    lengths = np.empty(2 * runs, np.int64)
    lengths[0::2] = rng.geometric(1 / silence, runs)
    lengths[1::2] = rng.geometric(1 / burst, runs)
    states = np.repeat(np.arange(2 * runs) % 2 == 1, lengths)
    begin = int(rng.integers(0, len(states) - SHIFTED_TOKENS + 1)) if len(states) > SHIFTED_TOKENS else 0
    return np.resize(states[begin:], SHIFTED_TOKENS)


if __name__ == "__main__":
    main()
