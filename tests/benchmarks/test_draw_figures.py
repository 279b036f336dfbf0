"""The benchmark of the figures runs to its end on a small size, and writes its page."""

import json
from pathlib import Path

import pytest
from test_count_pairs_page import run


@pytest.mark.slow
def test_all_sections(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    sizes = ("--clusters", "3", "--tokens", "2000", "--entries", "100000")
    run(tmp_path, "draw_figures.py", "--repetitions", "1", *sizes)
    run(tmp_path, "write_page.py")
    page = (tmp_path / "docs/benchmarks.md").read_text(encoding="utf-8")
    for words in (
        "3 clusters of 2 to 50 latents and 64 to 1,000 points",
        "| pca.png |",
        "the bar is 5 s",
        "times as long",
    ):
        assert words in page
    results = json.loads((tmp_path / "docs/benchmarks/draw_figures.json").read_text(encoding="utf-8"))
    assert set(results) == {"machine", "wall_seconds", "batch", "job", "axes", "profile"}
    assert results["job"]["cluster_size"] == 10
