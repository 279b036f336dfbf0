"""How a result came about, what can be asked for, and what a supplement holds."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from tiny_run import HEADLINE

from coactivation_manifolds.cli import main

SUMMARY = f"results/tiny/clusters/{HEADLINE}/clusters_summary.parquet"


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    captured = capsys.readouterr()
    assert "Traceback" not in captured.out + captured.err
    return code, captured.out, captured.err


# explain


def test_a_chain_goes_back_to_the_import(results, capsys):
    code, out, _ = run(capsys, "explain", SUMMARY)
    assert code == 0
    rules = [line.split()[0] for line in out.splitlines()[1:] if not line.startswith(" ")]
    assert rules[0] == "summarize_clusters" and set(rules) == {
        "summarize_clusters",
        "cluster_edges",
        "reduce_counts",
        "recount_shard",
        "merge_candidates",
        "count_shard",
        "build_index",
        "describe_sae",
        "publish_import_shard",
        "import_activations",
    }
    assert out.splitlines()[0] == f"{SUMMARY}: as its job wrote it"
    assert "count_shard 000000 and 1 more like it" in out or "count_shard 000001 and 1 more like it" in out
    assert "jaccard_floor=0.02, min_count=5, min_firings=1, max_density=None" in out
    given = hashlib.sha256(Path("data/activations.parquet").read_bytes()).hexdigest()
    assert f"given: data/activations.parquet ({Path('data/activations.parquet').stat().st_size:,} bytes" in out
    assert f"SHA-256 {given[:12]}…" in out
    assert "imported: the activations were made elsewhere" in out


def test_explain_as_json_holds_the_whole_records(results, capsys):
    steps = json.loads(run(capsys, "explain", SUMMARY, "--json")[1])
    by_rule = {step["rule"]: step for step in steps}
    assert by_rule["count_shard"]["jobs"] == 2
    assert by_rule["cluster_edges"]["wildcards"]["clustering"] == HEADLINE
    assert {"started", "ended", "host", "workflow_commit", "versions", "inputs", "outputs"} <= set(steps[0])


def test_explain_of_a_part_and_of_a_changed_file(results, capsys):
    out = run(capsys, "explain", "results/tiny/activations/shard=000001/part-00000.parquet")[1]
    assert "publish_import_shard 000001" in out and "import_activations" in out
    edges = Path("results/tiny/similarity/edges.parquet")
    edges.write_bytes(edges.read_bytes() + b" ")
    assert "CHANGED since its job wrote it" in run(capsys, "explain", str(edges))[1]


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("results/tiny/nothing.parquet", "does not exist; give a file below results/"),
        ("data/activations.parquet", "lies in no results folder"),
        ("results/tiny/notes.txt", "tells how it was made; it is none of the workflow's"),
    ],
)
def test_explain_of_what_no_record_knows(results, capsys, file, expected):
    (results / "notes.txt").touch()
    code, _, err = run(capsys, "explain", file)
    assert code == 4 and expected in err and err.count("\n") == 1


def test_explain_of_a_record_of_an_earlier_version(results, capsys):
    record = results / f"provenance/summarize_clusters.{HEADLINE}.json"
    content = json.loads(record.read_text())
    record.write_text(json.dumps({key: content[key] for key in ("started", "ended", "host")}))
    code, _, err = run(capsys, "explain", SUMMARY)
    assert code == 4 and "names no inputs: it was written by an earlier version" in err


def test_a_corpus_and_a_model_end_a_chain(results, capsys):
    """A harvested experiment, as its records tell of it."""
    folder = Path("results/harvested")
    plan, manifest = folder / "corpus/plan.json", folder / "activations/shard=000000/manifest.json"
    for path in (plan, manifest):
        path.parent.mkdir(parents=True)
    plan.write_text("{}")
    manifest.write_text(json.dumps({"model_commit": "abc123"}))
    common = {"started": "2026-01-01", "ended": "2026-01-01", "host": "h", "versions": {}}
    corpus = {"source": "hub", "name": "monology/pile", "revision": "5a1b2c3", "n_tokens": 10}
    told = {"path": plan.as_posix(), "size": 2, "sha256": "0"}
    (folder / "provenance").mkdir()
    planned = common | {"rule": "plan_corpus", "wildcards": {"experiment": "harvested"}, "params": {"corpus": corpus}}
    harvested = common | {
        "rule": "harvest_shard",
        "wildcards": {"experiment": "harvested", "shard": "000000"},
        "inputs": [told],
        "outputs": [{"path": manifest.as_posix(), "size": 1, "sha256": "0"}],
    }
    (folder / "provenance/plan_corpus.json").write_text(json.dumps(planned | {"inputs": [], "outputs": [told]}))
    (folder / "provenance/harvest_shard.000000.json").write_text(json.dumps(harvested))
    out = run(capsys, "explain", str(manifest))[1]
    assert "model commit: abc123" in out
    assert "corpus: source hub, name monology/pile, revision 5a1b2c3" in out


# targets


def test_targets_say_what_is_there(results, capsys):
    code, out, _ = run(capsys, "targets", "tiny")
    assert code == 0
    lines = [line.strip() for line in out.splitlines()]
    assert "complete  results/tiny/similarity/edges.parquet" in lines
    assert "missing   results/tiny/report.html" in lines
    assert f"missing   results/tiny/geometry/{HEADLINE}/cluster=0003/pca.png" in lines
    assert f"missing   results/tiny/geometry/{HEADLINE}/atlas" in lines
    assert not [line for line in lines if "index.html" in line]
    assert lines[-1] == "make one with: snakemake --profile local PATH"


def test_targets_of_one_stage(results, capsys):
    out = run(capsys, "targets", "results/tiny", "--stage", "sweep")[1]
    assert out.splitlines()[:3] == [
        "sweep:",
        "  complete  results/tiny/sweep/elbow.png",
        "  complete  results/tiny/sweep/summary.parquet",
    ]
    code, _, err = run(capsys, "targets", "tiny", "--stage", "sweeps")
    assert code == 2 and 'did you mean "sweep"' in err


def test_many_shards_are_one_line(results, capsys):
    out = run(capsys, "targets", "gpt2-small_layer7")[1]
    assert "results/gpt2-small_layer7/activations/shard=000000/manifest.json  and so on, 20 shards" in out
    assert "corpus/shard=" not in out  # comes with the plan
    one = run(capsys, "targets", "gpt2-small_layer7", "--stage", "activations")[1]
    assert one.count("manifest.json") == 20


# export


def test_an_export_holds_tables_figures_configuration_and_provenance(results, capsys):
    code, out, _ = run(capsys, "export", "tiny", "supplement")
    assert code == 0, out
    found = {path.relative_to("supplement").as_posix() for path in Path("supplement").rglob("*") if path.is_file()}
    assert {
        "manifest.json",
        "SHA256SUMS",
        "config/config.yaml",
        "config/experiments/tiny.yaml",
        f"clusters/{HEADLINE}/clusters_summary.parquet",
        f"geometry/{HEADLINE}/variance.parquet",
        "sweep/elbow.png",
        "provenance/reduce_counts.json",
    } <= found
    assert not [name for name in found if name.startswith(("activations/", "index/", "cooccurrence/shard", "corpus/"))]
    assert "similarity/edges.parquet" not in found
    content = json.loads(Path("supplement/manifest.json").read_text())
    assert {each["path"] for each in content["files"]} == found - {"manifest.json", "SHA256SUMS"}
    for each in content["files"]:
        copy = Path("supplement") / each["path"]
        assert each["bytes"] == copy.stat().st_size
        assert each["sha256"] == hashlib.sha256(copy.read_bytes()).hexdigest()


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="no sha256sum here")
def test_the_hashes_are_checked_by_sha256sum(results, capsys):
    run(capsys, "export", "tiny", "supplement", "--edges")
    assert Path("supplement/similarity/edges.parquet").is_file()
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd="supplement", check=True)


def test_an_export_takes_the_extended_experiments_along(results, capsys):
    Path("config/experiments/base.yaml").write_text(Path("config/experiments/tiny.yaml").read_text())
    Path("config/experiments/tiny.yaml").write_text("extends: base\n")
    run(capsys, "export", "tiny", "supplement")
    assert Path("supplement/config/experiments/base.yaml").is_file()


@pytest.mark.parametrize(
    ("target", "code", "expected"),
    [
        ("data", 2, "exists and is not empty"),
        ("results/tiny/supplement", 2, "where only the workflow writes"),
        ("results/supplement", 2, "where only the workflow writes"),
    ],
)
def test_an_export_overwrites_nothing(results, capsys, target, code, expected):
    found, _, err = run(capsys, "export", "tiny", target)
    assert found == code and expected in err
    assert not (Path("results/tiny/supplement").exists() or Path("results/supplement").exists())


def test_a_changed_result_is_not_exported(results, capsys):
    path = results / "sweep/summary.parquet"
    path.write_bytes(path.read_bytes() + b" ")
    code, _, err = run(capsys, "export", "tiny", "supplement")
    assert code == 4 and f"{path} was changed since its job wrote it; make it anew with: rm {path}" in err
    assert not list(Path().glob("*supplement*"))
