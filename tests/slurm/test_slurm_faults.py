"""A node, then Slurm's controller, that is away while a harvest runs: it goes on, and the bytes are the same."""

from __future__ import annotations

import pytest
from slurm_runs import assert_went_on, completed, shard_files

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


def test_a_node_that_goes_down_and_comes_back(slurm, start, undisturbed):
    run = start()
    run.halt_in_mid_harvest()
    before = completed(run.clone)
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
