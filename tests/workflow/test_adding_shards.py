"""More tokens of the same corpus: finished shards are left alone, and the result is that of a run made at once."""

import pytest
from tiny_models import random_texts, save_jsonl, save_model, save_sae
from workflow_clone import Clone, job_table

from coactivation_manifolds.cli import main

pytestmark = pytest.mark.workflow

EXPERIMENT = """\
model: {{path: in/model}}
sae: {{path: in/sae}}
corpus: {{source: jsonl, path: in/corpus.jsonl, context_length: 16, n_tokens: {n_tokens}}}
harvest: {{device: cpu, gpus_per_job: 0, max_fvu: 1000.0, tokens_per_shard: 150}}
similarity: {{min_count: 2}}
"""
EDGES = "results/{}/similarity/edges.parquet"


@pytest.fixture(scope="module")
def grown(make_clone) -> tuple[Clone, dict[str, int]]:
    """A run of two shards that was given a third, and what the plan for it was."""
    clone = make_clone()
    (clone / "in").mkdir()
    save_jsonl(clone / "in/corpus.jsonl", random_texts(seed=4, n=40))
    save_model(clone / "in/model")
    save_sae(clone / "in/sae")
    clone.write_experiment("grown", EXPERIMENT.format(n_tokens=300))
    clone.snakemake(EDGES.format("grown"))
    clone.write_experiment("grown", EXPERIMENT.format(n_tokens=450))
    plan = job_table(clone.snakemake("-n", EDGES.format("grown")).stdout)
    clone.snakemake(EDGES.format("grown"))
    return clone, plan


def test_only_the_new_shard_is_harvested_and_counted(grown):
    _, plan = grown
    assert plan["plan_corpus"] == plan["harvest_shard"] == plan["count_shard"] == 1
    assert plan["recount_shard"] == 3


def test_the_same_edges_as_at_once(grown):
    clone, _ = grown
    clone.write_experiment("whole", EXPERIMENT.format(n_tokens=450))
    clone.snakemake(EDGES.format("whole"))
    assert (clone / EDGES.format("grown")).read_bytes() == (clone / EDGES.format("whole")).read_bytes()


def test_what_grew_verifies_and_is_explained_back_to_its_corpus(grown, monkeypatch, capsys):
    clone, _ = grown
    monkeypatch.chdir(clone.folder)
    assert main(["verify", "grown", "--deep", "--sample", "60"]) == 1  # only the edges were asked for
    out = capsys.readouterr().out
    assert "error:" not in out and "derived anew, 3 shards, seed 0: right" in out, out
    assert main(["explain", EDGES.format("grown")]) == 0
    out = capsys.readouterr().out
    assert "harvest_shard" in out and "given: in/model/" in out and "given: in/sae/" in out
    assert "corpus: source jsonl, " in out and "path in/corpus.jsonl" in out
    assert "given: in/corpus.jsonl" in out
