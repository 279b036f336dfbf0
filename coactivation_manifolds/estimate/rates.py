"""What a unit of work costs: seconds, memory and disk, as a YAML file that anyone can replace in part or in whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from coactivation_manifolds.errors import ConfigError, nearest
from coactivation_manifolds.estimate.sizes import Activity
from coactivation_manifolds.estimate.stages import Units
from coactivation_manifolds.experiment.files import merge
from coactivation_manifolds.experiment.yaml_file import read_yaml
from coactivation_manifolds.storage import PathLike, write_text

SHIPPED = Path(__file__).with_name("rates.yaml")
MEASURES = ("seconds", "memory", "disk")


@dataclass(frozen=True, kw_only=True)
class StageRates:
    """Costs of one stage for each unit of its work.

    Attributes
    ----------
    seconds
        Of one job.
    memory
        Bytes resident in one job at its peak.
    disk
        Bytes that all its jobs leave.
    measured
        Where the numbers are from; begins with ``assumed`` where nobody measured them.

    """

    seconds: Units
    memory: Units
    disk: Units
    measured: str

    @property
    def is_assumed(self) -> bool:
        """Whether nobody measured them."""
        return self.measured.startswith("assumed")


@dataclass(frozen=True, kw_only=True)
class Rates:
    """All that an estimate takes from earlier runs.

    Attributes
    ----------
    activity
        How latents fire.
    stages
        By the name of the stage.
    plan_seconds, plan_seconds_a_job, seconds_a_job
        Of Snakemake: to start, to plan each job, and from the end of a job to the start of the next.
    models, saes
        Shapes of models (by name) and widths of SAEs (by release) that can't be read from a local folder.

    """

    activity: Activity
    stages: Mapping[str, StageRates]
    plan_seconds: float
    plan_seconds_a_job: float
    seconds_a_job: float
    models: Mapping[str, Mapping[str, float]]
    saes: Mapping[str, int]

    def of(self, stage: str) -> StageRates:
        """Rates of a stage.

        Raises
        ------
        ConfigError
            There are none.

        """
        if stage not in self.stages:
            raise ConfigError(
                f'there are no rates of "{stage}"{nearest(stage, self.stages)}: give them in a file for --rates'
            )
        return self.stages[stage]


def read_rates(path: PathLike | None = None) -> Rates:
    """The shipped rates, replaced key by key by those of a file.

    Raises
    ------
    ConfigError
        The file can't be read, or holds something that is no rate.

    """
    content = read_yaml(SHIPPED).content
    if path is not None:
        content = merge(content, read_yaml(Path(path)).content)
    try:
        return rates_of(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        where = SHIPPED if path is None else path
        raise ConfigError(
            f"{where} is no file of rates ({error!r}): write it like {SHIPPED.name} of the package, or leave a part out"
        ) from error


def rates_of(content: Mapping[str, Any]) -> Rates:
    """Rates from the content of their file; KeyError, TypeError or ValueError where it has another form."""
    workflow = content["workflow"]
    return Rates(
        activity=Activity(**content["activity"]),
        stages={name: _stage(name, stage) for name, stage in content["stages"].items()},
        plan_seconds=float(workflow["plan_seconds"]),
        plan_seconds_a_job=float(workflow["plan_seconds_a_job"]),
        seconds_a_job=float(workflow["seconds_a_job"]),
        models=content["models"],
        saes={name: int(width) for name, width in content["saes"].items()},
    )


def _stage(name: str, stage: Mapping[str, Any]) -> StageRates:
    if set(stage) - {*MEASURES, "measured"}:
        raise ValueError(f"{name}: {sorted(set(stage) - {*MEASURES, 'measured'})}")
    costs = {measure: {unit: float(c) for unit, c in stage.get(measure, {}).items()} for measure in MEASURES}
    if any(cost < 0 for units in costs.values() for cost in units.values()):
        raise ValueError(f"{name}: a cost is negative")
    return StageRates(**costs, measured=str(stage["measured"]))


def write_rates(rates: Rates, path: PathLike) -> None:
    """Write a file that ``read_rates`` takes; costs with four digits."""
    stages = {
        name: {"measured": stage.measured}
        | {measure: {unit: rounded(cost) for unit, cost in getattr(stage, measure).items()} for measure in MEASURES}
        for name, stage in rates.stages.items()
    }
    activity = asdict(rates.activity)
    activity = {key: rounded(value) for key, value in activity.items() if key != "profile"} | {
        "profile": [[rounded(number) for number in row] for row in activity["profile"]]
    }
    content = {
        "workflow": {
            name: rounded(getattr(rates, name)) for name in ("plan_seconds", "plan_seconds_a_job", "seconds_a_job")
        },
        "activity": activity,
        "stages": stages,
        "models": {name: dict(shape) for name, shape in rates.models.items()},
        "saes": dict(rates.saes),
    }
    write_text(HEADER + yaml.safe_dump(content, sort_keys=False, width=120, default_flow_style=None), path)


def rounded(value: float) -> float:
    """Four digits: more would pretend that a rate is known better."""
    return float(f"{value:.4g}")


HEADER = """\
# What a unit of work costs, read by `coactivation-manifolds estimate`; a file given with --rates replaces any part.
# Made from the records of runs: coactivation-manifolds estimate NAME --calibrate RESULTS... --write-rates FILE
#
# workflow: seconds that Snakemake takes to start, to plan each job, and between the end of a job and the next.
# activity: how latents fire: latents a token, standard deviation over mean of their number, clumping of chance pairs,
#   for each latent the pairs that reach the floor at any size, chance pairs over the expected ones, candidates over the
#   pairs that shards keep (edges left out of both), rows of pass 2 in a shard for each candidate, clusters for each
#   latent, points of a cluster for each token; profile: [rate over the mean rate, share of the latents].
# stages: seconds and memory (bytes, resident) of one job, disk (bytes) of all jobs, for each unit of work. `start` is
#   once a job: interpreter and imports. entry: one latent that fires on one token. increment: two that do. row: a pair
#   in a file of one shard. candidate: a pair that a shard kept and that can reach the floor over the whole corpus.
#   entry spilled: a posting of the index beyond those kept in memory. point: a token of a drawn cluster; point of a
#   cluster: those of a mean one, which memory follows as the largest does.
#   teraflop of a harvest: 1e12 / (tokens a second x flops a token); --json prints flops.
#   measured: on what; "assumed ..." where it was not.
# models: parameters of the embedding and of each layer, width, layers. saes: latents, by release of sae-lens.
"""
