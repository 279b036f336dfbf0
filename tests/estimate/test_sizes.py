"""Formulas of the estimate against brute force on small matrices."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coactivation_manifolds.cooccurrence.kernel import count_pairs_reference
from coactivation_manifolds.estimate.chance_pairs import expected_chance_pairs, firing_profile
from coactivation_manifolds.estimate.fit import fit_costs
from coactivation_manifolds.estimate.sizes import (
    Activity,
    expected_sizes,
    pairs_a_token,
    pairs_a_token_of_histogram,
)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 40), st.integers(2, 30), st.floats(0.0, 1.0), st.integers(0, 2**32 - 1))
def test_increments_are_the_pairs_on_each_token(n_tokens, n_latents, density, seed):
    fires = np.random.default_rng(seed).random((n_tokens, n_latents)) < density
    k = fires.sum(axis=1)
    counted = sum(int(np.triu(np.outer(row, row), 1).sum()) for row in fires.astype(int))
    values, tokens = np.unique(k, return_counts=True)
    histogram = dict(zip(values.tolist(), tokens.tolist(), strict=True))
    assert n_tokens * pairs_a_token_of_histogram(histogram) == pytest.approx(counted)
    if k.mean() > 0:
        assert n_tokens * pairs_a_token(k.mean(), k.std() / k.mean()) == pytest.approx(counted, abs=1e-6)


def independent(rng, rates, n_tokens):
    fires = rng.random((n_tokens, len(rates))) < rates
    ids = [np.flatnonzero(row) for row in fires]
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in ids])])
    return fires, offsets, np.concatenate(ids).astype(np.uint16)


@pytest.mark.parametrize(("n_tokens", "min_count"), [(400, 1), (2_000, 1), (2_000, 4)])
def test_chance_pairs_are_about_those_of_independent_latents(n_tokens, min_count):
    rng = np.random.default_rng(0)
    rates = 0.3 / (1 + np.arange(400) / 4)
    fires, offsets, ids = independent(rng, rates, n_tokens)
    kept = count_pairs_reference(offsets, ids, n_latents=400, floor=(1, 50))
    k = fires.sum(axis=1)
    expected = expected_chance_pairs(
        firing_profile(fires.sum(axis=0)),
        n_latents=400,
        n_tokens=n_tokens,
        mean_l0=float(k.mean()),
        pairs_a_token=float((k * (k - 1)).mean() / 2),
        floor=0.02,
        min_count=min_count,
    )
    assert expected == pytest.approx(int((kept.n_ab >= min_count).sum()), rel=0.15)


def test_larger_shards_keep_fewer_pairs_by_chance():
    profile = firing_profile(1 / (1 + np.arange(5_000) / 10))
    found = [
        expected_chance_pairs(
            profile, n_latents=65_536, n_tokens=n, mean_l0=80, pairs_a_token=3_500, floor=0.02, min_count=1
        )
        for n in (20_000, 250_000, 4_000_000)
    ]
    assert found == sorted(found, reverse=True)
    assert expected_chance_pairs(
        [], n_latents=10, n_tokens=10, mean_l0=0, pairs_a_token=0, floor=0.02
    ) == pytest.approx(0)


def test_profile_counts_latents_that_fire():
    profile = firing_profile([0, 0, 5, 5, 20, 0])
    assert sum(share for _, share in profile) == pytest.approx(0.5)
    assert sum(rate * share for rate, share in profile) == pytest.approx(1)
    assert firing_profile([0, 0]) == []


def test_chance_pairs_add_up_over_shards_and_lasting_ones_do_not():
    activity = Activity(
        mean_l0=20, l0_spread=0.3, profile=[[0.2, 0.9], [8.2, 0.1]], lasting_pairs=2.0, recounted_share=0.5
    )
    assert activity.candidate_share == 1
    one, ten = (
        expected_sizes(activity, n_tokens=20_000 * n, n_latents=5_000, n_shards=n, mean_l0=20, floor=0.02, min_count=10)
        for n in (1, 10)
    )
    assert ten.shard_pairs == pytest.approx(one.shard_pairs)
    assert one.candidates == pytest.approx(one.shard_pairs)
    assert ten.candidates - 10_000 == pytest.approx(10 * (one.candidates - 10_000))
    assert one.recounted == 0
    assert ten.recounted == pytest.approx(ten.candidates / 2)
    assert ten.increments == pytest.approx(10 * one.increments)
    assert ten.entries == 200_000 * 20


def test_candidates_are_edges_and_a_share_of_the_other_pairs():
    known = {"n_tokens": 200_000, "n_latents": 5_000, "n_shards": 10, "mean_l0": 20, "floor": 0.02, "min_count": 10}
    activity = Activity(mean_l0=20, l0_spread=0.3, profile=[[0.2, 0.9], [8.2, 0.1]], lasting_pairs=2.0)
    union, tenth, edges = (
        expected_sizes(replace(activity, candidate_share=share), **known) for share in (1.0, 0.1, 0.0)
    )
    assert union.edges == tenth.edges == edges.edges == edges.candidates
    assert tenth.candidates - tenth.edges == pytest.approx((union.candidates - union.edges) / 10)
    assert tenth.shard_pairs == union.shard_pairs


def test_costs_are_found_where_jobs_tell_them():
    true = {"start": 2.0, "entry": 3e-8, "increment": 4e-10}
    jobs = [{"start": 1, "entry": e, "increment": i} for e, i in ((1e6, 1e8), (1e8, 1e9), (1e8, 4e10))]
    measured = [(units, sum(true[name] * amount for name, amount in units.items())) for units in jobs]
    fitted = fit_costs(measured, earlier={"start": 1.0, "entry": 5e-8, "increment": 8e-10})
    assert fitted == {name: pytest.approx(cost, rel=0.1) for name, cost in true.items()}


def test_costs_that_jobs_do_not_tell_stay_as_they_were():
    jobs = [({"start": 1, "entry": 1e6, "row": 1e6}, 4.0)]
    fitted = fit_costs(jobs, earlier={"start": 2.0, "entry": 1e-6, "row": 1e-6})
    assert fitted == {"start": pytest.approx(2), "entry": pytest.approx(1e-6), "row": pytest.approx(1e-6)}
    assert fit_costs([], earlier={"start": 2.0}) == {"start": 2.0}
    assert fit_costs([({"start": 1}, 0.0)], earlier={}) == {}
    assert fit_costs([({"start": 1}, 3.0)], earlier={})["start"] == pytest.approx(3, rel=0.01)


def test_pairs_that_meet_in_clumps_reach_the_floor_more_often_in_large_shards():
    known = {"n_latents": 10_000, "mean_l0": 40, "pairs_a_token": 800, "floor": 0.02}
    profile = firing_profile(1 / (1 + np.arange(10_000) / 20))
    plain, clumped = (
        [expected_chance_pairs(profile, n_tokens=n, clumping=w, **known) for n in (5_000, 100_000)] for w in (0.0, 1.2)
    )
    assert clumped[0] < 1.2 * plain[0]
    assert clumped[1] > 2 * plain[1]
