"""Measures of planted truth on rows whose answers are known, and the page that is written from them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from workflow_clone import load_script

measures = load_script("benchmarks/science_measures.py")
lab = load_script("benchmarks/planted_lab.py")
results = load_script("benchmarks/planted_results.py")
science_page = load_script("benchmarks/science_page.py")


def row(kind: str, truth: str | None, shape: str | None, p: float, **fields: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "variety": kind,
        "truth": truth,
        "tier": "moderate",
        "rows": "similar",
        "code": "relu",
        "d": 64,
        "n_vertices": 3 * (kind == "simplex"),
        "n_vertices_found": 3 * (shape == "simplex"),
        "recovered": True,
        "missed_truth": False,
        "missed_found": False,
        "shape": shape,
        "p_any": p,
        "effect": 1.0,
        "engels_planes": [(0.2, 1.0 if truth else 0.1)],
        "ripser_ratio": None,
    } | fields


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    return [
        row("circle", "circle", "circle", 0.001),
        row("circle", "circle", "simplex", 0.002, missed_truth=True),
        row("simplex", "simplex", "simplex", 0.001),
        row("line", "curve", None, 0.3, recovered=False),
        row("arc", "curve", "curve", 0.02, tier="noise"),
        row("blob", None, None, 0.9),
        row("blob", None, None, 0.04),
        row("mixture", None, "circle", 0.001),
        row("sheet", None, None, 0.5),
        row("part of circle", None, "curve", 0.001, tier="unplanned", recovered=False),
        row("unplanned", None, "curve", 0.001, tier="unplanned", recovered=False),
    ]


def test_measures(rows: list[dict[str, Any]]) -> None:
    found = measures.summarize(rows)
    assert found["recovery"]["moderate"] == {"count": 3, "of": 4, "share": 0.75}
    assert found["right"]["moderate"]["count"] == 2
    assert found["confusion"]["circle"] == dict.fromkeys(measures.CALLS, 0) | {"circle": 1, "simplex": 1}
    assert found["confusion"]["line"]["not found"] == 1
    assert found["calibration"]["all"]["0.05"]["share"] == pytest.approx(2 / 3)
    assert found["calibration"]["all"]["0.01"]["share"] == pytest.approx(1 / 3)
    assert (found["false_calls"]["false"], found["false_calls"]["calls"]) == (2, 6)
    assert found["false_calls"]["parts_of_shapes"] == 1
    assert found["missed_by_cosine"]["count"] == 3 and found["missed_by_cosine"]["missed"] == 1
    assert found["roc"]["engels_rank"]["auc"] == 1.0
    assert "ripser ratio" not in found["roc"]


def test_area_under_the_curve() -> None:
    truth = np.array([True, True, False, False])
    assert measures.area(np.array([3.0, 2.0, 1.0, 0.0]), truth) == 1.0
    assert measures.area(np.array([1.0, 1.0, 1.0, 1.0]), truth) == 0.5
    assert measures.area(np.array([3.0, 0.0, 2.0, 1.0]), truth) == 0.5
    assert measures.curve(np.array([3.0, 2.0, 1.0, 0.0]), truth)[2] == (0.0, 1.0)


def test_points_for_power() -> None:
    assert lab.points_needed([0.0, 0.2, 0.5, 0.9, 1.0]) == pytest.approx(500 * 2 ** (-0.1 / 0.4), abs=1)
    assert lab.points_needed([0.9] * 5) == lab.POWER_POINTS[0]
    assert lab.points_needed([0.1] * 5) is None
    assert lab.points_needed([0.9, 0.2, 0.2, 0.9, 0.9]) > 250


def test_missed_by_cosine_by_its_definition() -> None:
    rng = np.random.default_rng(0)
    decoder = rng.normal(size=(12, 256))
    decoder[:4] += 3 * rng.normal(size=256)
    assert not results.misses_by_cosine(np.arange(4), decoder)
    assert results.misses_by_cosine(np.arange(4, 8), decoder)


def test_page(rows: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs/images").mkdir(parents=True)
    shares = {"shares": [0.1, 0.5, 0.8, 0.9, 1.0], "points_needed": 250.0}
    shift = {"edges": 100, "clusters": 9, "edges_shifted": 2, "clusters_shifted": 1}
    cost = {"clusters": 1_000, "seconds": 300.0, "points": 10**6, "draws": 10**5, "calls": 200}
    trained = {"architecture": "topk", "fvu": 0.1, "l0": 4.0, "latents_firing": 250, "clusters": 9, "tested": 8}
    group = {"variety": "circle", "latents": 7, "jaccard": 0.9, "call": "circle", "p_any": 0.001}
    text = science_page.page(
        {
            "planted": {"seed": 20_261, "worlds": 1, **measures.summarize(rows)},
            "shift": {
                "runs": [shift | {"tested_shifted": 0, "calls_shifted": 0}],
                "share_of_edges": 0.02,
                "worst": 0.02,
            },
            "power": {"repeats": 1, "shapes": {kind: {"5": shares, "10": shares} for kind in lab.POWER_SHAPES}},
            "limits": {"repeats": 2, "calls": {"arc": {"180": {"curve": 2}, "360": {"circle": 1, "none": 1}}}},
            "trained": {"runs": [trained | {"calls": 3, "groups": [group]}]},
            "cost": cost | {"maxrss_kib": 2**20, "maxrss_before_kib": 2**19, "growth": {"10 latents": 0.2}},
        }
    )
    for words in (
        "| planted shapes called right, moderate noise | at least 90% | 2 of 4 (50.0%) | missed |",
        "| edges at q <= 0.05 after a shift, 1 runs | at most 5% of the real ones | 2.00%, worst run 2.00% | met |",
        "| tests and nulls of 1,000 clusters | at most 10 minutes, 4 GiB | 5.0 minutes, 1.0 GiB | met |",
        "| ripser ratio | not measured: the package ripser is not there | | |",
        "| circle | 250 | 250 |",
        "| circle | 7 | 0.90 | circle | 0.0010 |",
    ):
        assert words in text
    assert {path.name for path in (tmp_path / "docs/images").iterdir()} == {
        f"validation_{name}.png" for name in ("roc", "confusion", "power", "limits")
    }
