"""The benchmark of planning runs to its end on few shards, and its page says whether the bar is met."""

import json
from pathlib import Path

import pytest
from test_count_pairs_page import run
from workflow_clone import load_script

pytestmark = pytest.mark.workflow


@pytest.mark.slow
def test_all_sections(tmp_path: Path) -> None:
    sections = ("parse", "sizes", "states", "large")
    run(tmp_path, "plan_workflow.py", "--repetitions", "1", "--shards", "2", "3", "--large", "4", "--only", *sections)
    results = json.loads((tmp_path / "docs/benchmarks/plan_workflow.json").read_text(encoding="utf-8"))
    assert [point["jobs"] for point in results["sizes"]["points"]] == [
        {"bare": 8, "ours": 10},
        {"bare": 11, "ours": 13},
    ]
    assert results["large"]["jobs"] == {"bare": 14, "ours": 16}
    assert results["states"]["jobs"] == {
        "imported, nothing made": 12,
        "harvested, all made": 0,
        "harvested, one shard added": 8,
    }
    run(tmp_path, "write_page.py")
    text = (tmp_path / "docs/benchmarks.md").read_text(encoding="utf-8")
    for words in ("| 3 | 13 |", "| 4 | 16 |", "| harvested, all made | 0 |", "| rules listed |"):
        assert words in text


@pytest.mark.parametrize(("seconds", "words"), [(12.0, "is met: 12.0 s"), (15.5, "is not met: 15.5 s")])
def test_the_bar_is_stated(seconds: float, words: str) -> None:
    page = load_script("benchmarks/plan_workflow_page.py").page
    point = {"shards": 2_000, "jobs": {"ours": 6_004, "bare": 6_002}, "seconds": {"ours": [seconds], "bare": [7.0]}}
    assert words in page({"sizes": {"points": [point]}})
