"""What a job records: hashes of inputs and outputs, each large file read through once."""

import hashlib
import json
import os
from pathlib import Path

import pytest
from tiny_run import HEADLINE, Files, run
from workflow_clone import ROOT

from coactivation_manifolds import file_hashes, paths
from coactivation_manifolds.errors import ResultsError
from coactivation_manifolds.file_hashes import KnownFiles, describe_output, sha256_of_sample
from coactivation_manifolds.file_kinds import FILES, kind_of
from coactivation_manifolds.provenance import plain

RULES = sorted((ROOT / "rules").glob("*.smk"))


def record_of(results: Path, name: str) -> dict:
    return json.loads((results / f"provenance/{name}.json").read_text())


def sha256(path: str | Path) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_a_record_names_rule_params_inputs_and_outputs(results):
    record = record_of(results, "count_shard.000001")
    assert record["rule"] == "count_shard"
    assert record["wildcards"] == {"experiment": "tiny", "shard": "000001"}
    assert record["params"] == {"version": 1, "jaccard_floor": 0.02, "positions": None}
    manifest = "results/tiny/activations/shard=000001/manifest.json"
    assert record["inputs"] == [{"path": manifest, "size": Path(manifest).stat().st_size, "sha256": sha256(manifest)}]
    assert len(record["outputs"]) == 3
    assert all(each["sha256"] == sha256(each["path"]) for each in record["outputs"])
    assert record["hashing_seconds"] >= 0


def test_every_input_and_output_of_every_record_has_its_hash(results):
    records = [json.loads(path.read_text()) for path in (results / "provenance").glob("*.json")]
    described = [each for record in records for each in record["inputs"] + record["outputs"]]
    assert len(records) > 15 and len(described) > 60
    assert all(each["sha256"] == sha256(each["path"]) for each in described)


def test_a_large_file_is_read_through_once(results, monkeypatch):
    """Here every file is large: what jobs read is recognised by its sample, without hashing it again."""
    monkeypatch.setattr(file_hashes, "BLOCK_BYTES", 4)
    written = "results/tiny/index/values.npy"
    record = record_of(results, "build_index")
    for each in record["outputs"]:
        each.update(describe_output(Path(each["path"])))
    (results / "provenance/build_index.json").write_text(json.dumps(record))

    def refuse(path: object) -> str:
        raise AssertionError(f"{path} was hashed again")

    monkeypatch.setattr(file_hashes, "sha256_file", refuse)
    found = KnownFiles("tiny").describe_input(Path(written))
    assert found["sha256"] == sha256(written)
    assert found["sha256_of_sample"] == sha256_of_sample(Path(written), Path(written).stat().st_size)
    content = bytearray(Path(written).read_bytes())
    content[-1] ^= 1
    Path(written).write_bytes(content)
    with pytest.raises(AssertionError, match="hashed again"):
        KnownFiles("tiny").describe_input(Path(written))
    monkeypatch.setattr(file_hashes, "WHOLE_BYTES", 10)
    assert "sha256" not in KnownFiles("tiny").describe_input(Path(written))


def plot_sweep(summary: str = "results/tiny/sweep/summary.parquet") -> None:
    run("plot_sweep", inputs={"summary": summary}, outputs={"figure": "results/tiny/sweep/elbow.png"})


def test_a_job_refuses_a_result_that_was_changed_since(results, capsys):
    summary, figure = results / "sweep/summary.parquet", results / "sweep/elbow.png"
    figure.unlink()
    content = summary.read_bytes()
    summary.write_bytes(content[:-100] + bytes([content[-100] ^ 1]) + content[-99:])
    with pytest.raises(SystemExit):
        plot_sweep()
    told = capsys.readouterr().err
    assert f"error: {summary} was changed after its job had written it" in told
    assert f"delete it and run the same command again: rm {summary}\n" in told
    assert not figure.exists()
    summary.write_bytes(content)
    plot_sweep()
    assert figure.exists()


def test_what_no_record_speaks_of_and_what_any_record_agrees_with_is_read(results, capsys):
    """Results of an earlier version have no records; those of a renamed experiment speak of other paths."""
    summary, record = results / "sweep/summary.parquet", results / "provenance/summarize_sweep.json"
    whole, told = summary.read_bytes(), record.read_text()
    summary.write_bytes(whole + b"PAR1")
    for text in (told.replace("results/tiny", "results/before"), "no record", '{"outputs": 3}', "{}"):
        record.write_text(text)
        known = KnownFiles("tiny")
        known.check_unchanged(known.describe_input(summary))
    record.unlink()
    known.check_unchanged(KnownFiles("tiny").describe_input(summary))
    manifest = results / "activations/shard=000000/manifest.json"
    (results / "provenance/harvest_shard.000000.json").write_text(
        json.dumps({"outputs": [{"path": manifest.as_posix(), "size": 1, "sha256": "of an earlier run"}]})
    )
    known = KnownFiles("tiny")
    known.check_unchanged(known.describe_input(manifest))


def test_a_large_file_is_compared_by_its_sample(results, monkeypatch):
    monkeypatch.setattr(file_hashes, "BLOCK_BYTES", 4)
    monkeypatch.setattr(file_hashes, "BLOCKS", 2)
    monkeypatch.setattr(file_hashes, "CHECKED_BYTES", 0)
    values = results / "index/values.npy"
    record = results / "provenance/build_index.json"
    content = json.loads(record.read_text())
    for each in content["outputs"]:
        each.update(describe_output(Path(each["path"])))
    record.write_text(json.dumps(content))
    whole = values.read_bytes()
    for place, found in ((-1, True), (len(whole) // 2, False)):
        changed = bytearray(whole)
        changed[place] ^= 1
        values.write_bytes(changed)
        known = KnownFiles("tiny")
        description = known.describe_input(values)
        if found:
            with pytest.raises(ResultsError, match=r"values\.npy was changed"):
                known.check_unchanged(description)
        else:
            known.check_unchanged(description)
    monkeypatch.setattr(file_hashes, "CHECKED_BYTES", len(whole))
    with pytest.raises(ResultsError, match=r"values\.npy was changed"):
        known.check_unchanged(description)


def test_a_file_that_is_gone_from_a_folder_of_figures_stops_the_job_that_reads_it(results):
    atlas = results / "geometry/components_j0.30/atlas"
    pages = [atlas / "index.html", atlas / "cluster=0000/cluster.html", atlas / "cluster=0001/cluster.html"]
    for page in pages:
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text("a page", encoding="utf-8")
    record = results / "provenance/draw_atlas.components_j0.30.json"
    record.write_text(json.dumps({"outputs": [describe_output(page) for page in pages]}), encoding="utf-8")
    KnownFiles("tiny").check_complete(atlas)
    for page in pages[1:]:
        page.unlink()
    with pytest.raises(ResultsError, match=rf"{pages[1]} is gone, .*: rm -r {atlas}$"):
        KnownFiles("tiny").check_complete(atlas)
    record.unlink()
    KnownFiles("tiny").check_complete(atlas)


def test_of_a_damaged_file_in_a_folder_of_figures_the_folder_must_go():
    atlas = "results/x/geometry/components_j0.30/atlas"
    assert file_hashes.what_to_delete(f"{atlas}/cluster=0000/pca.npz") == atlas
    assert file_hashes.what_to_delete("results/x/similarity/edges.parquet") == "results/x/similarity/edges.parquet"


def test_what_was_made_elsewhere_is_hashed_once_for_all_shards(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(file_hashes, "BLOCK_BYTES", 4)
    Path("weights").write_bytes(os.urandom(1000))
    known = describe_output(Path("weights"))
    record = Path(paths.PROVENANCE.format(experiment="x")) / "describe_sae.json"
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"inputs": [known], "outputs": []}))
    monkeypatch.setattr(file_hashes, "sha256_file", lambda path: pytest.fail("hashed again"))
    assert KnownFiles("x").describe_input(Path("weights")) == known


def test_folders_are_recorded_file_by_file_without_hidden_ones(tmp_path):
    (tmp_path / "atlas/cluster=0000").mkdir(parents=True)
    for name in ("index.html", "cluster=0000/pca.png", ".snakemake_timestamp"):
        (tmp_path / "atlas" / name).write_text(name)
    found = file_hashes.describe_outputs([str(tmp_path / "atlas"), str(tmp_path / "absent")])
    assert [Path(each["path"]).name for each in found] == ["pca.png", "index.html"]


def test_params_are_recorded_as_json():
    assert plain({1: (2, None, Path("x")), "a": [True, 0.5]}) == {"1": [2, None, "x"], "a": [True, 0.5]}


def test_a_failed_job_leaves_no_record(results):
    before = sorted((results / "provenance").iterdir())
    with pytest.raises(SystemExit):
        run("plot_sweep", inputs={"summary": "absent.parquet"}, outputs={"figure": "absent.png"}, shard="9")
    assert sorted((results / "provenance").iterdir()) == before


def test_a_path_has_one_kind_and_its_record_s_name():
    part = "results/a.b/null/shift_s1/activations/shard=000003/part-00012.parquet"
    kind, wildcards = kind_of(part)
    assert wildcards["experiment"] == "a.b/null/shift_s1"
    assert "shift_shard.000003.json" in kind.record_names(wildcards)
    picture = f"results/demo/geometry/{HEADLINE}/atlas/cluster=0003/pca.png"
    assert kind_of(picture)[0].record_names(kind_of(picture)[1]) == [f"draw_atlas.{HEADLINE}.json"]
    for path in ("results/demo/notes.txt", "data/x.parquet", "results/demo/../x/report.html"):
        assert kind_of(path) is None


def outputs_of_rules() -> dict[str, set[str]]:
    """The templates that each rule declares, from the text of the rules."""
    import re

    found: dict[str, set[str]] = {}
    for path in RULES:
        pieces = re.split(r"^rule (\w+):\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        for name, text in zip(pieces[1::2], pieces[2::2], strict=True):
            block = re.search(r"^    output:\n((?:^ {8}.*\n)+)", text, flags=re.MULTILINE)
            names = re.findall(r"paths\.([A-Z_]+)\b(?!\})", block[1]) if block else []
            quoted = re.findall(r'f"\{paths\.([A-Z_]+)\}([^"]*)"', block[1]) if block else []
            found[name] = {getattr(paths, each) for each in names}
            found[name] |= {getattr(paths, each) + rest for each, rest in quoted}
    return found


def test_the_table_of_kinds_has_every_output_of_every_rule():
    """A new output needs its line in file_kinds.py; one that is made by another rule needs that rule's name there."""
    makers = {kind.target: set(kind.made_by) for kind in FILES}
    declared: dict[str, set[str]] = {}
    for rule, templates in outputs_of_rules().items():
        for template in templates:
            declared.setdefault(template, set()).add(rule)
    assert makers == declared


def test_files_of_a_script_s_object():
    files = Files(a="x", b=["y", "z"])
    assert list(files) == ["x", "y", "z"] and files.b == ["y", "z"] and files.get("c") is None
