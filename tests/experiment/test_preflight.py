"""What is looked at before a run: files, SAE ids, doubtful settings."""

from pathlib import Path

import pytest
from workflow_clone import ROOT

from coactivation_manifolds.experiment.files import merge, resolve
from coactivation_manifolds.experiment.preflight import (
    missing_files,
    pretrained_problems,
    shard_warnings,
    smallest_shard,
    warnings,
)

REFERENCE = ROOT / "config/experiments/gemma-2-2b_layer12_65k.yaml"


def reference(**changes):
    return merge(resolve(REFERENCE, ROOT / "config"), changes)


def imported(**changes):
    values = {"format": "parquet", "path": "x.parquet", "n_latents": 9, "shards": 1, "decoder": None, "tokens": None}
    return {"name": "mine", "activations": values | changes}


@pytest.mark.parametrize("path", sorted((ROOT / "config/experiments").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_experiments_that_ship_lack_nothing(path):
    config = resolve(path, ROOT / "config")
    assert missing_files(config) == []
    assert pretrained_problems(config) == []


def test_missing_files_are_named_with_the_place_they_were_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = reference(model={"path": "model"}, sae={"path": "sae"}, corpus={"path": "text/*.jsonl"})
    assert missing_files(config) == [
        f"model.path: the folder model does not exist (seen from {tmp_path})",
        f"sae.path: the folder sae does not exist (seen from {tmp_path})",
        f"corpus.path: no file matches text/*.jsonl (seen from {tmp_path})",
    ]
    for folder in ("model", "sae", "text"):
        Path(folder).mkdir()
    Path("text/a.jsonl").touch()
    assert missing_files(config) == [
        "model.path: model holds no config.json, so it is not a model saved by transformers",
        "sae.path: sae holds no cfg.json, so it is not an SAE saved by sae-lens",
    ]
    Path("model/config.json").touch()
    Path("sae/cfg.json").touch()
    assert missing_files(config) == []
    assert (
        missing_files(reference(model={"path": str(tmp_path / "model")}, corpus={"path": str(tmp_path / "*/a*")})) == []
    )


def test_missing_files_of_an_import(tmp_path):
    absent = str(tmp_path / "absent.npy")
    assert missing_files(imported(path=str(tmp_path / "*.parquet"), decoder=absent)) == [
        f"activations.path: no file matches {tmp_path}/*.parquet",
        f"activations.decoder: there is no file or folder {absent}",
    ]
    (tmp_path / "empty").mkdir()
    assert missing_files(imported(path=str(tmp_path / "empty"))) == [
        f"activations.path: the folder {tmp_path}/empty is empty"
    ]


def test_what_the_workflow_makes_need_not_be_there():
    assert missing_files(reference(model={"path": "results/x/trained/model"})) == []


def test_a_wrong_release_or_id_is_found_offline():
    (problem,) = pretrained_problems(reference(sae={"release": "gemma-scope-2b-pt-res-canonicl"}))
    assert 'did you mean "gemma-scope-2b-pt-res-canonical"' in problem
    (problem,) = pretrained_problems(reference(sae={"sae_id": "layer_12/width_65/canonical"}))
    assert "layer_12/width_65k/canonical" in problem
    assert pretrained_problems(imported()) == []


def test_doubtful_settings_are_warnings():
    quiet = reference(model={"revision": "abc"}, corpus={"revision": "def"})
    assert warnings(quiet, REFERENCE) == []
    assert "model.revision and corpus.revision: null takes the newest commit" in warnings(reference(), REFERENCE)[0]
    small = warnings(merge(quiet, {"harvest": {"tokens_per_shard": 10_000}}), REFERENCE)
    assert len(small) == 1 and "tokens_per_shard = 10,000 makes shards of about 10,000 tokens, small" in small[0]
    assert "asks for a GPU" in warnings(merge(quiet, {"harvest": {"device": "cpu"}}), REFERENCE)[0]
    assert "it will not be used" in warnings(merge(quiet, {"training": {"recipe": "x"}}), REFERENCE)[0]
    assert "larger shards" in warnings(imported(shards=6_000), Path("config/experiments/mine.yaml"))[0]
    assert "this file lies elsewhere" in warnings(quiet, Path("mine.yaml"))[0]


def test_shards_are_small_for_a_floor():
    assert smallest_shard(0.02) == 50_000
    assert smallest_shard(0.01) == 100_000
    assert smallest_shard(0) == 0
    activations = merge(imported(shards=100), {"similarity": {"jaccard_floor": 0.02}})
    for floor, warned in ((0.02, True), (0.05, False), (0, False)):
        config = merge(activations, {"similarity": {"jaccard_floor": floor}})
        assert bool(shard_warnings(config, 3_000_000, "activations.shards = 100")) == warned
    (small,) = shard_warnings(activations, 3_000_000, "shards = 100")
    assert "shards = 100 makes shards of about 30,000 tokens, small for similarity.jaccard_floor = 0.02" in small
    assert "250,000 is good, 12 shards in all" in small
    one = merge(activations, {"activations": {"shards": 1}})
    (large,) = shard_warnings(one, 1_400_000, "activations.shards = 1")
    assert "one job counts each of them in memory; 250,000 is good, 6 shards in all" in large
    assert shard_warnings(one, 900_000, "activations.shards = 1") == []
