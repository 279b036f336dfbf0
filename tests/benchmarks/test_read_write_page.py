"""The benchmark of files runs to its end on a small size, and writes its page."""

import json
from pathlib import Path

import pytest
from test_count_pairs_page import run


@pytest.mark.slow
def test_all_sections(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    small = ("--tokens", "9000", "--repetitions", "1", "--copies", "1", "2")
    run(tmp_path, "read_write.py", *small)
    assert not list(tmp_path.glob("benchmark-*"))
    results = json.loads((tmp_path / "docs/benchmarks/read_write.json").read_text(encoding="utf-8"))
    assert set(results) == {"machine", "wall_seconds", "memory", "index", "slice", "writer"}
    assert results["memory"][1]["n_entries"] == 2 * results["memory"][0]["n_entries"]
    run(tmp_path, "write_page.py")
    page = (tmp_path / "docs/benchmarks.md").read_text(encoding="utf-8")
    for words in ("| copy |", "| index, 2 threads |", "| pyarrow, its defaults |", "- `rank_latent_tokens`:"):
        assert words in page
    assert page.count("The bar (") >= 6
