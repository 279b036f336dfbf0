"""Harvests that Slurm, or somebody, ends before their time: the next attempt goes on, and the bytes are the same."""

from __future__ import annotations

import pytest
from slurm_runs import ACCOUNTING, HARVEST, Run, assert_went_on, by_slurm, completed, manifest, shard_files, wait_until

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


@pytest.fixture(scope="module", autouse=True)
def hanging(slurm, planned, undisturbed, tmp_path_factory):
    """A harvest that hangs and so meets its time limit, a minute; the first tests run meanwhile."""
    clone = planned.duplicate(tmp_path_factory.mktemp("hanging") / "clone")
    run = Run(slurm, clone, HARVEST)
    try:
        job = run.halt_in_mid_harvest()
        before = completed(clone)
        # only now: a busy machine may take longer than that to begin
        slurm.limit_time(job, minutes=1)
        yield run, before
    finally:
        run.stop()


def test_a_cancelled_harvest_is_tried_again_and_goes_on(slurm, start, undisturbed):
    run = start()
    job = run.halt_in_mid_harvest()
    before = completed(run.clone)
    slurm.cancel(job)
    if ACCOUNTING:
        # the plugin does not know sacct's word for it, "CANCELLED by UID", and waits for ever (docs/slurm.md)
        wait_until(lambda: run.jobs()[0]["JobState"] == "CANCELLED")
        run.start_again()
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


def test_two_jobs_in_one_shard_after_the_coordinator_was_killed(slurm, start, undisturbed):
    run = start()
    orphan = run.halt_in_mid_harvest()
    before = completed(run.clone)
    run.stop()
    locked = run.clone.snakemake(HARVEST, profile="slurm", check=False)
    assert locked.returncode == 1 and "Directory cannot be locked" in locked.stdout
    run.start_again()
    second = run.halt_in_mid_harvest()
    assert second["JobId"] != orphan["JobId"]
    for job in (orphan, second):
        slurm.signal(job, "CONT")
    assert_went_on(run, before, undisturbed)
    wait_until(lambda: all(job["JobState"] == "COMPLETED" for job in run.jobs()))
    assert [job["JobId"] for job in run.jobs()] == [orphan["JobId"], second["JobId"]]
    assert shard_files(run.clone) == undisturbed
    assert "Nothing to be done" in by_slurm(run.clone, HARVEST)


def test_a_harvest_over_its_time_goes_on_from_its_last_part(hanging, undisturbed):
    run, before = hanging
    assert_went_on(run, before, undisturbed)
    first, second = run.jobs()
    assert (first["JobState"], first["TimeLimit"]) == ("TIMEOUT", "00:01:00")
    assert (second["JobState"], second["TimeLimit"]) == ("COMPLETED", "08:00:00")
