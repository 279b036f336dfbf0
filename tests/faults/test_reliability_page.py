"""The tables of docs/reliability.md are those of docs/reliability.json, and nothing was lost."""

import json
import shutil

import pytest
from workflow_clone import ROOT, load_script


def test_the_tables_are_those_of_the_runs(tmp_path, monkeypatch):
    writer = load_script("docs/write_reliability.py")
    for name in ("PAGE", "RUNS", "SOAK"):
        if (ROOT / getattr(writer, name)).exists():
            shutil.copy(ROOT / getattr(writer, name), tmp_path)
        monkeypatch.setattr(writer, name, tmp_path / getattr(writer, name).name)
    assert writer.main() == 0
    assert writer.PAGE.read_text(encoding="utf-8") == (ROOT / "docs/reliability.md").read_text(encoding="utf-8")


def test_nothing_was_lost():
    runs = json.loads((ROOT / "docs/reliability.json").read_text(encoding="utf-8"))["runs"]
    assert [run for run in runs if run["outcome"] in ("lost", "unclear")] == []


def test_nothing_was_left_and_memory_did_not_grow():
    if not (ROOT / "docs/soak.json").exists():
        pytest.skip("make soak has not been run to its end")
    found = json.loads((ROOT / "docs/soak.json").read_text(encoding="utf-8"))
    assert load_script("tests/faults/run_soak.py").what_is_wrong(found) == []
    assert found["experiments"]["first"] >= 200 and sum(found["killed"].values()) >= 20
