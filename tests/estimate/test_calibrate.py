"""Rates from runs whose costs are known: they predict a run of another size."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from workflow_clone import ROOT

from coactivation_manifolds.estimate.calibrate import calibrate
from coactivation_manifolds.estimate.measured import MeasuredRun, stage_of_job
from coactivation_manifolds.estimate.prediction import Given, Machines, critical_path, predict, predict_sizes
from coactivation_manifolds.estimate.rates import MEASURES, read_rates
from coactivation_manifolds.estimate.schedule import elapsed_seconds
from coactivation_manifolds.experiment.config import load_experiment

MACHINES = Machines(cores=2, gpus=1)
PROFILE = [[0.02, 0.5], [0.3, 0.3], [9.0, 0.1]]


@pytest.fixture
def config(monkeypatch):
    monkeypatch.chdir(ROOT)
    return load_experiment("gemma-2-2b_layer12_65k")


def other_machine(rates, seed):
    """The same rates, each up to twice or half as large."""
    rng = np.random.default_rng(seed)

    def changed(units):
        return {unit: cost * 2 ** rng.uniform(-1, 1) for unit, cost in units.items()}

    stages = {
        name: replace(stage, **{measure: changed(getattr(stage, measure)) for measure in MEASURES})
        for name, stage in rates.stages.items()
    }
    return replace(rates, stages=stages, activity=replace(rates.activity, profile=PROFILE, lasting_pairs=2.0))


def run_of(config, rates, n_tokens, seed):
    """Records of a run that takes what the rates say, to 3 %."""
    rng = np.random.default_rng(seed)
    found = predict(config, rates, machines=MACHINES, given=Given(n_tokens=n_tokens))
    measured = {
        measure: {
            stage.stage.name: getattr(stage, measure) * (1 + 0.03 * rng.standard_normal()) for stage in found.stages
        }
        for measure in MEASURES
    }
    bare, _ = elapsed_seconds([stage.stage for stage in found.stages], measured["seconds"], cores=2, gpus=1)
    n_jobs = sum(stage.stage.n_jobs for stage in found.stages)
    return MeasuredRun(
        folder=Path("results/run"),
        config=config,
        sizes=found.sizes,
        tokens_by_k={50: int(n_tokens) // 2, 94: int(n_tokens) // 2},
        profile=PROFILE,
        elapsed=bare + 0.2 * n_jobs,
        cores=2,
        host="a machine",
        **measured,
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("small", "large"), [((20_000, 40_000), 160_000), ((250_000, 1_000_000), 10_000_000)])
def test_small_runs_predict_a_larger_one(config, small, large, seed):
    shipped = read_rates()
    true = other_machine(shipped, seed)
    rates = calibrate([run_of(config, true, n_tokens, seed) for n_tokens in small], shipped)
    expected = run_of(config, true, large, seed)
    found = predict_sizes(config, expected.sizes, rates, machines=MACHINES, given=Given(), notes=[])
    for measure in MEASURES:
        total = [
            sum(stage.stage.n_jobs * getattr(stage, measure) for stage in found.stages),
            sum(stage.stage.n_jobs * getattr(expected, measure)[stage.stage.name] for stage in found.stages),
        ]
        assert total[0] == pytest.approx(total[1], rel=0.3), measure
    names = {stage.stage.name for stage in found.stages}
    assert {name for name in names if rates.stages[name].measured != "a machine"} == set()
    assert rates.stages["harvest_shard, cpu float32"] == shipped.stages["harvest_shard, cpu float32"]


def test_pairs_and_activity_are_found_again(config):
    true = other_machine(read_rates(), 0)
    runs = [run_of(config, true, n_tokens, 0) for n_tokens in (250_000, 1_000_000)]
    activity = calibrate(runs, read_rates()).activity
    assert activity.lasting_pairs == pytest.approx(2.0, rel=0.1)
    assert activity.chance_factor == pytest.approx(true.activity.chance_factor, rel=0.2)
    assert activity.candidate_share == pytest.approx(true.activity.candidate_share, rel=0.2)
    assert activity.recounted_share == pytest.approx(true.activity.recounted_share)
    assert activity.mean_l0 == 72
    assert activity.l0_spread == pytest.approx(22 / 72)
    assert activity.profile == PROFILE


def test_candidates_never_give_a_share_below_none(config):
    true = other_machine(read_rates(), 0)
    runs = [run_of(config, true, n_tokens, 0) for n_tokens in (250_000, 1_000_000)]
    pruned = [replace(run, sizes=replace(run.sizes, candidates=run.sizes.edges, recounted=0.0)) for run in runs]
    activity = calibrate(pruned, read_rates()).activity
    assert (activity.candidate_share, activity.recounted_share) == (0, 0)
    assert activity.lasting_pairs == calibrate(runs, read_rates()).activity.lasting_pairs
    assert calibrate(runs[:1], read_rates()).activity.candidate_share == read_rates().activity.candidate_share


def test_the_critical_path_adds_up_to_the_whole(config):
    found = predict(config, read_rates(), machines=MACHINES)
    chain = critical_path(found)
    assert sum(seconds for _, seconds in chain) == pytest.approx(found.elapsed)
    assert [part[0].stage.name for part in chain][-1] == "write_report"
    assert all(seconds >= 0 for _, seconds in chain)


def test_jobs_are_told_apart(config):
    assert stage_of_job("count_shard.000003", config) == "count_shard"
    assert stage_of_job("harvest_shard.000003", config) == "harvest_shard, gpu bfloat16"
    assert stage_of_job("cluster_edges.components_j0.20", config) == "cluster_edges, components"
    assert (
        stage_of_job("cluster_edges.cosine_matched_leiden_cpm_phi_j0.05_r0.050_s0", config)
        == "cluster_edges, cosine leiden"
    )
