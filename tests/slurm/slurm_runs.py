"""Runs of the workflow through Slurm, looking after jobs more often than a real site would."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from one_machine import Job, OneMachine
from workflow_clone import Clone, without_gpu

PATIENCE_S = 240
ACCOUNTING = os.environ.get("SLURM_ACCOUNTING", "") == "yes"
"""Whether these tests run with an accounting database, and so with sacct."""

QUICK = (
    "--slurm-init-seconds-before-status-checks",
    "1",
    "--seconds-between-status-checks",
    "1",
    "--latency-wait",
    "5",
    *(("--slurm-status-command", "sacct") if ACCOUNTING else ()),
)
"""The first look comes a second after something has ended, the next ones 11, 21, 31 seconds after the one before."""


def by_slurm(clone: Clone, *arguments: str) -> str:
    """Run the workflow with the shipped profile, looking after jobs more often; what it printed."""
    return clone.snakemake(*arguments, *QUICK, profile="slurm").stdout


class Run:
    """One run of the workflow through Slurm, in the background; what it prints is kept."""

    def __init__(self, slurm: OneMachine, clone: Clone, *arguments: str) -> None:
        self.slurm = slurm
        self.clone = clone
        self._log = clone / "run.log"
        command = [sys.executable, "-m", "snakemake", "--profile", "slurm", *arguments, *QUICK]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=clone.folder, env=without_gpu(), stdout=log, stderr=log)

    def stop(self) -> None:
        """End the run, where it still goes on, without a word to its jobs."""
        self.process.kill()
        self.process.wait()

    def said(self) -> str:
        """What the run has printed."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def end(self, status: int = 0) -> str:
        """Wait for the end with this status; what was printed."""
        assert self.process.wait(PATIENCE_S) == status, self.said()
        return self.said()

    def jobs(self) -> list[Job]:
        """The jobs of this clone in the order of their submission, of earlier runs too."""
        return self.slurm.jobs(self.clone.folder)

    def halt_in_mid_harvest(self, *, parts: int = 3) -> Job:
        """Let a harvest complete some parts more, then stop its processes as if the node hung; its job."""
        before = len(part_files(self.clone))

        def far_enough() -> bool:
            assert self.process.poll() is None, self.said()
            return len(part_files(self.clone)) >= before + parts

        wait_until(far_enough)
        job = next(job for job in reversed(self.jobs()) if job["JobState"] == "RUNNING")
        self.slurm.signal(job, "STOP")
        wait_until(lambda: all_stand_still(self.clone))
        assert not manifest(self.clone).exists(), "the harvest was over before it was disturbed"
        return job


def part_files(clone: Clone) -> list[Path]:
    """The parts that the harvest of the tiny experiment has completed."""
    return sorted(manifest(clone).parent.glob("part-*.parquet"))


def manifest(clone: Clone) -> Path:
    """The commit record of the tiny experiment's shard."""
    return clone / "results/tiny/activations/shard=000000/manifest.json"


def all_stand_still(clone: Clone) -> bool:
    """Whether no part is added for a while."""
    before = part_files(clone)
    time.sleep(0.5)
    return part_files(clone) == before


def wait_until(condition: Callable[[], object]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
