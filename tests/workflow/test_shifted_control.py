"""A run with shifted controls: their edges are those of rolled activations, and the report sets them beside."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from workflow_clone import Clone, add_small_experiment, planted_activations

from coactivation_manifolds.activations.circular_shift import draw_shifts
from coactivation_manifolds.cli import main

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def finished(make_clone) -> Clone:
    """The small experiment with two controls, run to its report."""
    clone = make_clone()
    add_small_experiment(clone, shards=2)
    path = clone / "config/experiments/small.yaml"
    path.write_text(path.read_text() + "control: {shift_seeds: [0, 3]}\n")
    clone.snakemake("results/small/report.html")
    return clone


def test_a_control_s_edges_are_those_of_rolled_activations(finished):
    dense = planted_activations() > 0
    shifts = draw_shifts(dense.shape[1], len(dense), seed=3)
    rolled = np.stack([np.roll(column, shift) for column, shift in zip(dense.T, shifts, strict=True)], axis=1)
    joint = rolled.T.astype(np.int64) @ rolled.astype(np.int64)
    edges = pq.read_table(finished / "results/small/null/shift_s3/similarity/edges.parquet")
    a, b = edges["feature_a"].to_numpy(), edges["feature_b"].to_numpy()
    np.testing.assert_array_equal(edges["n_ab"].to_numpy(), joint[a, b])
    n = np.diag(joint)
    union = n[:, None] + n[None, :] - joint
    assert len(edges) == (np.triu((joint >= 5) & (joint * 100 >= 2 * union), 1)).sum()


def test_what_was_planted_is_not_found_in_the_controls(finished):
    rows = pq.read_table(finished / "results/small/null/shift_summary.parquet").to_pylist()
    opened = [row for row in rows if row["clustering"] == "components_j0.30"]
    assert [row["shift_seed"] for row in opened] == [None, 0, 3]
    own, *controls = opened
    assert own["n_clusters"] == own["n_with_points"] == 5
    for control in controls:
        assert control["n_clusters"] == control["n_with_points"] == 0
        assert control["n_edges_significant"] <= 0.05 * own["n_edges_significant"]


def test_the_report_tells_it_and_records_lie_with_the_control(finished):
    page = (finished / "results/small/report.html").read_text(encoding="utf-8")
    assert "By chance" in page and "2 such controls" in page
    assert (finished / "results/small/null/shift_s0/provenance/count_shard.000001.json").exists()
    assert "Nothing to be done" in finished.snakemake("results/small/report.html").stdout


def test_a_wrong_clustering_of_a_control_is_told_at_once(finished):
    run = finished.snakemake("results/small/null/shift_s0/clusters/components_j0.01/clusters.parquet", check=False)
    assert run.returncode != 0
    assert "below similarity.jaccard_floor" in run.stdout


def test_the_experiment_and_its_controls_verify(finished, monkeypatch, capsys):
    monkeypatch.chdir(finished.folder)
    assert main(["verify", "small", "--deep", "--sample", "60"]) == 0, capsys.readouterr().out
    out = capsys.readouterr().out
    for place in ("the experiment", "null/shift_s0", "null/shift_s3"):
        assert f"numbers of {place} derived anew, 2 shards, seed 0: right" in out
