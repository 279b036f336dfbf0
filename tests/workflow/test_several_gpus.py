"""Harvests side by side on one machine with several GPUs, here two stand-ins, compute on different ones."""

import re
from datetime import datetime

import pytest
from tiny_harvest import add_tiny_harvest
from workflow_clone import Clone

pytestmark = pytest.mark.workflow

SHARDS = (0, 1)
LINE = re.compile(r"^(\S+ \S+?),\d+ INFO \S+: (.+)$", flags=re.MULTILINE)


def events(clone: Clone, shard: int) -> list[tuple[datetime, str]]:
    """The lines of a harvest's log with their times."""
    log = (clone / f"logs/boxed/harvest_shard/{shard:06d}.log").read_text(encoding="utf-8")
    return [(datetime.fromisoformat(time), text) for time, text in LINE.findall(log)]


@pytest.mark.slow
def test_two_jobs_at_once_take_different_gpus(clone: Clone, tmp_path) -> None:
    add_tiny_harvest(clone, "boxed", n_tokens=40_000, tokens_per_shard=20_000, device="auto")
    manifests = [f"results/boxed/activations/shard={shard:06d}/manifest.json" for shard in SHARDS]
    (tmp_path / "locks").mkdir()
    seen = {"CUDA_VISIBLE_DEVICES": "0,1", "TMPDIR": str(tmp_path / "locks")}
    clone.snakemake(*manifests, "--resources", "gpu=2", environment=seen)
    logs = [events(clone, shard) for shard in SHARDS]
    assert max(log[0][0] for log in logs) <= min(log[-1][0] for log in logs), "the jobs did not run side by side"
    taken = {text for log in logs for _, text in log if "takes GPU" in text}
    assert taken == {"this job takes GPU 0 of 0,1", "this job takes GPU 1 of 0,1"}
