"""The demo as a user runs it: its planted ring and triangle are found by co-activation."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from workflow_clone import Clone, check_no_secret

from coactivation_manifolds.activations.activation_reader import read_shard

pytestmark = [pytest.mark.workflow, pytest.mark.slow]


@pytest.fixture(scope="module")
def demo(make_clone) -> Clone:
    clone = make_clone()
    clone.snakemake("results/demo/report.html", "results/demo/geometry/components_j0.20/cluster=0000/pca.png")
    return clone


@pytest.mark.parametrize(("process", "smallest_r2"), [("ring", 0.95), ("simplex", 0.9)])
def test_the_planted_process_is_read_from_a_cluster(demo, process, smallest_r2):
    check = json.loads((demo / "results/demo/planted/check.json").read_text(encoding="utf-8"))[process]
    assert check["r2"] >= smallest_r2
    assert check["purity"] >= 0.9
    assert check["coverage"] >= 0.85


def test_no_secret_of_the_environment_is_written_down(demo):
    check_no_secret(demo)


def test_edges_equal_a_dense_count_of_the_whole_demo(demo):
    manifests = sorted((demo / "results/demo/activations").glob("shard=*/manifest.json"))
    joint = np.zeros((128, 128), dtype=np.int64)
    firings = np.zeros(128, dtype=np.int64)
    for manifest in manifests:
        rows = read_shard(manifest)
        fires = np.zeros((rows.n_tokens, rows.n_latents), dtype=np.int64)
        fires[np.repeat(np.arange(rows.n_tokens), np.diff(rows.offsets)), rows.feature_ids] = 1
        joint += fires.T @ fires
        firings += fires.sum(axis=0)
    union = firings[:, None] + firings[None, :] - joint
    keep = (joint >= 20) & (joint * 100 >= 2 * union) & (firings >= 100)[:, None] & (firings >= 100)[None, :]
    a, b = np.nonzero(np.triu(keep, k=1))
    edges = pq.read_table(demo / "results/demo/similarity/edges.parquet")
    for name, expected in {"feature_a": a, "feature_b": b, "n_ab": joint[a, b], "n_a": firings[a]}.items():
        assert edges[name].to_pylist() == expected.tolist(), name
    np.testing.assert_array_equal(edges["jaccard"].to_numpy(), joint[a, b] / union[a, b])


def test_the_report_is_self_contained(demo):
    page = (demo / "results/demo/report.html").read_text(encoding="utf-8")
    assert "http://" not in page.replace("http://www.w3.org", "") and "<script src" not in page


def test_a_second_run_has_nothing_to_do(demo):
    assert "Nothing to be done" in demo.snakemake("results/demo/report.html").stdout
