import numpy as np
import pytest
from scipy.stats import false_discovery_control, kstest

from coactivation_manifolds.geometry.nulls.p_values import (
    draws_needed,
    first_stage,
    min_p,
    needs_more,
    p_values,
    q_values,
    second_stage,
    smallest_q,
)


def test_p_counts_ties_as_exceedances():
    draws = np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]])
    assert list(p_values([1.0, 9.0], draws)) == [3 / 4, 1 / 4]


def test_min_p_is_exact():
    """An observed cloud that is one more draw has p_any <= r / (1 + R) in r of 1 + R cases, however shapes are tied."""
    rng = np.random.default_rng(0)
    pool = rng.normal(size=(60, 4)) @ rng.normal(size=(4, 4))
    found = [min_p(pool[r], np.delete(pool, r, axis=0)) for r in range(60)]
    assert np.sort(found) == pytest.approx(np.arange(1, 61) / 60)


def test_a_find_in_one_shape_reaches_the_smallest_p():
    rng = np.random.default_rng(1)
    draws = rng.normal(size=(999, 6))
    assert min_p([0, 0, 9.0, 0, 0, 0], draws) == 1 / 1_000
    assert min_p([0.0] * 6, draws) > 0.5


def test_the_choice_among_shapes_is_paid_for():
    rng = np.random.default_rng(2)
    draws = rng.normal(size=(2_000, 5))
    one_in_fifty = np.array([np.quantile(draws[:, 0], 0.98), *[-3.0] * 4])
    assert p_values(one_in_fifty, draws)[0] == pytest.approx(0.02, abs=0.001)
    assert min_p(one_in_fifty, draws) == pytest.approx(1 - 0.98**5, abs=0.02)


def stages(seed, shift=0.0, n_clusters=1_000):
    rng = np.random.default_rng(seed)
    observed = rng.normal(size=3) + shift

    def draw():
        source = np.random.default_rng([seed, 1])
        return lambda count: source.normal(size=(count, 3))

    first = first_stage(observed, draw())
    if needs_more(first):
        return first, second_stage(observed, draw(), n_draws=draws_needed(n_clusters, 5))
    return first, None


def test_two_stages_are_calibrated_and_cheap():
    tests = [stages(seed) for seed in range(300)]
    last = [(second or first) for first, second in tests]
    for level in (0.02, 0.05, 0.1):
        share = np.mean([test.p_any <= level for test in last])
        assert share <= level + 2 * np.sqrt(level * (1 - level) / 300)
    assert kstest([test.p_any for test in last], "uniform").pvalue > 0.01
    assert np.mean([first.n_draws for first, _ in tests]) < 250
    assert sum(second is not None for _, second in tests) < 15


def test_a_find_gets_all_its_draws_and_reaches_q():
    first, second = stages(3, shift=9.0)
    assert first.n_draws == 1_000 and first.p_any == 1 / 1_001
    assert second is not None and second.n_draws == draws_needed(1_000, 5) == 4_000
    assert second.p_any == 1 / 4_001
    assert (second.excess > 2).all()
    five_finds = np.concatenate([[second.p_any] * 5, np.linspace(0.03, 1, 995)])
    assert q_values(five_finds)[:5].max() <= 0.05


def test_the_second_stage_stops_at_ten_exceedances():
    rng = np.random.default_rng(4)
    test = second_stage(np.array([2.4]), lambda count: rng.normal(size=(count, 1)), n_draws=50_000)
    assert test.n_draws < 3_000
    assert test.p_any * (1 + test.n_draws) - 1 >= 10


def test_draws_needed_and_smallest_q():
    assert draws_needed(1_000, 1) == 20_000
    assert draws_needed(10, 5) == 1_000
    assert smallest_q(20, 1_000) == pytest.approx(20 / 1_001)
    assert smallest_q(2_000, 100) == 1


def test_q_values():
    p = np.random.default_rng(5).uniform(size=200) ** 2
    assert q_values(p) == pytest.approx(false_discovery_control(p))
    assert len(q_values([])) == 0
