"""The benchmark of the estimate runs to its end on small sizes, and writes its page."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from workflow_clone import ROOT


def run(folder: Path, script: str, *arguments: str) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / script), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.workflow
def test_all_sections(tmp_path: Path) -> None:
    sizes = ("--tokens", "10000", "20000", "30000", "--shard-tokens", "10000", "--latents", "1000", "--mean-l0", "12")
    sizes += ("--min-size", "3")
    run(tmp_path, "check_estimate.py", *sizes, "--write-rates", "rates.yaml")
    run(tmp_path, "write_page.py")
    page = (tmp_path / "docs/benchmarks.md").read_text(encoding="utf-8")
    assert "calibrated on 10,000 and 20,000 tokens, predicted 30,000" in page
    assert "The bar of 30 % is" in page
    found = json.loads((tmp_path / "docs/benchmarks/check_estimate.json").read_text(encoding="utf-8"))["agreement"]
    for exact in ("disk", "increments"):
        assert found[exact][0] == pytest.approx(found[exact][1], rel=0.3), exact
    assert set(yaml.safe_load((tmp_path / "rates.yaml").read_text())["stages"]) > {"count_shard", "draw_atlas"}
