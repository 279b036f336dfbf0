"""The table of the demo's seeds on made-up runs: what planted clusters are called, the order of a ring, the bars."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic_clusters import array_index, ring_activations, simplex_activations
from workflow_clone import ROOT, Clone, load_script

from coactivation_manifolds.training.planted_readings import ProcessTruth

demo_calls = load_script("benchmarks/demo_calls.py")
table = load_script("benchmarks/demo_seeds_table.py")
demo_seeds = load_script("benchmarks/demo_seeds.py")
measuring = load_script("benchmarks/measuring.py")

RING, TRIANGLE, NOISE = list(range(7)), list(range(7, 13)), [13, 14, 15]
N = 300


@pytest.fixture(scope="module")
def run() -> dict[str, Any]:
    """Tokens of a ring, a triangle and the background, in this order, with latents for each."""
    rng = np.random.default_rng(0)
    dense = np.zeros((3 * N, 16))
    dense[:N, RING], angle = ring_activations(rng, N)
    dense[N : 2 * N, TRIANGLE], belief = simplex_activations(rng, N)
    dense[2 * N :, NOISE] = rng.exponential(1.0, (N, 3))
    even = np.arange(N) % 2 == 0
    on_ring = np.column_stack([np.cos(angle), np.sin(angle)])
    truths = {
        "ring": ProcessTruth("wind", np.arange(N), on_ring, even),
        "simplex": ProcessTruth("mood", np.arange(N, 2 * N), belief, even),
    }
    return {"index": array_index(dense), "truths": truths}


def find(number: int, members: list[int], shape: str, q: float, n_vertices: int | None = None) -> dict[str, Any]:
    named = {"find_id": number, "cluster_id": number, "clustering": "components_j0.20"}
    return named | {"members": members, "size": len(members), "shape": shape, "q_value": q, "n_vertices": n_vertices}


def calls(run: dict[str, Any], finds: list[dict[str, Any]], order: list[int] = RING) -> dict[str, Any]:
    check = {"ring": {"members": RING}, "simplex": {"members": TRIANGLE}}
    shapes = {"components_j0.20": {"0000": {"latents": order}}}
    found = demo_calls.calls_of(finds, check=check, shapes=shapes, **run, min_active=2, alike=0.8)
    return found | {"n_tested": 9, "smallest_q": 0.004}


GOOD = [find(0, RING[:6], "circle", 0.004), find(1, TRIANGLE, "simplex", 0.01, 3), find(2, NOISE, "blob", 0.7)]


def test_planted_clusters_called_right(run: dict[str, Any]) -> None:
    found = calls(run, GOOD)
    assert found["ring"] == {"shape": "circle", "n_vertices": None, "q_value": 0.004, "size": 6, "in_order": True}
    assert demo_calls.is_right(found, "ring") and demo_calls.is_right(found, "simplex")
    assert found["others"] == {"ring": 0, "simplex": 0, "background": 0}


@pytest.mark.parametrize(
    "ring",
    [
        find(0, RING, "circle", 0.06),
        find(0, RING, "curve", 0.01),
        find(0, RING[:5], "circle", 0.01),
    ],
    ids=["too large a q", "another shape", "another set"],
)
def test_what_is_not_right(run: dict[str, Any], ring: dict[str, Any]) -> None:
    assert not demo_calls.is_right(calls(run, [ring]), "ring")


def test_a_ring_in_another_order_and_a_tetrahedron_are_not_right(run: dict[str, Any]) -> None:
    found = calls(run, [find(0, RING, "circle", 0.01), find(1, TRIANGLE, "simplex", 0.01, 4)], [0, 2, 1, 3, 4, 5, 6])
    assert found["ring"]["in_order"] is False
    assert not demo_calls.is_right(found, "ring") and not demo_calls.is_right(found, "simplex")


def test_other_calls_are_told_by_what_they_fire_on(run: dict[str, Any]) -> None:
    others = [find(3, NOISE, "curve", 0.01), find(4, RING[:3], "curve", 0.02), find(5, NOISE, "mixture", 0.9)]
    assert calls(run, GOOD + others)["others"] == {"ring": 1, "simplex": 0, "background": 1}


@pytest.mark.parametrize("way", [1, -1])
def test_order_round(way: int) -> None:
    turns = way * np.array([200, 260, 310, 10, 70, 150])
    assert demo_calls.goes_round_once(turns)
    assert demo_calls.goes_round_once(turns[[0, 1, 2, 3, 4, 5]] + way * np.array([0, 0, 65, 0, 0, 0]))
    assert not demo_calls.goes_round_once(turns[[0, 2, 1, 3, 4, 5]])
    assert not demo_calls.goes_round_once(np.tile(turns, 2))


def result(found: dict[str, Any]) -> dict[str, Any]:
    cluster = {"cluster_id": 2, "size": 7, "r2": 0.99, "purity": 0.99, "coverage": 0.95, "r2_all_tokens": 0.98}
    cluster |= {"missed_by_cosine": True, "radius_cv": 0.07, "largest_gap_degrees": 7.0}
    control = {name: {"r2_all_tokens": {"mean": 0.1, "max": 0.5}} for name in ("random", "matched")}
    return {
        "ring": cluster,
        "simplex": cluster,
        "controls": {"ring": control, "simplex": control},
        "n_missed_by_cosine": 3,
        "n_clusters": 9,
        "losses": {"ring": {"gap": 0.003}, "simplex": {"gap": 0.006}},
        "sae": {"fvu": 0.01, "l0": 3.2, "n_dead": 40, "n_latents": 128},
        "calls": found,
    }


def test_table_and_bars(run: dict[str, Any]) -> None:
    good, other = result(calls(run, GOOD)), result(calls(run, [*GOOD, find(3, NOISE, "curve", 0.01)]))
    text = table.markdown_table({1: other, 0: good})
    for line in (
        "| seed | 0 | 1 |",
        "| ring: called | circle, q 0.0040 | circle, q 0.0040 |",
        "| ring: latents in the order of the compass | yes | yes |",
        "| simplex: called | simplex of 3, q 0.0100 | simplex of 3, q 0.0100 |",
        "| other calls on the ring, the triangle, the background | 0, 0, 0 | 0, 0, 1 |",
        "| nothing called on the background | 1 calls in all | missed |",
    ):
        assert line in text
    assert table.missed_bars({0: good}) == []


def test_one_seed_in_ten_may_be_called_wrong(run: dict[str, Any]) -> None:
    good, wrong = result(calls(run, GOOD)), result(calls(run, GOOD[1:]))
    assert "| ring: called | not tested |" in table.markdown_table({0: wrong})
    assert table.missed_bars(dict(enumerate([good] * 9 + [wrong]))) == []
    missed = table.missed_bars(dict(enumerate([good] * 8 + [wrong] * 2)))
    assert len(missed) == 1 and "called a circle" in missed[0]


def test_the_page_takes_the_table(tmp_path: Path) -> None:
    page = tmp_path / "demo.md"
    page.write_text("before\n<!-- table demo -->\nold\n<!-- end of table demo -->\nafter\n", encoding="utf-8")
    assert measuring.put_between(page, "table demo", "| new |")
    assert not measuring.put_between(page, "table demo_mess3", "| elsewhere |")
    assert page.read_text(encoding="utf-8") == (
        "before\n<!-- table demo -->\n| new |\n<!-- end of table demo -->\nafter\n"
    )


@pytest.mark.workflow
def test_each_seed_is_an_experiment_of_its_own(clone: Clone) -> None:
    command = [sys.executable, str(demo_seeds.__file__), "--dry-run", "--seeds", "0", "7"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    lines = subprocess.run(
        command, cwd=clone.folder, env=environment, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert [line.split()[-2:] for line in lines] == [
        [f"results/{name}/finds.parquet", f"results/{name}/planted/check.json"] for name in ("demo", "demo_seed7")
    ]
    planned = clone.snakemake("--dry-run", *lines[1].split()[-2:]).stdout
    assert "check_planted_truth" in planned and "collect_finds" in planned
