"""The command on the experiments that ship, and what it says where it can't know."""

import json

import pytest
import yaml
from workflow_clone import ROOT

from coactivation_manifolds.activations.index_build import ENTRIES_IN_MEMORY
from coactivation_manifolds.activations.summary import ROWS_SUMMED_EXACTLY
from coactivation_manifolds.cli import main
from coactivation_manifolds.cooccurrence import pair_files
from coactivation_manifolds.estimate.prediction import Given, Machines, predict
from coactivation_manifolds.estimate.rates import read_rates, write_rates
from coactivation_manifolds.estimate.stages import INDEX_ENTRIES, ROWS_PER_RANGE, SUM_TOKENS
from coactivation_manifolds.experiment.config import experiment_names, load_experiment

NAMES = sorted(path.stem for path in (ROOT / "config/experiments").glob("*.yaml"))


@pytest.fixture(autouse=True)
def in_the_clone(monkeypatch):
    monkeypatch.chdir(ROOT)


def estimated(capsys, *arguments):
    assert main(["estimate", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("name", NAMES)
def test_experiments_that_ship(name, capsys):
    found = estimated(capsys, name)
    assert found["elapsed_seconds"] > 0
    assert all(stage["seconds_a_job"] > 0 and stage["memory_bytes"] > 0 for stage in found["stages"].values())
    assert main(["estimate", name]) == 0
    assert "dominates" in capsys.readouterr().out


def test_facts_of_the_reference(capsys):
    found = estimated(capsys, "gemma-2-2b_layer12_65k")["sizes"]
    assert (found["n_tokens"], found["n_shards"], found["n_latents"]) == (1e6, 4, 65_536)
    assert found["mean_l0"] == 72  # in the name of the SAE's folder
    assert found["d_model"] == 2_304
    assert found["flops"] == pytest.approx(2 * 13 * 7.786e7 + 2 * 2_304 * 65_536, rel=0.01)


def test_what_is_given_counts(capsys):
    found = estimated(
        capsys,
        *("gpt2-small_layer7", "--tokens", "2e6", "--mean-l0", "30", "--latents", "1000"),
        *("--harvest-tokens-per-second", "500", "--jobs", "3", "--gpus", "8"),
    )
    assert (found["sizes"]["n_tokens"], found["sizes"]["mean_l0"], found["sizes"]["n_latents"]) == (2e6, 30, 1000)
    assert found["sizes"]["n_shards"] == 4
    assert found["machines"] == {"jobs": 3, "gpus": 8}
    assert found["stages"]["harvest_shard, gpu float32"]["gpu_seconds"] >= 2e6 / 500


def test_more_machines_take_no_longer():
    config, rates = load_experiment("gemma-2-2b_layer12_65k"), read_rates()
    elapsed = [
        predict(config, rates, machines=Machines(cores=n, gpus=n), given=Given(n_tokens=5e6)).elapsed
        for n in (1, 4, 64)
    ]
    assert elapsed == sorted(elapsed, reverse=True)


def test_unknown_sizes_are_told_with_what_to_do(tmp_path, capsys):
    text = "activations: {format: csr, path: nowhere.npz, n_latents: 100}\n"
    (tmp_path / "mine.yaml").write_text(text)
    assert main(["estimate", str(tmp_path / "mine.yaml")]) == 2
    assert "--tokens" in capsys.readouterr().err
    assert main(["estimate", str(tmp_path / "mine.yaml"), "--tokens", "1000", "--mean-l0", "5"]) == 0
    assert "harvest" not in capsys.readouterr().out
    other = "extends: gpt2-small_layer7\nmodel: {name: nobody/nothing}\n"
    (tmp_path / "other.yaml").write_text(other)
    (tmp_path / "gpt2-small_layer7.yaml").write_text((ROOT / "config/experiments/gpt2-small_layer7.yaml").read_text())
    assert main(["estimate", str(tmp_path / "other.yaml")]) == 2
    assert "nobody/nothing" in capsys.readouterr().err


def test_rates_of_ones_own_replace_a_part(tmp_path, capsys):
    file = tmp_path / "mine.yaml"
    own = {"stages": {"count_shard": {"measured": "here", "seconds": {"increment": 1.0}}}}
    file.write_text(yaml.safe_dump(own))
    slow = estimated(capsys, "demo", "--rates", str(file))
    assert slow["stages"]["count_shard"]["seconds_a_job"] > 1e5
    assert not slow["stages"]["count_shard"]["assumed"]
    for wrong in ("stages: {count_shard: {seconds: {increment: -1}}}", "stages: [1]", "activity: {nothing: 1}"):
        file.write_text(wrong)
        assert main(["estimate", "demo", "--rates", str(file)]) == 2
        assert "no file of rates" in capsys.readouterr().err


def test_shipped_rates_are_as_written_by_the_command(tmp_path):
    rates = read_rates()
    write_rates(rates, tmp_path / "again.yaml")
    write_rates(read_rates(tmp_path / "again.yaml"), tmp_path / "third.yaml")
    assert (tmp_path / "again.yaml").read_text() == (tmp_path / "third.yaml").read_text()


def test_bounds_of_the_jobs_are_theirs():
    assert INDEX_ENTRIES == ENTRIES_IN_MEMORY
    assert SUM_TOKENS == ROWS_SUMMED_EXACTLY
    assert ROWS_PER_RANGE == pair_files.ROWS_PER_RANGE
    assert set(NAMES) == set(experiment_names())


def test_the_index_spills_what_memory_does_not_hold():
    config, rates = load_experiment("gemma-2-2b_layer12_65k"), read_rates()

    def build_index(n_tokens):
        found = predict(config, rates, machines=Machines(cores=2), given=Given(n_tokens=n_tokens, mean_l0=100))
        return next(stage for stage in found.stages if stage.stage.name == "build_index")

    small, large, larger = (build_index(n_tokens) for n_tokens in (1e6, 1e8, 2e8))
    assert (small.stage.job["entry spilled"], large.stage.job["entry spilled"]) == (0, 1e10 - INDEX_ENTRIES)
    assert larger.seconds < 2.1 * large.seconds
    assert larger.memory == large.memory
    assert small.stage.threads == 2


def test_memory_of_pairs_follows_shards_and_candidates():
    config, rates = load_experiment("gemma-2-2b_layer12_65k"), read_rates()
    found = predict(config, rates, machines=Machines(cores=2), given=Given(n_tokens=1e8, mean_l0=100))
    stages = {stage.stage.name: stage for stage in found.stages}
    assert stages["merge_candidates"].memory > 4 * found.sizes.n_latents * found.sizes.n_shards
    assert stages["recount_shard"].memory > 8 * found.sizes.candidates
    assert stages["find_cosine_neighbors"].stage.threads == 2
