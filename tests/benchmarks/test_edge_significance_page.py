"""The benchmark of the null of edges runs to its end on a small size, and writes its text."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from workflow_clone import ROOT

SMALL = """
import edge_significance as benchmark
benchmark.LATENTS, benchmark.TOKENS, benchmark.SAMPLES, benchmark.CASES = 80, 300, 60, ((6, False), (6, True))
benchmark.SHIFTED_TOKENS, benchmark.SHIFTED_LATENTS, benchmark.SHIFTED_PAIRS = 2_000, 12, 20
benchmark.BURSTS = (1, 10)
benchmark.main()
import edge_significance_page, measuring
print(edge_significance_page.page(measuring.recorded("edge_significance")))
"""


@pytest.mark.slow
def test_both_sections(tmp_path: Path) -> None:
    paths = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'benchmarks')!r}]"
    command = [sys.executable, "-c", paths + SMALL]
    text = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    results = json.loads((tmp_path / "docs/benchmarks/edge_significance.json").read_text(encoding="utf-8"))
    for case in results["sampled"]["cases"]:
        assert case["always_on"]["largest_difference"] < 1e-6
        for kind in case["kinds"]:
            assert kind["mean"] == pytest.approx(1, abs=0.1), kind
            assert kind["variance"] == pytest.approx(1, abs=0.25), kind
    single, bursts = results["shifted"]["bursts"]
    assert single["variance"][0] == pytest.approx(1, abs=0.1)
    assert bursts["variance"][0] > 4
    assert "| TopK 6 | rare, rare |" in text
    assert "### When to distrust q" in text
