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

PATIENCE_S = 600  # also on a machine that others load
DEMO_PATIENCE_S = 3_600
ACCOUNTING = os.environ.get("SLURM_ACCOUNTING", "") == "yes"
"""Whether these tests run with an accounting database, and so with sacct."""

HARVEST = "results/tiny/activations/shard=000000/manifest.json"
DEMO_FIGURES = [f"results/demo/geometry/components_j0.20/cluster={cluster}/pca.png" for cluster in ("0000", "0001")]
WHOLE_DEMO = ["results/demo/report.html"] if os.environ.get("SLURM_WHOLE_DEMO") == "yes" else []
DEMO_TARGETS = [DEMO_FIGURES[0], *WHOLE_DEMO]

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


def ask_for_gpus(clone: Clone) -> None:
    """Have the demo's harvest ask for a GPU each, and compute on the CPU, since the GPUs are stand-ins."""
    path = clone / "config/experiments/demo.yaml"
    text = path.read_text(encoding="utf-8")
    assert "gpus_per_job: 0" in text
    path.write_text(text.replace("gpus_per_job: 0", "gpus_per_job: 1"), encoding="utf-8")


def by_slurm(clone: Clone, *arguments: str) -> str:
    """Run the workflow with the shipped profile, looking after jobs more often; what it printed."""
    return clone.snakemake(*arguments, *QUICK, profile="slurm").stdout


class Run:
    """One run of the workflow through Slurm, in the background; what it prints is kept."""

    def __init__(self, slurm: OneMachine, clone: Clone, *arguments: str) -> None:
        self.slurm = slurm
        self.clone = clone
        self._log = clone / "run.log"
        self._command = [sys.executable, "-m", "snakemake", "--profile", "slurm", *arguments, *QUICK]
        self.process = self._begin()

    def _begin(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(self._command, cwd=self.clone.folder, env=without_gpu(), stdout=log, stderr=log)

    def stop(self) -> None:
        """End the run, where it still goes on, without a word to its jobs."""
        self.process.kill()
        self.process.wait()

    def start_again(self) -> None:
        """End the run as ``stop`` does, and begin it anew."""
        self.stop()
        self.clone.snakemake("--unlock", profile="slurm")
        self.process = self._begin()

    def said(self) -> str:
        """What the run has printed."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def end(self, status: int = 0, *, patience_s: float = PATIENCE_S) -> str:
        """Wait for the end with this status; what was printed."""
        assert self.process.wait(patience_s) == status, self.said()
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
    return clone / HARVEST


def shard_files(clone: Clone) -> dict[str, bytes]:
    """The files of the tiny experiment's shard."""
    return {path.name: path.read_bytes() for path in sorted(manifest(clone).parent.iterdir())}


def completed(clone: Clone) -> dict[str, int]:
    """When each part of that shard was completed."""
    return {path.name: path.stat().st_mtime_ns for path in part_files(clone)}


def assert_went_on(run: Run, before: dict[str, int], undisturbed: dict[str, bytes]) -> None:
    """The run ends well, with the bytes of an undisturbed one, and computes no completed part again."""
    run.end()
    assert shard_files(run.clone) == undisturbed
    after = completed(run.clone)
    assert {name: after[name] for name in before} == before
    assert len(after) > len(before)


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
