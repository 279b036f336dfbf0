"""The benchmarks' activations are what they say: rates, groups, and the same for any cut into blocks."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from workflow_clone import load_script

from coactivation_manifolds.activations.activation_reader import read_shard
from coactivation_manifolds.activations.activation_writer import ShardWriter
from coactivation_manifolds.activations.token_rows import TokenRows, concatenate

synthetic = load_script("benchmarks/synthetic_activations.py")
SMALL = synthetic.Workload(n_latents=3_000, mean_l0=30.0, seed=3, document_tokens=60)
COLUMNS = ("doc_id", "token_index", "position_in_doc", "token_id", "offsets", "feature_ids", "activations")


@pytest.fixture(scope="module")
def made() -> tuple[np.ndarray, np.ndarray]:
    return synthetic.generate_csr(SMALL, 40_000)


def blocks_joined(rows: list[TokenRows]) -> TokenRows:
    return concatenate(rows, SMALL.n_latents)


def test_ids_are_sorted_and_unique_and_rows_can_be_written(tmp_path: Path) -> None:
    rows = list(synthetic.generate_blocks(SMALL, 1_500, block_tokens=400))
    assert [block.n_tokens for block in rows] == [400, 400, 400, 300]
    writer = ShardWriter(tmp_path, shard=0, n_latents=SMALL.n_latents, fingerprint={"workload": 1})
    for number, block in enumerate(rows):
        writer.write_part(number, block, first_batch=number, last_batch=number)  # checks order, ids and values
    writer.commit(tmp_path / "manifest.json", expected_parts=len(rows))
    read = read_shard(tmp_path / "manifest.json")
    offsets, ids = synthetic.generate_csr(SMALL, 1_500)
    np.testing.assert_array_equal(read.offsets, offsets)
    np.testing.assert_array_equal(read.feature_ids, ids)


@pytest.mark.parametrize("block_tokens", [1, 7, 64, 10_000])
def test_blocks_and_length_change_nothing(block_tokens: int) -> None:
    whole = blocks_joined(list(synthetic.generate_blocks(SMALL, 300, block_tokens=300)))
    longer = blocks_joined(list(synthetic.generate_blocks(SMALL, 333, block_tokens=block_tokens)))
    for column in COLUMNS:
        np.testing.assert_array_equal(getattr(whole, column), getattr(longer.rows(0, 300), column))


@pytest.mark.parametrize("first_token", [1, 59, 60, 61, 170, 299])
def test_a_later_beginning_changes_nothing(first_token: int) -> None:
    whole = blocks_joined(list(synthetic.generate_blocks(SMALL, 300, block_tokens=300)))
    later = blocks_joined(list(synthetic.generate_blocks(SMALL, 300, block_tokens=50, first_token=first_token)))
    for column in COLUMNS:
        np.testing.assert_array_equal(getattr(whole.rows(first_token, 300), column), getattr(later, column))


def test_no_tokens() -> None:
    assert list(synthetic.generate_blocks(SMALL, 0)) == []
    offsets, ids = synthetic.generate_csr(SMALL, 0)
    assert offsets.tolist() == [0]
    assert len(ids) == 0


def test_seeds_differ() -> None:
    one, other = (synthetic.generate_csr(synthetic.Workload(n_latents=500, mean_l0=9, seed=s), 50) for s in (0, 1))
    assert len(one[1]) != len(other[1]) or (one[1] != other[1]).any()


def test_latents_fire_at_the_promised_rates(made: tuple[np.ndarray, np.ndarray]) -> None:
    offsets, ids = made
    rates = synthetic.plan_sources(SMALL).rates
    firings = np.bincount(ids, minlength=SMALL.n_latents) / (len(offsets) - 1)
    assert rates.sum() == pytest.approx(SMALL.mean_l0)
    assert (rates == 0).sum() == pytest.approx(0.1 * SMALL.n_latents, abs=2)
    assert (firings[rates == 0] == 0).all()
    frequent = rates > 0.04
    assert rates.max() == pytest.approx(0.6, abs=0.01)
    np.testing.assert_allclose(firings[frequent], rates[frequent], rtol=0.12)
    for tenth in np.array_split(np.argsort(rates)[(rates == 0).sum() :], 10):
        assert firings[tenth].sum() == pytest.approx(rates[tenth].sum(), rel=0.05)


def test_latents_a_token_vary(made: tuple[np.ndarray, np.ndarray]) -> None:
    k = np.diff(made[0])
    assert k.mean() == pytest.approx(SMALL.mean_l0, rel=0.03)
    assert 0.3 < k.std() / k.mean() < 0.6


def test_groups_fire_together_at_their_strength(made: tuple[np.ndarray, np.ndarray]) -> None:
    offsets, ids = made
    token = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    groups = synthetic.plan_sources(SMALL).groups()
    assert all(3 <= len(members) <= 50 for members, _ in groups)
    checked = 0
    for members, jaccard in groups:
        postings = [set(token[ids == latent].tolist()) for latent in members[:6]]
        unions = [len(a | b) for a, b in combinations(postings, 2)]
        if min(unions) < 400:
            continue
        measured = [len(a & b) / len(a | b) for a, b in combinations(postings, 2)]
        np.testing.assert_allclose(measured, jaccard, atol=0.09)
        checked += 1
    assert checked >= 5


def test_rare_latents_come_in_bursts(made: tuple[np.ndarray, np.ndarray]) -> None:
    """The documents that hold a rare latent hold it several times; spread evenly, nearly all would hold it once."""
    rows = blocks_joined(list(synthetic.generate_blocks(SMALL, 20_000, block_tokens=20_000)))
    rates = synthetic.plan_sources(SMALL).rates
    document = rows.doc_id[rows.row_of_entries()]
    rare = (rates < 0.002)[rows.feature_ids]
    per_document = np.unique(np.stack([document[rare], rows.feature_ids[rare]]), axis=1, return_counts=True)[1]
    assert per_document.mean() > 1.8
