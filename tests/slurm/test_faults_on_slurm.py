"""Harvests that Slurm, or somebody, ends before their time: the next attempt goes on, and the bytes are the same."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time

import pytest
from slurm_runs import QUICK, environment

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

PATIENCE_S = 240

# a model that is trained already, one context a batch and few tokens a part: slow, so that there is time to disturb it
EXPERIMENT = """\
model: {{path: {trained}/model}}
sae: {{path: {trained}/sae}}
corpus: {{source: jsonl, path: {trained}/harvest.jsonl, context_length: 16, n_tokens: {n_tokens}}}
harvest: {{device: cpu, gpus_per_job: 1, tokens_per_shard: {per_shard}, batch_size: 1, tokens_per_part: 256}}
"""
MANIFESTS = [f"results/slow/activations/shard={shard:06d}/manifest.json" for shard in (0, 1)]


@pytest.fixture(scope="module")
def trained(slurm, make_clone):
    """A clone in which the demo's model and SAE are trained, on this machine and not through Slurm."""
    clone = make_clone()
    clone.snakemake("results/demo/trained/sae", "results/demo/trained/model", "results/demo/trained/harvest.jsonl")
    return clone / "results/demo/trained"


@pytest.fixture
def slow(slurm, trained, make_clone):
    """An experiment of two shards of some ten seconds each, planned; its token shards are there."""
    slurm.wait_for_node("idle")
    return make_slow(make_clone, trained, n_tokens=24_000, per_shard=12_000)


@pytest.fixture(scope="module")
def undisturbed(slurm, trained, make_clone):
    clone = make_slow(make_clone, trained, n_tokens=24_000, per_shard=12_000)
    clone.snakemake(*MANIFESTS)
    return shard_files(clone)


def make_slow(make_clone, trained, *, n_tokens, per_shard):
    clone = make_clone()
    shutil.copytree(trained, clone / "trained", symlinks=True)
    clone.write_experiment("slow", EXPERIMENT.format(trained="trained", n_tokens=n_tokens, per_shard=per_shard))
    clone.snakemake("results/slow/corpus/plan.json")
    return clone


def shard_files(clone):
    folder = clone / "results/slow/activations"
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def start(clone, *arguments):
    """Start the workflow through Slurm in the background."""
    command = [sys.executable, "-m", "snakemake", "--profile", "slurm", *arguments, *QUICK]
    log = (clone / "run.log").open("ab")
    return subprocess.Popen(command, cwd=clone.folder, env=environment(), stdout=log, stderr=log)


def said(clone):
    return (clone / "run.log").read_text(encoding="utf-8", errors="replace")


def parts(clone, shard=0):
    return sorted((clone / f"results/slow/activations/shard={shard:06d}").glob("part-*.parquet"))


def wait_until(condition, *, run=None):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        assert run is None or run.poll() is None, "the run ended before it was disturbed"
        time.sleep(0.05)


def harvest_job(slurm, shard=0):
    """Slurm's number of the running harvest of a shard of the newest run."""
    running = [
        job["JobId"]
        for job in slurm.jobs()
        if job["JobState"] == "RUNNING" and job["Comment"].endswith(f"_slow_{shard:06d}")
    ]
    return running[-1] if running else None


def test_a_cancelled_harvest_is_tried_again_and_goes_on(slurm, slow, undisturbed):
    run = start(slow, *MANIFESTS)
    wait_until(lambda: len(parts(slow)) >= 3 and harvest_job(slurm), run=run)
    first = parts(slow)[0].stat().st_mtime_ns
    subprocess.run(["scancel", harvest_job(slurm)], check=True)
    assert run.wait(PATIENCE_S) == 0, said(slow)
    assert parts(slow)[0].stat().st_mtime_ns == first
    assert shard_files(slow) == undisturbed


def test_too_little_memory_is_more_at_the_next_attempt(slurm, slow, undisturbed):
    run = start(slow, *MANIFESTS, "--set-resources", "harvest_shard:mem_mb=attempt * attempt * 200")
    assert run.wait(PATIENCE_S) == 0, said(slow)
    assert {"OUT_OF_MEMORY", "FAILED", "CANCELLED"} & {job["JobState"] for job in slurm.jobs()}
    assert shard_files(slow) == undisturbed


def test_memory_is_raised_up_to_a_bound(slurm, slow):
    run = start(slow, MANIFESTS[0], "--set-resources", "harvest_shard:mem_mb=100")
    assert run.wait(PATIENCE_S) == 1, said(slow)
    tried = [job for job in slurm.jobs() if job["WorkDir"] == str(slow.folder) and "harvest_shard" in job["Comment"]]
    assert len(tried) == 3
    assert "Error in rule harvest_shard" in said(slow)
    assert not (slow / MANIFESTS[0]).exists()


def test_a_harvest_over_its_time_goes_on_from_its_last_part(slurm, trained, make_clone):
    clone = make_slow(make_clone, trained, n_tokens=100_000, per_shard=100_000)
    run = start(clone, MANIFESTS[0], "--set-resources", "harvest_shard:runtime=attempt * attempt")
    assert run.wait(2 * PATIENCE_S) == 0, said(clone)
    assert "TIMEOUT" in {job["JobState"] for job in slurm.jobs() if job["WorkDir"] == str(clone.folder)}
    times = [path.stat().st_mtime_ns for path in parts(clone)]
    assert max(times) - min(times) > 60e9
    assert times == sorted(times)


def test_a_node_that_goes_down_and_comes_back(slurm, slow, undisturbed):
    run = start(slow, *MANIFESTS)
    wait_until(lambda: len(parts(slow)) >= 3, run=run)
    subprocess.run(["scontrol", "update", f"nodename={slurm.host}", "state=down", "reason=test"], check=True)
    time.sleep(5)
    subprocess.run(["scontrol", "update", f"nodename={slurm.host}", "state=resume"], check=True)
    assert run.wait(PATIENCE_S) == 0, said(slow)
    assert shard_files(slow) == undisturbed


def test_a_controller_that_is_started_anew(slurm, slow, undisturbed):
    run = start(slow, *MANIFESTS)
    wait_until(lambda: len(parts(slow)) >= 3, run=run)
    slurm.stop_controller()
    time.sleep(5)
    slurm.start_controller()
    assert run.wait(PATIENCE_S) == 0, said(slow)
    assert shard_files(slow) == undisturbed


def test_a_killed_coordinator_leaves_harmless_jobs_behind(slurm, slow, undisturbed):
    run = start(slow, *MANIFESTS)
    wait_until(lambda: len(parts(slow)) >= 3, run=run)
    run.send_signal(signal.SIGKILL)
    run.wait()
    slow.snakemake("--unlock", profile="slurm")
    again = start(slow, *MANIFESTS)
    assert again.wait(PATIENCE_S) == 0, said(slow)
    wait_until(lambda: all(job["JobState"] not in ("RUNNING", "PENDING") for job in slurm.jobs()))
    assert shard_files(slow) == undisturbed
    assert "Nothing to be done" in slow.snakemake(*MANIFESTS, *QUICK, profile="slurm").stdout
