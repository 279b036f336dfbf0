"""Rates from finished runs: a small run on a machine says what a large one will take there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from coactivation_manifolds.estimate.chance_pairs import expected_chance_pairs
from coactivation_manifolds.estimate.fit import fit_costs
from coactivation_manifolds.estimate.measured import MeasuredRun
from coactivation_manifolds.estimate.rates import MEASURES, Rates, StageRates
from coactivation_manifolds.estimate.schedule import elapsed_seconds
from coactivation_manifolds.estimate.sizes import Activity, modelled_union
from coactivation_manifolds.estimate.stages import Stage, stages_of

CLUMPINGS = (0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.6, 2.4, 3.2)
LONGEST_GAP = 10.0
"""Seconds between jobs: more mean that somebody stopped the run and went on later."""


def calibrate(runs: Sequence[MeasuredRun], earlier: Rates) -> Rates:
    """Rates that explain the runs; what they say nothing of stays as it was.

    Parameters
    ----------
    runs
        At least one. Two of different sizes tell what a job costs once from what its work costs.
    earlier
        Rates to begin with.

    """
    jobs = [(run, stage) for run in runs for stage in stages_of(run.config, run.sizes)]
    names = list(dict.fromkeys(stage.name for _, stage in jobs))
    stages = dict(earlier.stages)
    for name in names:
        known = earlier.stages.get(name, StageRates(seconds={}, memory={}, disk={}, measured=""))
        of_stage = [(run, stage) for run, stage in jobs if stage.name == name]
        fitted = {
            measure: fit_costs(observed(of_stage, measure), earlier=getattr(known, measure)) for measure in MEASURES
        }
        seen = [run.host for run, stage in of_stage if name in run.seconds]
        stages[name] = StageRates(**fitted, measured="; ".join(dict.fromkeys(seen)) or known.measured or "assumed")
    return replace(
        earlier,
        activity=activity_of(runs, earlier.activity),
        stages=stages,
        seconds_a_job=seconds_a_job(runs, earlier.seconds_a_job),
    )


def observed(jobs: Sequence[tuple[MeasuredRun, Stage]], measure: str) -> list[tuple[dict[str, float], float]]:
    """Units of work and what was measured, of one stage in each run."""
    return [
        (stage.files if measure == "disk" else stage.job, getattr(run, measure).get(stage.name, 0.0))
        for run, stage in jobs
    ]


def activity_of(runs: Sequence[MeasuredRun], earlier: Activity) -> Activity:
    """How latents fire: means over the largest run, and what explains the pairs of all runs."""
    largest = max(runs, key=lambda run: run.sizes.n_tokens)
    sizes = largest.sizes
    tokens = sum(largest.tokens_by_k.values())
    mean_square = sum(k * k * count for k, count in largest.tokens_by_k.items()) / max(1, tokens)
    variance = max(0.0, mean_square - sizes.mean_l0**2)
    clumping, fitted = fit_pairs(runs, earlier)
    lasting, factor = fitted.get("lasting", 0.0), fitted.get("chance", 0.0)
    shares = [candidate_share(run, lasting, factor * chance_in_shard(run, clumping)) for run in runs]
    of_union = [share for share in shares if share is not None]
    several = [run.sizes for run in runs if run.sizes.n_shards > 1 and run.sizes.candidates > 0]
    recounted = [run.recounted / run.candidates for run in several]
    return Activity(
        mean_l0=sizes.mean_l0,
        l0_spread=float(np.sqrt(variance)) / sizes.mean_l0 if sizes.mean_l0 else 0.0,
        profile=largest.profile,
        clumping=clumping,
        lasting_pairs=lasting,
        chance_factor=factor,
        candidate_share=float(np.mean(of_union)) if of_union else earlier.candidate_share,
        recounted_share=float(np.mean(recounted)) if recounted else earlier.recounted_share,
        clusters=sizes.clusters / sizes.n_latents,
        drawn=sizes.drawn / sizes.n_latents,
        points=sizes.points / max(1, sizes.n_tokens),
    )


def fit_pairs(runs: Sequence[MeasuredRun], earlier: Activity) -> tuple[float, dict[str, float]]:
    """Clumping, and lasting pairs and chance factor with it; shards of one size alone do not tell the clumping."""
    several = len({round(run.sizes.n_tokens / run.sizes.n_shards) for run in runs}) > 1
    known = {"lasting": earlier.lasting_pairs, "chance": earlier.chance_factor}
    found = []
    for clumping in CLUMPINGS if several else (earlier.clumping,):
        pairs = [observation for run in runs for observation in pair_observations(run, clumping)]
        fitted = fit_costs(pairs, earlier=known)
        off = [sum(fitted[name] * units[name] for name in fitted) / rows - 1 for units, rows in pairs if rows > 0]
        found.append((sum(error**2 for error in off), clumping, fitted))
    _, clumping, fitted = min(found, key=lambda row: row[:2])
    return clumping, fitted


def pair_observations(run: MeasuredRun, clumping: float) -> list[tuple[dict[str, float], float]]:
    """Pairs of a shard, and edges, as lasting pairs and expected chance pairs."""
    sizes, latents = run.sizes, float(run.sizes.n_latents)
    in_all = chance_pairs(run, clumping, sizes.n_tokens, int(run.config["similarity"]["min_count"]))
    return [
        ({"lasting": latents, "chance": chance_in_shard(run, clumping)}, sizes.shard_pairs),
        ({"lasting": latents, "chance": in_all}, sizes.edges),
    ]


def candidate_share(run: MeasuredRun, lasting: float, chance: float) -> float | None:
    """Candidates over the modelled union of the shards, both without edges; None of one shard, which tells nothing.

    Parameters
    ----------
    run
        A finished run.
    lasting, chance
        Lasting pairs for each latent; chance pairs in one shard.

    """
    sizes = run.sizes
    union = modelled_union(lasting * sizes.n_latents, chance, n_shards=sizes.n_shards, n_latents=sizes.n_latents)
    if sizes.n_shards == 1 or union <= sizes.edges:
        return None
    return min(1.0, max(0.0, (sizes.candidates - sizes.edges) / (union - sizes.edges)))


def chance_in_shard(run: MeasuredRun, clumping: float) -> float:
    """Pairs that are expected to reach the floor by chance in one shard."""
    return chance_pairs(run, clumping, run.sizes.n_tokens / run.sizes.n_shards, 1)


def chance_pairs(run: MeasuredRun, clumping: float, n_tokens: float, min_count: int) -> float:
    """Pairs that are expected to reach the floor by chance in some of the run's tokens."""
    return expected_chance_pairs(
        run.profile,
        n_latents=run.sizes.n_latents,
        n_tokens=n_tokens,
        mean_l0=run.sizes.mean_l0,
        pairs_a_token=run.sizes.pairs_a_token,
        floor=run.config["similarity"]["jaccard_floor"],
        min_count=min_count,
        clumping=clumping,
    )


def seconds_a_job(runs: Sequence[MeasuredRun], earlier: float) -> float:
    """Seconds between the end of a job and the start of the next; the earlier ones where runs were interrupted."""
    found = []
    for run in runs:
        stages = stages_of(run.config, run.sizes)
        bare, _ = elapsed_seconds(stages, {s.name: run.seconds.get(s.name, 0.0) for s in stages}, cores=run.cores)
        found.append(max(0.0, (run.elapsed - bare) / sum(stage.n_jobs for stage in stages)))
    whole = [gap for gap in found if gap < LONGEST_GAP]
    return float(np.median(whole)) if whole else earlier
