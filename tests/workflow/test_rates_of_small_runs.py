"""A small run says how many bytes and increments a larger one takes."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from workflow_clone import SMALL_EXPERIMENT, Clone, planted_activations, token_major_table

from coactivation_manifolds.cli import main

pytestmark = pytest.mark.workflow

SMALL, LARGE = 3_000, 12_000


def add_experiment(clone: Clone, name: str, n_tokens: int) -> None:
    """Shards of 3,000 tokens; the smaller experiment is the beginning of the larger."""
    dense = np.concatenate([planted_activations(seed=seed) for seed in range(n_tokens // 3_000)])
    (clone / f"data/{name}").mkdir(parents=True)
    pq.write_table(token_major_table(dense), clone / f"data/{name}/rows.parquet")
    decoder = np.random.default_rng(0).normal(size=(dense.shape[1], 16)).astype(np.float32)
    np.save(clone / "data/decoder.npy", decoder)
    text = SMALL_EXPERIMENT.format(shards=n_tokens // 3_000).replace("data/*.parquet", f"data/{name}/*.parquet")
    clone.write_experiment(name, text)


@pytest.fixture(scope="module")
def finished(make_clone) -> Clone:
    clone = make_clone()
    for name, n_tokens in (("small", SMALL), ("large", LARGE)):
        add_experiment(clone, name, n_tokens)
        clone.snakemake(f"results/{name}/report.html")
    return clone


@pytest.fixture
def in_clone(finished, monkeypatch) -> Clone:
    monkeypatch.chdir(finished.folder)
    return finished


def test_bytes_and_increments_of_a_larger_run(in_clone, capsys):
    assert main(["estimate", "large", "--calibrate", "small", "--json"]) == 0
    estimate = json.loads(capsys.readouterr().out)
    totals = json.loads((in_clone / "results/large/cooccurrence/totals.json").read_text())
    increments = sum(k * (k - 1) / 2 * tokens for k, tokens in totals["k_t"])
    assert estimate["sizes"]["entries"] == totals["n_entries"]
    assert estimate["sizes"]["increments"] == pytest.approx(increments, rel=0.02)
    assert estimate["sizes"]["edges"] == pytest.approx(totals["n_edges"], rel=0.3)
    for stage, folder in (("import_activations", "activations"), ("build_index", "index")):
        files = [path for path in (in_clone / f"results/large/{folder}").rglob("*") if path.is_file()]
        measured = sum(path.stat().st_size for path in files)
        assert estimate["stages"][stage]["disk_bytes"] == pytest.approx(measured, rel=0.3), stage
    records = {path.stem.split(".")[0] for path in (in_clone / "results/large/provenance").glob("*.json")}
    assert {stage.split(",")[0] for stage in estimate["stages"]} == records


def test_rates_are_written_and_read(in_clone, capsys):
    assert main(["estimate", "large", "--calibrate", "results/small", "--write-rates", "rates.yaml"]) == 0
    first = capsys.readouterr().out
    assert main(["estimate", "large", "--rates", "rates.yaml"]) == 0
    again = capsys.readouterr().out
    # the file holds rates with a few digits: increments may differ in the last ones
    assert again.splitlines()[0].rsplit(":", 1)[0] == first.splitlines()[0].rsplit(":", 1)[0]
    assert "~count_shard" not in again and "count_shard" in again
    assert "small" in (in_clone / "rates.yaml").read_text()


def test_a_run_without_records_is_refused(in_clone, capsys):
    (in_clone / "results/empty").mkdir()
    in_clone.write_experiment("empty", (in_clone / "config/experiments/small.yaml").read_text())
    assert main(["estimate", "large", "--calibrate", "empty"]) == 4
    assert "no finished run to calibrate on" in capsys.readouterr().err
