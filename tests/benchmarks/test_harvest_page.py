"""The benchmark of the harvest runs to its end on tiny shapes, its code for a GPU on the CPU, and writes its page."""

import json
from pathlib import Path

import pytest
from test_count_pairs_page import run


@pytest.mark.slow
def test_both_sections(tmp_path: Path) -> None:
    tiny = ("harvest.py", "--repetitions", "1", "--shape", "tiny")
    run(tmp_path, *tiny, "--device", "cpu")
    run(tmp_path, "write_page.py")
    results = json.loads((tmp_path / "docs/benchmarks/harvest.json").read_text(encoding="utf-8"))
    assert set(results) == {"machine", "wall_seconds", "cpu", "gpu"}
    for section in ("cpu", "gpu"):
        assert [found["batch_size"] for found in results[section]["lengths"].values()] == [682, 341]
        assert all(3 < found["mean_l0"] < 8 for found in results[section]["lengths"].values())
    page = (tmp_path / "docs/benchmarks.md").read_text(encoding="utf-8")
    assert "### Harvest on a GPU" in page and "The bar of 0.85 of the speed of forward and encode is " in page
    assert page.count("| harvest |") == page.count("| a shard with its guard rails |") == 4


def test_without_a_gpu_its_last_numbers_are_kept(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("needs a machine without a GPU")
    run(tmp_path, "harvest.py", "--only", "gpu")
    stored = tmp_path / "docs/benchmarks/harvest.json"
    assert json.loads(stored.read_text(encoding="utf-8"))["gpu"] == {"missing": ["GPU"]}
    run(tmp_path, "write_page.py")
    page = (tmp_path / "docs/benchmarks.md").read_text(encoding="utf-8")
    assert "No GPU was at hand, so there are no numbers" in page
    stored.write_text(json.dumps({"gpu": {"device": "measured before"}}), encoding="utf-8")
    run(tmp_path, "harvest.py", "--only", "gpu")
    assert json.loads(stored.read_text(encoding="utf-8"))["gpu"] == {"device": "measured before"}
