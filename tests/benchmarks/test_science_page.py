"""Measures of planted truth on rows whose answers are known, and the page that is written from them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from workflow_clone import ROOT, load_script

measures = load_script("benchmarks/science_measures.py")
lab = load_script("benchmarks/planted_lab.py")
planted = load_script("benchmarks/planted_geometry.py")
results = load_script("benchmarks/planted_results.py")
science_bars = load_script("benchmarks/science_bars.py")
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
        "q": p,
        "separability_bits": 1.0 if truth else 0.1,
        "mixture_index": 0.1,
        "candidate": shape,
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
        row("helix", "helix", None, 0.01),
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
    assert found["recovery"]["moderate"] == {"count": 4, "of": 5, "share": 0.8}
    assert found["right"]["moderate"]["count"] == 2
    assert found["confusion"]["circle"] == dict.fromkeys(measures.CALLS, 0) | {"circle": 1, "simplex": 1}
    assert found["confusion"]["line"]["not found"] == 1
    assert found["calibration"]["all"]["0.05"]["share"] == pytest.approx(2 / 3)
    assert found["calibration"]["all"]["0.01"]["share"] == pytest.approx(1 / 3)
    assert (found["false_calls"]["false"], found["false_calls"]["calls"]) == (2, 6)
    assert found["false_calls"]["parts_of_shapes"] == 1
    reasons = {kind: [reason for reason, n in row.items() if n] for kind, row in found["not_right"].items()}
    assert reasons == {
        "circle": ["another name"],
        "arc": [],
        "simplex": [],
        "helix": ["no shape holds"],
        "line": ["not found"],
    }
    assert found["missed_by_cosine"]["count"] == 4 and found["missed_by_cosine"]["missed"] == 1
    assert found["roc"]["engels_rank"]["auc"] == 1.0
    assert "ripser ratio" not in found["roc"]


def test_area_under_the_curve() -> None:
    truth = np.array([True, True, False, False])
    assert measures.area(np.array([3.0, 2.0, 1.0, 0.0]), truth) == 1.0
    assert measures.area(np.array([1.0, 1.0, 1.0, 1.0]), truth) == 0.5
    assert measures.area(np.array([3.0, 0.0, 2.0, 1.0]), truth) == 0.5
    assert measures.curve(np.array([3.0, 2.0, 1.0, 0.0]), truth)[2] == (0.0, 1.0)


def test_what_other_clusterings_recover() -> None:
    plan = planted.plan_world(4, seed=5, n_tokens=3_000, n_background=20)
    rows = results.recover_world(plan, clusterings=("components_j0.15", "components_j0.95"))
    assert len(rows) == 2 * len(plan.groups)
    assert {row["what"] for row in rows} >= {"moderate", "negatives"}
    low, high = (sum(row["recovered"] for row in rows if row["clustering"].endswith(end)) for end in ("0.15", "0.95"))
    assert low > 5 and high == 0


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


@pytest.fixture
def numbers(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What science.py writes, of made-up runs."""
    shares = {"shares": [0.1, 0.5, 0.8, 0.9, 1.0], "points_needed": 250.0}
    shift = {"edges": 100, "clusters": 9, "edges_shifted": 2, "clusters_shifted": 1}
    cost = {"clusters": 1_000, "seconds": 300.0, "points": 10**6, "draws": 10**5, "calls": 200}
    trained = {"architecture": "topk", "fvu": 0.1, "l0": 4.0, "latents_firing": 250, "clusters": 9, "tested": 8}
    group = {"variety": "circle", "latents": 7, "jaccard": 0.9, "call": "circle", "p_any": 0.001}
    power = {kind: {"5": shares, "10": shares} for kind in lab.POWER_SHAPES}
    limits = {"arc": {"180": {"curve": 2}, "360": {"circle": 1, "none": 1}}}
    runs = [shift | {"tested_shifted": 0, "calls_shifted": 0}] * 20
    return {
        "planted": {"seed": 20_261, "worlds": 1, **measures.summarize(rows)},
        "clusterings": {"seed": 20_261, "recovered": {"components_j0.15": {"moderate": [4, 5], "negatives": [3, 3]}}},
        "shift": {"seed": 20_262, "runs": runs, "share_of_edges": 0.02, "worst": 0.02},
        "power": {"seed": 20_261, "repeats": 7, "shapes": power},
        "limits": {"seed": 20_261, "repeats": 2, "calls": limits},
        "trained": {"seed": 20_261, "runs": [trained | {"calls": 3, "groups": [group]}]},
        "cost": cost | {"maxrss_kib": 2**20, "maxrss_before_kib": 2**19, "growth": {"10 latents": 0.2}},
        "wall_seconds": {"planted": 600.0, "shift": 120.0},
    }


@pytest.fixture
def edges() -> dict[str, Any]:
    """What edge_significance.py writes, of one case."""
    kind = {"kind": ["rare", "rare"], "pairs": 100, "mean": 1.01, "mean_loose": 1.2, "variance": 0.97}
    kind |= {"variance_loose": 3.0, "p_05": 0.04, "p_01": 0.01}
    case = {"mean_l0": 5, "top_k": True, "kinds": [kind], "always_on": {}}
    sampled = {"seed": 11, "tokens": 1_000, "latents": 300, "samples": 400, "cases": [case]}
    return {"sampled": sampled, "wall_seconds": {"sampled": 60.0}}


@pytest.fixture
def docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder docs in which pages and figures are written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs/images").mkdir(parents=True)
    return tmp_path / "docs"


def test_page(numbers: dict[str, Any], edges: dict[str, Any], docs: Path) -> None:
    text = science_page.page(numbers, edges)
    for words in (
        "| planted shapes called right, moderate noise | at least 90% | 2 of 5 (40.0%) | missed |",
        "| edges at q <= 0.05 after a shift, 20 runs | at most 5% of the real ones, 20 runs | "
        "2.00%, worst run 2.00% | met |",
        "| tests and nulls of 1,000 clusters | 1,000 in at most 10 minutes, 4 GiB | 5.0 minutes, 1.0 GiB | met |",
        "| null of edges: error of the variance, worst kind of pair | at most 10% | 3.0% | met |",
        "| clustering | moderate shapes | negatives |",
        "| `components_j0.15` | 4 of 5 | 3 of 3 |",
        "Seeds: planted 20261, clusterings 20261, shift 20262, power 20261, limits 20261, trained 20261.",
        "Minutes: planted 10.0, shift 2.0, edges 1.0; 13 in all.",
        "| ripser ratio | not measured: the package ripser is not there | | |",
        "| circle | 250 | 250 |",
        "| degrees of the arc | 360 | circle 1, none 1 |",
        "| helix | 0 | 0 | 0 | 0 | 1 | 0 |",
        "| circle | 7 | 0.90 | circle | 0.0010 |",
        "| TopK 5 | rare, rare | 100 | 1.010 |",
    ):
        assert words in text
    assert {path.name for path in (docs / "images").iterdir()} == {
        f"validation_{name}.png" for name in ("roc", "confusion", "power", "limits")
    }


def test_a_missed_bar_is_explained(
    numbers: dict[str, Any], edges: dict[str, Any], docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(science_bars.MISSED, "right", "Because of this.")
    monkeypatch.setitem(science_bars.MISSED, "cost", "Never shown.")
    monkeypatch.delitem(science_bars.MISSED, "false calls")
    text = science_page.page(numbers, edges)
    assert "**planted shapes called right, moderate noise** (2 of 5 (40.0%)). Because of this." in text
    assert f"**false calls among calls at q <= 0.05** (0.333 (2 of 6)). {science_bars.NOT_LOOKED_INTO}" in text
    assert "Never shown" not in text
    assert "### Missed" not in science_page.page({"shift": numbers["shift"]}, {})


def test_bars_need_the_full_size(numbers: dict[str, Any]) -> None:
    few = {
        "cost": numbers["cost"] | {"clusters": 999},
        "shift": numbers["shift"] | {"runs": numbers["shift"]["runs"][1:]},
    }
    assert [bar.met for bar in science_bars.bars(few, {})] == [False, False]


def test_both_pages_are_written(numbers: dict[str, Any], docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (docs / "benchmarks").mkdir()
    del numbers["trained"]
    (docs / "benchmarks/science.json").write_text(json.dumps(numbers), encoding="utf-8")
    place = science_page.POWER_PLACE
    (docs / "methods.md").write_text(f"before\n<!-- {place} -->\n<!-- end of {place} -->\nafter\n", encoding="utf-8")
    assert science_page.main() == 0
    methods = (docs / "methods.md").read_text(encoding="utf-8")
    assert "| circle | 250 | 250 |" in methods and "7 repeats" in methods and methods.endswith("after\n")
    assert "## Circular shifts" in (docs / "validation.md").read_text(encoding="utf-8")
    said = capsys.readouterr().out
    assert "missed: planted shapes called right" in said and "not measured yet, so not on the page: trained" in said


def test_the_page_of_methods_has_a_place_for_power() -> None:
    text = (ROOT / "docs/methods.md").read_text(encoding="utf-8")
    assert f"<!-- {science_page.POWER_PLACE} -->" in text and f"<!-- end of {science_page.POWER_PLACE} -->" in text
