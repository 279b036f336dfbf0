"""Harvests that Slurm, or somebody, ends before their time: the next attempt goes on, and the bytes are the same."""

from __future__ import annotations

import pytest
from slurm_runs import Run, by_slurm, manifest, part_files, wait_until
from tiny_harvest import add_tiny_harvest

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

TARGET = "results/tiny/activations/shard=000000/manifest.json"
N_TOKENS = 30_000


@pytest.fixture(scope="module")
def planned(slurm, make_clone):
    """A copy of the workflow with one shard to harvest; its tokens are there."""
    clone = make_clone()
    add_tiny_harvest(clone, "tiny", n_tokens=N_TOKENS, tokens_per_shard=N_TOKENS)
    clone.snakemake("results/tiny/corpus/plan.json")
    return clone


@pytest.fixture(scope="module")
def undisturbed(planned, tmp_path_factory):
    clone = planned.duplicate(tmp_path_factory.mktemp("undisturbed") / "clone")
    clone.snakemake(TARGET)
    return shard_files(clone)


@pytest.fixture(scope="module", autouse=True)
def hanging(slurm, planned, undisturbed, tmp_path_factory):
    """A harvest that hangs and so meets its time limit of a minute; the first tests run meanwhile."""
    clone = planned.duplicate(tmp_path_factory.mktemp("hanging") / "clone")
    run = Run(slurm, clone, TARGET, "--set-resources", "harvest_shard:runtime=attempt * attempt")
    try:
        run.halt_in_mid_harvest()
        yield run, times(clone)
    finally:
        run.stop()


@pytest.fixture
def start(slurm, planned, tmp_path):
    """Starts the harvest in a copy of its own."""
    runs = []

    def started(*arguments):
        runs.append(Run(slurm, planned.duplicate(tmp_path / "clone"), TARGET, *arguments))
        return runs[-1]

    yield started
    for run in runs:
        run.stop()


def shard_files(clone):
    return {path.name: path.read_bytes() for path in sorted(manifest(clone).parent.iterdir())}


def times(clone):
    """When each part was completed."""
    return {path.name: path.stat().st_mtime_ns for path in part_files(clone)}


def assert_went_on(run, before, undisturbed):
    """The run ended well, with the bytes of an undisturbed one, and computed no completed part again."""
    run.end()
    assert shard_files(run.clone) == undisturbed
    after = times(run.clone)
    assert {name: after[name] for name in before} == before
    assert len(after) > len(before)


def test_a_cancelled_harvest_is_tried_again_and_goes_on(slurm, start, undisturbed):
    run = start()
    job = run.halt_in_mid_harvest()
    before = times(run.clone)
    slurm.cancel(job)
    assert_went_on(run, before, undisturbed)
    assert [job["JobState"] for job in run.jobs()] == ["CANCELLED", "COMPLETED"]


def test_a_harvest_short_of_memory_gets_more(start, undisturbed):
    run = start("--set-resources", "harvest_shard:mem_mb=attempt * attempt * attempt * 200")
    run.end()
    first, second = run.jobs()
    assert (first["MinMemoryNode"], second["MinMemoryNode"]) == ("200M", "1600M")
    assert first["JobState"] != "COMPLETED" and second["JobState"] == "COMPLETED"
    assert shard_files(run.clone) == undisturbed


def test_memory_is_raised_with_each_retry_and_then_it_ends(start):
    run = start("--set-resources", "harvest_shard:mem_mb=100 + attempt * 20")
    said = run.end(status=1)
    assert [job["MinMemoryNode"] for job in run.jobs()] == ["120M", "140M", "160M"]
    assert "Error in rule harvest_shard" in said
    assert not manifest(run.clone).exists()


def test_a_harvest_over_its_time_goes_on_from_its_last_part(hanging, undisturbed):
    run, before = hanging
    assert_went_on(run, before, undisturbed)
    first, second = run.jobs()
    assert (first["JobState"], first["TimeLimit"]) == ("TIMEOUT", "00:01:00")
    assert (second["JobState"], second["TimeLimit"]) == ("COMPLETED", "00:04:00")


def test_a_node_that_goes_down_and_comes_back(slurm, start, undisturbed):
    run = start()
    run.halt_in_mid_harvest()
    before = times(run.clone)
    slurm.set_node("down")
    slurm.wait_for_node("down")
    slurm.set_node("resume")
    assert_went_on(run, before, undisturbed)
    # Slurm itself puts the job back into the queue
    assert [(job["JobState"], job["Restarts"]) for job in run.jobs()] == [("COMPLETED", "1")]


def test_a_controller_that_is_started_anew(slurm, start, undisturbed):
    run = start()
    job = run.halt_in_mid_harvest()
    slurm.stop_controller()
    slurm.start_controller()
    slurm.signal(job, "CONT")
    run.end()
    assert shard_files(run.clone) == undisturbed
    assert [job["JobState"] for job in run.jobs()] == ["COMPLETED"]


def test_two_jobs_in_one_shard_after_the_coordinator_was_killed(slurm, start, undisturbed):
    run = start()
    orphan = run.halt_in_mid_harvest()
    before = times(run.clone)
    run.stop()
    locked = run.clone.snakemake(TARGET, profile="slurm", check=False)
    assert locked.returncode == 1 and "Directory cannot be locked" in locked.stdout
    run.clone.snakemake("--unlock", profile="slurm")
    again = Run(slurm, run.clone, TARGET)
    second = again.halt_in_mid_harvest()
    assert second["JobId"] != orphan["JobId"]
    for job in (orphan, second):
        slurm.signal(job, "CONT")
    assert_went_on(again, before, undisturbed)
    wait_until(lambda: all(job["JobState"] == "COMPLETED" for job in again.jobs()))
    assert [job["JobId"] for job in again.jobs()] == [orphan["JobId"], second["JobId"]]
    assert shard_files(run.clone) == undisturbed
    assert "Nothing to be done" in by_slurm(run.clone, TARGET)
