"""Seconds, memory and disk of every stage, and of the whole run."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from coactivation_manifolds.errors import ConfigError
from coactivation_manifolds.estimate.given_activations import count_given
from coactivation_manifolds.estimate.rates import Rates
from coactivation_manifolds.estimate.schedule import elapsed_seconds
from coactivation_manifolds.estimate.shapes import shape_of
from coactivation_manifolds.estimate.sizes import Sizes, expected_sizes
from coactivation_manifolds.estimate.stages import Stage, Units, harvest_name, stages_of
from coactivation_manifolds.experiment.config import Config, is_imported, n_shards


@dataclass(frozen=True, kw_only=True)
class Machines:
    """What runs the jobs: cores, GPUs, and jobs at once, of all machines together."""

    cores: float = inf
    gpus: float = inf
    jobs: float = inf


@dataclass(frozen=True, kw_only=True)
class StageEstimate:
    """One stage: seconds and memory (bytes) of one job, disk (bytes) of all of them, and whether its rates are assumed.

    ``ends`` is when its last job does, in seconds from the start of the run.
    """

    stage: Stage
    seconds: float
    memory: float
    disk: float
    ends: float
    assumed: bool

    @property
    def core_seconds(self) -> float:
        """Of all jobs, each with all its threads."""
        return self.seconds * self.stage.n_jobs * self.stage.threads

    @property
    def gpu_seconds(self) -> float:
        """Of all jobs."""
        return self.seconds * self.stage.n_jobs * self.stage.gpus


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A whole run: sizes, stages, seconds from its start to its end, and what had to be assumed."""

    sizes: Sizes
    stages: list[StageEstimate]
    machines: Machines
    elapsed: float
    assumptions: list[str]


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a person says in place of what would be taken from names, files or rates."""

    n_tokens: float | None = None
    n_latents: int | None = None
    mean_l0: float | None = None
    harvest_tokens_a_second: float | None = None


def sizes_before(config: Config, rates: Rates, given: Given) -> tuple[Sizes, list[str]]:
    """Sizes of a run that was not made, and what had to be assumed.

    Raises
    ------
    ConfigError
        Tokens, latents or the model's size can't be told.

    """
    shape = shape_of(config, rates, n_latents=given.n_latents)
    notes = list(shape.assumptions)
    mean_l0, n_tokens = given.mean_l0 or shape.mean_l0, given.n_tokens
    if is_imported(config):
        counted = count_given(config)
        if counted is not None:
            n_tokens = n_tokens or counted[0]
            mean_l0 = given.mean_l0 or counted[1] / max(1, counted[0])
        elif n_tokens is None:
            raise ConfigError(
                "the number of tokens of the given activations can't be told (no Parquet files at activations.path): "
                "give --tokens"
            )
    else:
        n_tokens = n_tokens or float(config["corpus"]["n_tokens"])
    if mean_l0 is None:
        mean_l0 = rates.activity.mean_l0
        notes.append(f"L0 is not stated: {mean_l0:.0f} latents a token, as in the runs of the rates (--mean-l0)")
    notes.append(
        "pairs, clusters and the spread of L0 as in the runs of the rates: calibrate on a small run of this SAE"
    )
    sizes = expected_sizes(
        rates.activity,
        n_tokens=float(n_tokens),
        n_latents=shape.n_latents,
        n_shards=n_shards_of(config, n_tokens),
        mean_l0=mean_l0,
        floor=config["similarity"]["jaccard_floor"],
        min_count=int(config["similarity"]["min_count"]),
        d_model=shape.d_model,
        weight_bytes=shape.weight_bytes,
        flops=shape.flops,
    )
    return sizes, notes


def n_shards_of(config: Config, n_tokens: float) -> int:
    """Shards, also of another number of tokens than the configuration's."""
    if is_imported(config):
        return n_shards(config)
    return max(1, -(-int(n_tokens) // int(config["harvest"]["tokens_per_shard"])))


def cost(units: Units, costs: Units) -> float:
    """Sum over units of work times cost."""
    return sum(amount * costs.get(unit, 0.0) for unit, amount in units.items())


def predict(config: Config, rates: Rates, *, machines: Machines, given: Given = Given()) -> Estimate:
    """What a run will take.

    Raises
    ------
    ConfigError
        Sizes or rates are not known.

    """
    sizes, notes = sizes_before(config, rates, given)
    return predict_sizes(config, sizes, rates, machines=machines, given=given, notes=notes)


def predict_sizes(
    config: Config, sizes: Sizes, rates: Rates, *, machines: Machines, given: Given, notes: list[str]
) -> Estimate:
    """What a run of these sizes will take.

    Raises
    ------
    ConfigError
        A stage has no rates.

    """
    stages = stages_of(config, sizes)
    seconds = {stage.name: cost(stage.job, rates.of(stage.name).seconds) for stage in stages}
    if given.harvest_tokens_a_second and not is_imported(config):
        name = harvest_name(config)
        start = {unit: rates.of(name).seconds.get(unit, 0.0) for unit in ("start", "weight byte")}
        job = next(stage.job for stage in stages if stage.name == name)
        seconds[name] = cost(job, start) + sizes.n_tokens / sizes.n_shards / given.harvest_tokens_a_second
    with_gaps = {name: value + rates.seconds_a_job for name, value in seconds.items()}
    elapsed, ended = elapsed_seconds(stages, with_gaps, cores=machines.cores, gpus=machines.gpus, jobs=machines.jobs)
    planning = rates.plan_seconds + rates.plan_seconds_a_job * sum(stage.n_jobs for stage in stages)
    found = [
        StageEstimate(
            stage=stage,
            seconds=seconds[stage.name],
            memory=cost(stage.job, rates.of(stage.name).memory),
            disk=cost(stage.files, rates.of(stage.name).disk),
            ends=planning + ended[stage.name],
            assumed=rates.of(stage.name).is_assumed,
        )
        for stage in stages
    ]
    return Estimate(sizes=sizes, stages=found, machines=machines, elapsed=planning + elapsed, assumptions=notes)


def critical_path(estimate: Estimate) -> list[tuple[StageEstimate, float]]:
    """The chain of stages that the run's end waits for, from first to last, with the seconds that each adds to it."""
    by_name = {found.stage.name: found for found in estimate.stages}
    chain = []
    last: StageEstimate | None = max(estimate.stages, key=lambda found: found.ends)
    while last is not None:
        needed = [by_name[name] for name in last.stage.needs if name in by_name]
        before = max(needed, key=lambda found: found.ends, default=None)
        chain.append((last, last.ends - (before.ends if before else 0.0)))
        last = before
    return chain[::-1]
