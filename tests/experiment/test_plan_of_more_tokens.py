"""Which shards a plan for more tokens leaves as they were."""

import copy

import pytest
from workflow_clone import ROOT

from coactivation_manifolds.experiment.config import load_experiment, plan_keeps_shard, plan_settings


@pytest.fixture
def config():
    config = copy.deepcopy(load_experiment("demo", ROOT / "config"))
    config["corpus"]["n_tokens"], config["harvest"]["tokens_per_shard"] = 450, 100
    return config


def plan_of(config, *, n_tokens):
    per_shard = config["harvest"]["tokens_per_shard"]
    settings = plan_settings(config["corpus"], config["model"], config["sae"], tokens_per_shard=per_shard)
    return {"settings": settings, "n_tokens_asked": n_tokens}


@pytest.mark.parametrize(
    ("n_tokens", "kept"),
    [
        (450, [True, True, True, True, True]),  # the same
        (400, [True, True, True, True, False]),  # one more shard
        (330, [True, True, True, False, False]),  # the last one was cut short
        (900, [True, True, True, True, False]),  # now it is cut short
    ],
)
def test_full_shards_stay(config, n_tokens, kept):
    plan = plan_of(config, n_tokens=n_tokens)
    assert [plan_keeps_shard(plan, config, shard) for shard in range(5)] == kept


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [("corpus", "context_length", 32), ("model", "path", "elsewhere"), ("harvest", "tokens_per_shard", 50)],
)
def test_any_other_change_keeps_none(config, section, key, value):
    plan = plan_of(copy.deepcopy(config), n_tokens=450)
    config[section][key] = value
    assert not plan_keeps_shard(plan, config, 0)


def test_a_plan_of_an_earlier_version_keeps_none(config):
    assert not plan_keeps_shard({"n_tokens_asked": 450}, config, 0)
    assert not plan_keeps_shard({}, config, 0)
