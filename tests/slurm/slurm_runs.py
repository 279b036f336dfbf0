"""Runs of the workflow through Slurm, looking after jobs more often than a real site would."""

from __future__ import annotations

import os

from workflow_clone import ROOT, Clone

QUICK = (
    "--slurm-init-seconds-before-status-checks",
    "3",
    "--seconds-between-status-checks",
    "3",
    "--latency-wait",
    "5",
)


def environment() -> dict[str, str]:
    """What jobs inherit: the library of this clone, and no GPU."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}


def ask_for_gpus(clone: Clone) -> None:
    """Have the demo's harvest ask for a GPU each, and compute on the CPU, since the GPUs are stand-ins."""
    path = clone / "config/experiments/demo.yaml"
    text = path.read_text(encoding="utf-8")
    assert "gpus_per_job: 0" in text
    path.write_text(text.replace("gpus_per_job: 0", "gpus_per_job: 1"), encoding="utf-8")


def by_slurm(clone: Clone, *arguments: str) -> str:
    """Run the workflow with the shipped profile, looking after jobs more often; what it printed."""
    return clone.snakemake(*arguments, *QUICK, profile="slurm").stdout
