"""The benchmark of partial counts runs to its end on a small size, and writes its part of the page."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from workflow_clone import ROOT, load_script


@pytest.mark.slow
def test_all_sections(tmp_path: Path) -> None:
    sizes = ["--tokens", "10000", "--latents", "1500", "--shards", "4", "--rows", "300", "--repetitions", "2"]
    command = [sys.executable, str(ROOT / "benchmarks/merge_shards.py"), *sizes]
    subprocess.run(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, capture_output=True)
    results = json.loads((tmp_path / "docs/benchmarks/merge_shards.json").read_text(encoding="utf-8"))
    assert set(results) == {"machine", "wall_seconds", "bytes", "shard_size", "reduce", "growing"}
    assert [point["n_shards"] for point in results["shard_size"]] == [20, 10, 4, 2]
    assert results["growing"]["n_shards"] == 21
    page = load_script("benchmarks/merge_shards_page.py").page(results)
    for words in (
        "| 500 | 20 |",
        "merge_candidates: ",
        "at most 0.3",
        "20 shards of 500 tokens",
        "500 tokens, counted",
    ):
        assert words in page
