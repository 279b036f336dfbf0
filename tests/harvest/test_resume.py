"""Killed, repeated and doubled harvests end with the bytes of an undisturbed one."""

import multiprocessing
import os
import random
import signal
import time

import pytest
from harvest_bench import files_of

N_TOKENS = 600
SETTINGS = {"batch_size": 2, "batches_per_part": 1}
PATIENCE = 60.0

# forked, so that the children need not import torch again
fork = multiprocessing.get_context("fork")


@pytest.fixture(scope="module")
def undisturbed(bench, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed")
    bench.plan(out, n_tokens=N_TOKENS, tokens_per_shard=N_TOKENS)
    files = files_of(bench.harvest(out, corpus={"n_tokens": N_TOKENS}, **SETTINGS))
    assert len(files) > 25
    return files


@pytest.fixture
def out(bench, tmp_path):
    bench.plan(tmp_path, n_tokens=N_TOKENS, tokens_per_shard=N_TOKENS)
    return tmp_path


def start(bench, out):
    child = fork.Process(target=bench.harvest, args=(out,), kwargs={"corpus": {"n_tokens": N_TOKENS}, **SETTINGS})
    child.start()
    return child


def parts(out):
    return sorted((out / "activations" / "shard=000000").glob("part-*.parquet"))


def wait_for(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.001)


@pytest.mark.parametrize("seed", [0, 1])
def test_killed_three_times_at_random(bench, out, undisturbed, seed):
    chance = random.Random(seed)
    kills = sorted(chance.sample(range(1, 22), 3))
    for target in kills:
        child = start(bench, out)
        wait_for(lambda target=target: len(parts(out)) >= target)
        time.sleep(chance.uniform(0, 0.01))
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        assert child.exitcode == -signal.SIGKILL
        assert not (out / "activations" / "shard=000000" / "manifest.json").exists()
    standing = {path: path.stat().st_mtime_ns for path in parts(out)}
    assert len(standing) >= kills[-1]
    manifest = bench.harvest(out, corpus={"n_tokens": N_TOKENS}, **SETTINGS)
    assert files_of(manifest) == undisturbed
    # complete parts were not computed again
    assert {path: path.stat().st_mtime_ns for path in standing} == standing


def test_two_at_once(bench, out, undisturbed):
    children = [start(bench, out) for _ in range(2)]
    for child in children:
        child.join(PATIENCE)
    assert [child.exitcode for child in children] == [0, 0]
    assert files_of(out / "activations" / "shard=000000" / "manifest.json") == undisturbed


def test_a_second_start_after_the_end_changes_nothing(bench, out, undisturbed):
    for _ in range(2):
        manifest = bench.harvest(out, corpus={"n_tokens": N_TOKENS}, **SETTINGS)
        assert files_of(manifest) == undisturbed
