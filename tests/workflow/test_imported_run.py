"""Whole runs on a small set of imported activations."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from workflow_clone import ROOT, Clone, add_small_experiment, check_no_secret

from coactivation_manifolds.cli import main

pytestmark = pytest.mark.workflow

EDGES = "results/{}/similarity/edges.parquet"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def data_files(results: Path) -> dict[str, str]:
    """Hash of every data file from the reduce onward, by its path.

    Stability over shards is about how the corpus is cut: its columns are left out.
    """
    folders = ("index", "similarity", "clusters", "sweep", "geometry", "metadata")
    files = [path for folder in folders for path in sorted((results / folder).rglob("*")) if path.is_file()]
    own = {"shard_stats.parquet", "experiment.json", "stability.parquet"}
    found = {str(path.relative_to(results)): digest(path) for path in files if path.name not in own}
    for path in (*sorted((results / "geometry").glob("*/scores.parquet")), results / "finds.parquet"):
        table = pq.read_table(path)
        kept = [name for name in table.column_names if name not in ("stability", "stability_shards")]
        found[str(path.relative_to(results))] = str(table.select(kept).to_pylist()) + str(table.schema.metadata)
    return found


@pytest.fixture(scope="module")
def finished(make_clone) -> Clone:
    """The small experiment, run to its report."""
    clone = make_clone()
    add_small_experiment(clone, shards=3)
    clone.snakemake("results/small/report.html")
    return clone


def test_report_and_figures_are_there(finished):
    results = finished / "results/small"
    for name in ("report.html", "sweep/elbow.png", "sweep/summary.parquet", "similarity/tail.png"):
        assert (results / name).stat().st_size > 500, name
    drawn = list((results / "geometry/components_j0.30/atlas").glob("cluster=*/pca.png"))
    assert len(drawn) >= 5


def test_every_job_left_a_record_of_when_and_where(finished):
    records = {path.stem for path in (finished / "results/small/provenance").glob("*.json")}
    assert {"import_activations", "count_shard.000002", "cluster_edges.components_j0.30", "write_report"} <= records
    record = json.loads((finished / "results/small/provenance/count_shard.000000.json").read_text())
    assert record["started"] <= record["ended"]
    assert record["versions"]["numpy"] == np.__version__
    assert record["gpus"] == []


def test_no_secret_of_the_environment_is_written_down(finished):
    check_no_secret(finished)


def test_the_records_hold_the_hashes_of_all_that_was_written(finished, monkeypatch, capsys):
    monkeypatch.chdir(finished.folder)
    assert main(["verify", "small", "--deep"]) == 0, capsys.readouterr().out
    files = [path for path in Path("results/small").rglob("*") if path.is_file() and not path.name.startswith(".")]
    n_results = len([path for path in files if path.parent.name != "provenance"])
    assert f"{n_results} files, {n_results} of them compared with the hash" in capsys.readouterr().out
    main(["explain", "results/small/report.html"])
    out = capsys.readouterr().out
    assert "write_report" in out and "given: data/activations.parquet" in out


def test_the_repair_that_verify_prints_mends_a_damaged_part(finished, tmp_path, monkeypatch, capsys):
    shutil.copytree(finished.folder, tmp_path / "copy", symlinks=True)
    monkeypatch.chdir(tmp_path / "copy")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    part = Path("results/small/activations/shard=000001/part-00000.parquet")
    whole = part.read_bytes()
    part.write_bytes(whole[:1000] + bytes([whole[1000] ^ 1]) + whole[1001:])
    assert main(["verify", "small"]) == 4
    repair = capsys.readouterr().out.split("  repair: ")[1].splitlines()[0]
    assert repair.startswith(f"rm {part} ")
    command = repair.replace("snakemake", f"{sys.executable} -m snakemake --cores 2")
    subprocess.run(command, shell=True, check=True, capture_output=True)
    assert part.read_bytes() == whole
    assert str(part) not in (main(["verify", "small"]), capsys.readouterr().out)[1]


def test_snakemake_s_own_report_holds_the_figures(finished):
    finished.snakemake("--report", "snakemake.html", "--", "results/small/report.html")
    page = (finished / "snakemake.html").read_text(encoding="utf-8")
    for name in ("elbow.png", "tail.png", "cluster=0000/pca.png"):
        assert name in page, name


def test_the_planted_groups_are_found(finished):
    table = pq.read_table(finished / "results/small/clusters/components_j0.30/clusters_summary.parquet")
    found = {tuple(members) for members in table["members"].to_pylist()}
    for group in range(5):
        assert tuple(range(6 * group, 6 * group + 6)) in found


def test_edges_equal_a_dense_count(finished, tmp_path):
    dense = add_small_experiment(Clone(tmp_path / "again"))
    fires = (dense > 0).astype(np.int64)
    joint = fires.T @ fires
    n = fires.sum(axis=0)
    expected = {
        (a, b): joint[a, b]
        for a in range(len(n))
        for b in range(a + 1, len(n))
        if joint[a, b] >= 5 and joint[a, b] * 100 >= 2 * (n[a] + n[b] - joint[a, b])
    }
    edges = pq.read_table(finished / EDGES.format("small"))
    assert {
        (a, b): c for a, b, c in zip(*(edges[k].to_pylist() for k in ("feature_a", "feature_b", "n_ab")), strict=True)
    } == (expected)


def test_a_second_run_has_nothing_to_do(finished):
    assert "Nothing to be done" in finished.snakemake("results/small/report.html").stdout


def test_one_figure_is_asked_for_by_its_name(finished):
    target = "results/small/geometry/components_j0.25/cluster=0001/pca.png"
    finished.snakemake(target)
    folder = (finished / target).parent
    assert {path.name for path in folder.iterdir()} == {
        "pca.png",
        "pca_activations.png",
        "pca.npz",
        "points.parquet",
        "cluster.html",
    }
    assert not (finished / "results/small/geometry/components_j0.25/atlas").exists()


def test_leiden_and_cosine_clusterings_are_asked_for_by_name(finished):
    names = ["leiden_modularity_jaccard_j0.05_r1.000_s0", "components_j0.30_cos0.80", "cosine_matched_components_j0.30"]
    finished.snakemake(*(f"results/small/clusters/{name}/clusters.parquet" for name in names))


@pytest.mark.parametrize(("shards", "cores"), [(1, "1"), (16, "2")])
def test_shards_and_cores_change_nothing(finished, clone, shards, cores):
    add_small_experiment(clone, shards=shards)
    clone.snakemake("--cores", cores, "results/small/report.html")
    reference = data_files(finished / "results/small")
    reference = {name: value for name, value in reference.items() if "components_j0.25" not in name}
    found = data_files(clone / "results/small")
    assert {name: found.get(name) for name in found} == {name: reference.get(name) for name in found}
    assert len(found) > 20


def test_a_changed_threshold_reruns_only_its_clustering(finished):
    finished.write_experiment(
        "other",
        (finished / "config/experiments/small.yaml").read_text().replace("components_j0.30", "components_j0.35"),
    )
    shutil.copytree(finished / "results/small", finished / "results/other", dirs_exist_ok=True)
    shutil.copytree(finished / ".snakemake", finished / ".snakemake-kept")
    plan = finished.snakemake("-n", "results/small/clusters/components_j0.40/clusters.parquet").stdout
    assert "cluster_edges" in plan
    assert "count_shard" not in plan and "reduce_counts" not in plan


def test_manifest_says_what_is_in_the_shard(finished):
    manifest = json.loads((finished / "results/small/activations/shard=000001/manifest.json").read_text())
    assert manifest["n_tokens"] == 1000
    assert manifest["n_latents"] == 60
