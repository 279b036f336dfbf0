"""Jobs wait for what they need, and share cores, GPUs and places."""

from math import inf

import pytest

from coactivation_manifolds.estimate.schedule import elapsed_seconds
from coactivation_manifolds.estimate.stages import Stage


def stage(name, *needs, n_jobs=1, per_shard=False, threads=1, gpus=0):
    return Stage(
        name=name,
        rule=name,
        job={},
        files={},
        n_jobs=n_jobs,
        needs=needs,
        per_shard=per_shard,
        threads=threads,
        gpus=gpus,
    )


def test_stages_that_need_one_another_follow():
    stages = [stage("a"), stage("b", "a", n_jobs=4), stage("c", "b")]
    assert elapsed_seconds(stages, {"a": 1, "b": 2, "c": 3})[0] == 6
    elapsed, ended = elapsed_seconds(stages, {"a": 1, "b": 2, "c": 3}, cores=2)
    assert elapsed == 8
    assert ended == {"a": 1, "b": 5, "c": 8}
    assert elapsed_seconds(stages, {"a": 1, "b": 2, "c": 3}, jobs=1)[0] == 12


def test_a_shard_waits_for_its_own_shard_only():
    shards = {"n_jobs": 3, "per_shard": True}
    stages = [stage("harvest", gpus=1, **shards), stage("count", "harvest", **shards), stage("reduce", "count")]
    elapsed, ended = elapsed_seconds(stages, {"harvest": 10, "count": 4, "reduce": 1}, cores=4, gpus=1)
    assert ended["harvest"] == 30
    assert elapsed == 35


def test_a_job_that_asks_for_more_than_there_is_takes_all():
    stages = [stage("wide", n_jobs=2, threads=8, gpus=4)]
    assert elapsed_seconds(stages, {"wide": 3}, cores=2, gpus=1)[0] == 6
    assert elapsed_seconds(stages, {"wide": 3}, cores=inf, gpus=inf)[0] == 3


def test_what_is_not_here_counts_as_done():
    assert elapsed_seconds([stage("b", "a")], {"b": 2})[0] == pytest.approx(2)
    assert elapsed_seconds([], {})[0] == 0
