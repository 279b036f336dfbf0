"""The kernel against its plain reference and against a dense product."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_shards import FLOORS, csr, firing_patterns

from coactivation_manifolds.cooccurrence import kernel, pair_counts, ranked_postings
from coactivation_manifolds.cooccurrence.floor import exact_fraction, reaches
from coactivation_manifolds.cooccurrence.kernel import count_pairs, count_pairs_reference
from coactivation_manifolds.cooccurrence.pair_counts import PairCounts
from coactivation_manifolds.errors import ConfigError, InputError


def fraction(floor: float) -> tuple[int, int]:
    return exact_fraction(floor, name="floor")


def dense_pairs(fires: np.ndarray, floor: float) -> PairCounts:
    joint = fires.T.astype(np.int64) @ fires.astype(np.int64)
    firings = np.diag(joint)
    a, b = np.triu_indices(len(joint), 1)
    n = joint[a, b]
    exact = Decimal(str(floor))
    keep = [
        bool(k > 0 and Decimal(int(k)) >= exact * int(u)) for k, u in zip(n, firings[a] + firings[b] - n, strict=True)
    ]
    return PairCounts(a[keep], b[keep], n[keep])


def assert_same(one: PairCounts, other: PairCounts) -> None:
    for left, right in zip(one, other, strict=True):
        np.testing.assert_array_equal(left, right)


@settings(deadline=None, max_examples=150)
@given(fires=firing_patterns(), floor=st.sampled_from(FLOORS), threads=st.integers(1, 3), prune=st.booleans())
def test_equals_reference_and_dense_product(fires: np.ndarray, floor: float, threads: int, prune: bool) -> None:
    offsets, ids = csr(fires)
    n_latents = fires.shape[1]
    counted = count_pairs(offsets, ids, n_latents=n_latents, floor=fraction(floor), threads=threads, prune=prune)
    assert [column.dtype for column in counted] == [np.uint32, np.uint32, np.int64]
    reference = count_pairs_reference(offsets, ids, n_latents=n_latents, floor=fraction(floor))
    assert_same(counted, reference)
    assert_same(counted, dense_pairs(fires, floor))
    assert [column.dtype for column in reference] == [np.uint32, np.uint32, np.int64]


@pytest.mark.parametrize("n_latents", [300, 65_536, 65_537, 131_072])
@pytest.mark.parametrize("floor", [0.0, 0.05])
def test_many_latents_take_every_branch(n_latents: int, floor: float) -> None:
    """Heavy-tailed rates: rare latents list what they touch, frequent ones are scanned; ids above 65,535 too."""
    rng = np.random.default_rng(n_latents)
    rates = np.minimum(0.6, 12.0 / np.arange(1, 301))
    fires = rng.random((400, 300)) < rates
    token, rank = np.nonzero(fires)
    latent = rng.choice(n_latents, 300, replace=False)
    latent[0] = n_latents - 1
    latent = rng.permutation(np.unique(latent))
    ids = latent[rank % len(latent)]
    order = np.lexsort((ids, token))
    keep = np.unique(token[order] * np.int64(n_latents) + ids[order])
    token, ids = keep // n_latents, (keep % n_latents).astype(np.uint16 if n_latents <= 65_536 else np.uint32)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(token, minlength=400))])
    reference = count_pairs_reference(offsets, ids, n_latents=n_latents, floor=fraction(floor))
    assert len(reference.a) > 500
    for threads in (1, 2):
        counted = count_pairs(offsets, ids, n_latents=n_latents, floor=fraction(floor), threads=threads)
        assert_same(counted, reference)


@pytest.mark.parametrize("mask_bits", [0.0, 2.0, 1e9])
@pytest.mark.parametrize("floor", [0.0, 0.02, 0.3])
def test_masks_and_wide_counters(monkeypatch: pytest.MonkeyPatch, mask_bits: float, floor: float) -> None:
    """From all latents in masks to none; latents of more than 255 firings on either side; several blocks of a sort."""
    monkeypatch.setattr(ranked_postings, "MASK_BITS", mask_bits)
    monkeypatch.setattr(ranked_postings, "MOST_WORDS", 3)
    monkeypatch.setattr(pair_counts, "BUCKET_BITS", 3)
    rng = np.random.default_rng(5)
    fires = rng.random((2_500, 500)) < rng.permutation(np.minimum(0.5, 3.0 / np.arange(1, 501)))
    fires[::7, 20:30] |= rng.random(10) < 0.8
    offsets, ids = csr(fires)
    reference = count_pairs_reference(offsets, ids, n_latents=500, floor=fraction(floor))
    for threads, prune in ((1, False), (1, True), (3, False), (3, True)):
        counted = count_pairs(offsets, ids, n_latents=500, floor=fraction(floor), threads=threads, prune=prune)
        assert_same(counted, reference)


def test_full_buffers_are_emptied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "OUTPUT_ROWS", 0)
    fires = np.ones((5, 40), bool)
    counted = count_pairs(*csr(fires), n_latents=40, floor=(0, 1))
    assert len(counted.a) == 40 * 39 // 2
    assert (counted.n_ab == 5).all()


def test_read_only_and_other_types_of_input() -> None:
    offsets, ids = csr(np.ones((4, 3), bool))
    ids.flags.writeable = False
    for given_ids in (ids, ids.astype(np.uint32), ids.astype(np.int64)):
        counted = count_pairs(offsets, given_ids, n_latents=3, floor=(1, 1))
        assert counted.n_ab.tolist() == [4, 4, 4]


def test_ties_are_exact() -> None:
    """Union 100, 7 together: 0.07 as a float is above 7 / 100 times 100, on integers it is a tie."""
    fires = np.zeros((100, 2), bool)
    fires[:60, 0] = True
    fires[53:, 1] = True
    assert 0.07 * 100 > 7
    assert len(count_pairs(*csr(fires), n_latents=2, floor=fraction(0.07)).a) == 1
    assert len(count_pairs(*csr(fires), n_latents=2, floor=fraction(0.070000001)).a) == 0
    n_ab, n_a, n_b = (np.array([n]) for n in (7, 60, 47))
    assert reaches(n_ab, n_a, n_b, (7, 100)).all()
    assert not reaches(np.array([0]), n_a, n_b, (0, 1)).any()


def test_pruning_keeps_ties() -> None:
    """The rarer latent always fires with the other and n_i / n_j is just the floor."""
    fires = np.zeros((200, 2), bool)
    fires[:50, 1] = True
    fires[0, 0] = True
    for floor, pairs in ((0.02, 1), (0.020000001, 0)):
        assert len(count_pairs(*csr(fires), n_latents=2, floor=fraction(floor)).a) == pairs


def test_too_long_a_shard_is_refused() -> None:
    with pytest.raises(InputError, match="cut it into more shards"):
        count_pairs(np.zeros(2**17, np.int64), np.zeros(0, np.uint32), n_latents=2**24, floor=(1, 50))


def test_too_many_entries_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranked_postings, "MOST_PLACES", 50)
    with pytest.raises(InputError, match="25 entries is too long: cut it into more shards"):
        count_pairs(*csr(np.ones((5, 5), bool)), n_latents=5, floor=(1, 50))


@pytest.mark.parametrize("value", [-0.1, 1.5, "x", float("nan"), float("inf"), 0.12345678901])
def test_floors_that_are_none(value: object) -> None:
    with pytest.raises(ConfigError, match=r"similarity\.jaccard_floor"):
        exact_fraction(value, name="similarity.jaccard_floor")  # type: ignore[arg-type]  # wrong on purpose


def test_floors_are_the_decimals_written() -> None:
    assert exact_fraction(0.07, name="x") == (7, 100)
    assert exact_fraction(1e-05, name="x") == (1, 100_000)
    assert exact_fraction(0, name="x") == (0, 1)
    assert exact_fraction(1.0, name="x") == (1, 1)
