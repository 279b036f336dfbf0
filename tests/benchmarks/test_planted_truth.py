"""Planted shapes and clusters that are none, through code, counts, clustering and tests: recovered, and called right.

The small form of `make bench-science`, with fixed seeds. Deliberate faults in the tests are each noticed.
"""

from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pytest
from workflow_clone import load_script

from coactivation_manifolds.geometry.nulls import p_values, shape_test
from coactivation_manifolds.geometry.nulls.copula import draw_activations
from coactivation_manifolds.geometry.shapes.circle import fit_circle
from coactivation_manifolds.geometry.shapes.cloud import Cloud
from coactivation_manifolds.geometry.shapes.registry import SHAPES as SHAPE_TESTS

planted = load_script("benchmarks/planted_geometry.py")
chain = load_script("benchmarks/science_chain.py")
results = load_script("benchmarks/planted_results.py")
lab = load_script("benchmarks/planted_lab.py")

SHAPES = [
    ("circle", {"rows": "orthogonal"}),
    ("circle", {"rows": "similar"}),
    ("circle", {"rows": "negative"}),
    ("arc", {"rows": "orthogonal", "variety": "arc 180"}),
    ("line", {"rows": "orthogonal", "k": 5}),
    ("line", {"rows": "negative", "k": 5}),
    ("simplex", {"rows": "orthogonal", "n_vertices": 3, "k": 3}),
    ("simplex", {"rows": "negative", "n_vertices": 3, "k": 4}),
    ("simplex", {"rows": "orthogonal", "n_vertices": 4, "k": 4}),
    ("helix", {"rows": "orthogonal"}),
]
VARIETIES = ("Gaussian blob", "two halves", "three groups", "gated blob", "heavy-tailed blob")
LOOKS = (60, 300)
PAIRED = VARIETIES[:3]  # whose pairs make much of what they look like
# statistics count whatever a cloud looks like: a broken null shows in them first
ALL_RAW = {name: shape._replace(holds=lambda fit: True, least=0.0) for name, shape in SHAPE_TESTS.items()}
MOST_OF_SIXTY = 60 * 0.05 + 2 * (60 * 0.05 * 0.95) ** 0.5  # with p <= 0.05: nominal and two standard errors


@pytest.fixture(scope="module")
def world() -> Any:
    rng = np.random.default_rng(7)
    strong = {"snr": 9.0, "n_points": 900, "width": 1.4}
    shapes = [planted.draw_group(kind, "moderate", rng, **(strong | fixed)) for kind, fixed in SHAPES]
    others = [
        planted.draw_group("blob" if "blob" in variety else "mixture", "moderate", rng, variety=variety, n_points=700)
        for variety in (VARIETIES * 4)[:20]
    ]
    return planted.make_world(planted.WorldPlan(0, 7, 128, "relu", 40_000, 80, (*shapes, *others)))


@pytest.fixture(scope="module")
def found(world: Any) -> Any:
    return chain.find_clusters(world.activations, world.decoder)


def problems(rows: list[dict[str, Any]]) -> list[str]:
    """What is wrong with the rows of a world, in words."""
    planted_shapes = [row for row in rows if row["truth"]]
    right = [row for row in planted_shapes if row["recovered"] and row["shape"] == row["truth"]]
    parts = [f"part of {kind}" for kind, _ in SHAPES]
    false = [row for row in rows if not row["truth"] and row["kind"] not in parts and row.get("shape")]
    least = [row for row in rows if row.get("p_any") is not None and row["p_any"] < 1 / (1 + row["n_draws"])]
    said = {
        f"{len(right)} of {len(planted_shapes)} shapes called right": len(right) < 0.8 * len(planted_shapes),
        f"{len(false)} false calls": bool(false),
        "a p-value is smaller than its draws allow": bool(least),
    }
    return [words for words, wrong in said.items() if wrong]


def small_p_of_negatives(shapes: Any = SHAPE_TESTS) -> int:
    """How many of sixty negatives have p <= 0.05."""
    small = 0
    for variety, seed in product(PAIRED, range(20)):
        kind = "blob" if "blob" in variety else "mixture"
        fixed = {"variety": variety, "rows": "orthogonal", "n_points": 500}
        group = planted.draw_group(kind, "moderate", np.random.default_rng(seed), **fixed)
        cluster = lab.lone_cluster(group, seed=seed)
        subject = shape_test.prepare(cluster.points, decoder=cluster.decoder, seed=seed)
        small += shape_test.run_first_stage(subject, shapes=shapes, looks=(39,)).p_any <= 0.05
    return int(small)


@pytest.mark.slow
def test_planted_truth(world: Any, found: Any) -> None:
    rows = results.compare_world(world, found, looks=LOOKS)
    recovered = [row for row in rows if row["recovered"]]
    assert sum(row["truth"] is not None for row in recovered) >= 9
    assert len(recovered) >= 26
    assert all(row["missed_found"] == row["missed_truth"] for row in recovered)
    assert {row["missed_truth"] for row in rows[:10]} == {True, False}
    assert problems(rows) == []
    assert np.mean([row["p_any"] <= 0.05 for row in recovered if row["kind"] in ("blob", "mixture")]) <= 0.15


def rings_called() -> int:
    """How many of five rings, each alone, are called circles."""
    ring = {"rows": "orthogonal", "n_points": 500, "snr": 9.0, "width": 1.4, "k": 7}
    return sum(lab.call_drawn("circle", seed, ring) == "circle" for seed in range(5))


def small_p_of_draws() -> float:
    """Share of null draws with p_any <= 0.05 against other draws of the same null, in all statistics."""
    small = []
    for seed in range(3):
        group = planted.draw_group("blob", "moderate", np.random.default_rng(seed), rows="orthogonal", n_points=300)
        cluster = lab.lone_cluster(group, seed=seed)
        subject = shape_test.prepare(cluster.points, decoder=cluster.decoder, seed=seed)
        draws = shape_test.run_first_stage(subject, shapes=ALL_RAW, looks=(100,)).draws
        small += [p_values.outcome_of(draw, draws[60:]).p_any <= 0.05 for draw in draws[:60]]
    return float(np.mean(small))


def pair_error() -> float:
    """How far the null is from mixtures in who fires with whom: covariances, sum of differences over sum of sizes."""
    missed, rates = 0.0, 0.0
    for variety, seed in product(("two halves", "three groups"), range(2)):
        fixed = {"variety": variety, "rows": "orthogonal", "n_points": 500}
        group = planted.draw_group("mixture", "moderate", np.random.default_rng(seed), **fixed)
        cluster = lab.lone_cluster(group, seed=seed)
        subject = shape_test.prepare(cluster.points, decoder=cluster.decoder, seed=seed)
        drawn = draw_activations(subject.copula, 4_000, rng=np.random.default_rng(seed))
        seen, made = (np.cov((values > 0).T.astype(float)) for values in (subject.activations, drawn))
        off = ~np.eye(len(seen), dtype=bool)
        missed, rates = missed + np.abs(seen - made)[off].sum(), rates + np.abs(seen)[off].sum()
    return float(missed / rates)


@pytest.mark.slow
def test_negatives_are_like_their_nulls() -> None:
    assert small_p_of_negatives() <= MOST_OF_SIXTY


@pytest.mark.slow
def test_draws_are_like_one_another() -> None:
    assert small_p_of_draws() <= 0.10


@pytest.mark.slow
def test_the_null_keeps_pairs() -> None:
    assert pair_error() <= 0.2


@pytest.mark.slow
def test_rings_are_called_circles() -> None:
    assert rings_called() >= 4


def backwards(scores: np.ndarray, **options: Any) -> np.ndarray:
    """Statistics with the wrong sign."""
    return -MEASURE(scores, **options)


def lower_tail(observed: Any, draws: Any) -> float:
    """p-values of what is unusually small."""
    return MIN_P(-np.asarray(observed), -np.asarray(draws))


def without_one(observed: Any, draws: Any) -> float:
    """p-values that come as near to 0 as one likes."""
    return max(MIN_P(observed, draws) - 1 / (1 + len(draws)), 1e-9)


MEASURE, MIN_P = shape_test.measure_all, p_values.min_p


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "name", "fault"),
    [
        (shape_test, "measure_all", backwards),
        (p_values, "min_p", lower_tail),
        (p_values, "min_p", without_one),
    ],
)
def test_a_fault_is_noticed(
    world: Any, found: Any, module: Any, name: str, fault: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, fault)
    shapes = [results.best_match(members, found.clusters)[0] for members in world.members[: len(SHAPES)]]
    kept = [place for place in dict.fromkeys(shapes) if place >= 0]
    fewer = found._replace(clusters=[found.clusters[place] for place in kept], missed=found.missed[kept])
    assert problems(results.compare_world(world, fewer, looks=(39,)))


@pytest.mark.slow
def test_a_copula_without_pairs_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = shape_test.fit_copula

    def forget_pairs(*arguments: Any, **options: Any) -> Any:
        fitted = fit(*arguments, **options)
        return fitted._replace(root=np.eye(len(fitted.root)))

    monkeypatch.setattr(shape_test, "fit_copula", forget_pairs)
    assert pair_error() >= 0.5


@pytest.mark.slow
def test_counting_what_holds_no_shape_is_noticed() -> None:
    raw = {name: ALL_RAW[name] for name in ("circle", "simplex_3", "curve")}
    assert small_p_of_negatives(raw) > MOST_OF_SIXTY


@pytest.mark.slow
def test_taking_the_smallest_p_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def smallest(observed: Any, draws: Any) -> float:
        return float(p_values.p_values(observed, draws).min())

    monkeypatch.setattr(p_values, "min_p", smallest)
    assert small_p_of_draws() >= 0.15


@pytest.mark.slow
def test_a_circle_without_its_hole_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def covered(cloud: Cloud) -> Any:
        found = fit_circle(cloud)
        return found._replace(statistic=found.coverage)

    shape = SHAPE_TESTS["circle"]._replace(fit=covered, statistic=lambda cloud: covered(cloud).statistic)
    monkeypatch.setitem(SHAPE_TESTS, "circle", shape)
    assert rings_called() <= 1


def test_worlds_follow_from_their_seed() -> None:
    small = partial(planted.plan_world, 4, n_tokens=3_000, n_background=20)
    one, same, other = (planted.make_world(small(seed=seed)) for seed in (5, 5, 6))
    assert (one.activations == same.activations).all() and (one.decoder == same.decoder).all()
    assert one.activations.shape != other.activations.shape or (one.activations != other.activations).any()
    assert np.linalg.norm(one.decoder, axis=1) == pytest.approx(1.0, abs=1e-5)
    members = np.concatenate(one.members)
    assert len(members) == len(set(members.tolist())) == sum(group.n_latents for group in one.plan.groups)
