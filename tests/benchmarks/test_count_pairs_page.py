"""The benchmark of counting runs to its end on a small size, and writes its page."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from workflow_clone import ROOT


def run(folder: Path, script: str, *arguments: str) -> str:
    command = [sys.executable, str(ROOT / "benchmarks" / script), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True).stdout


@pytest.mark.slow
def test_all_sections(tmp_path: Path) -> None:
    (tmp_path / "docs/images").mkdir(parents=True)
    once = ("count_pairs.py", "--repetitions", "1", "--tokens")
    run(tmp_path, *once, "300", "--only", "scipy", "graphblas", "small", "ceiling", "wide", "phases", "memory")
    run(tmp_path, "write_page.py")
    page = (tmp_path / "docs/benchmarks.md").read_text(encoding="utf-8")
    for words in (
        "| scipy A.T @ A |",
        "| Python dictionary |",
        "| ours, pruned, 2 cores |",
        "of the ceiling, 262,144 latents",
        "every absence",
        "| 262,144 | 300 |",
        "| increments a visit |",
    ):
        assert words in page
    assert "GraphBLAS plus_pair" in page or "| python-graphblas | not installed |" in page
    assert "duckdb self-join" in page or "| duckdb | not installed |" in page
    assert (tmp_path / "docs/images/benchmark_tools.png").exists()
    run(tmp_path, *once, "400", "--only", "scaling")
    run(tmp_path, "write_page.py")
    results = json.loads((tmp_path / "docs/benchmarks/count_pairs.json").read_text(encoding="utf-8"))
    assert [point["n_tokens"] for point in results["scaling"]["points"]] == [400]
    assert set(results) == {
        "machine",
        "wall_seconds",
        "scipy",
        "graphblas",
        "small",
        "ceiling",
        "wide",
        "phases",
        "memory",
        "scaling",
    }
    assert (tmp_path / "docs/images/benchmark_scaling.png").exists()
