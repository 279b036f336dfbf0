"""Counting in shards, merging and recounting: the union of shards holds exactly the pairs wanted."""

import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from synthetic_shards import FLOORS, csr, firing_patterns, write_shards

from coactivation_manifolds.cooccurrence.candidates import (
    _above_bound,
    _add_bounds,
    _line,
    merge_candidates,
    most_unkept,
)
from coactivation_manifolds.cooccurrence.floor import exact_fraction, reaches
from coactivation_manifolds.cooccurrence.kernel import count_pairs_reference
from coactivation_manifolds.cooccurrence.pair_counts import PairCounts
from coactivation_manifolds.cooccurrence.pair_files import (
    counts_table,
    iter_ranges,
    iter_summed_ranges,
    write_pair_counts,
)
from coactivation_manifolds.cooccurrence.recount import count_given_pairs, recount_shard
from coactivation_manifolds.cooccurrence.shard_counts import count_shard
from coactivation_manifolds.errors import ConfigError, InputError, ResultsError
from coactivation_manifolds.schemas import CANDIDATES, PAIR_COUNTS
from coactivation_manifolds.storage import read_table


@settings(deadline=None, max_examples=60)
@given(
    fires=firing_patterns(),
    floor=st.sampled_from(FLOORS),
    seed=st.integers(0, 2**32 - 1),
    n_shards=st.integers(1, 5),
)
def test_a_pair_that_reaches_the_floor_reaches_it_in_a_shard(
    fires: np.ndarray, floor: float, seed: int, n_shards: int
) -> None:
    cuts = np.sort(np.random.default_rng(seed).integers(0, len(fires) + 1, n_shards - 1))
    exact = exact_fraction(floor, name="floor")
    wanted = count_pairs_reference(*csr(fires), n_latents=fires.shape[1], floor=exact)
    kept = set()
    for part in np.split(fires, cuts):
        found = count_pairs_reference(*csr(part), n_latents=fires.shape[1], floor=exact)
        kept |= set(zip(found.a.tolist(), found.b.tolist(), strict=True))
    assert set(zip(wanted.a.tolist(), wanted.b.tolist(), strict=True)) <= kept


@pytest.mark.parametrize("read", [counts_table, lambda path: list(iter_ranges([path]))])
def test_a_damaged_page_names_the_file(tmp_path: Path, read) -> None:
    rng = np.random.default_rng(0)
    counts = PairCounts(
        np.arange(5_000, dtype=np.uint32), np.arange(5_000, dtype=np.uint32) + 1, rng.integers(1, 10**6, 5_000)
    )
    path = tmp_path / "counts.parquet"
    write_pair_counts(counts, path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"counts.parquet is damaged"):
        read(path)


@settings(deadline=None, max_examples=60)
@given(fires=firing_patterns(), seed=st.integers(0, 2**32 - 1), threads=st.integers(1, 3))
def test_given_pairs_are_counted(fires: np.ndarray, seed: int, threads: int) -> None:
    n_latents = fires.shape[1]
    a, b = np.triu_indices(n_latents, 1)
    chosen = np.random.default_rng(seed).random(len(a)) < 0.5
    a, b = a[chosen].astype(np.uint32), b[chosen].astype(np.uint32)
    counts = count_given_pairs(*csr(fires), a, b, sizes=fires.sum(axis=0), threads=threads)
    joint = fires.T.astype(np.int64) @ fires.astype(np.int64)
    np.testing.assert_array_equal(counts, joint[a, b])


def random_counts(seed: int, size: int = 400, n_latents: int = 40) -> PairCounts:
    rng = np.random.default_rng(seed)
    keys = np.unique(rng.integers(0, n_latents * n_latents, size))
    a, b = keys // n_latents, keys % n_latents
    a, b = a[a < b], b[a < b]
    return PairCounts(a.astype(np.uint32), b.astype(np.uint32), rng.integers(1, 2**40, len(a)))


def as_dict(pairs: PairCounts) -> dict[tuple[int, int], int]:
    return {(int(a), int(b)): int(n) for a, b, n in zip(*pairs, strict=True)}


@pytest.mark.parametrize("rows_per_range", [1, 50, 10**9])
def test_files_are_summed_by_ranges(tmp_path: Path, rows_per_range: int) -> None:
    parts = [random_counts(seed) for seed in range(4)] + [random_counts(9, size=0)]
    paths = [tmp_path / f"{number}.parquet" for number in range(len(parts))]
    expected: dict[tuple[int, int], int] = {}
    for path, pairs in zip(paths, parts, strict=True):
        write_pair_counts(pairs, path)
        for pair, count in as_dict(pairs).items():
            expected[pair] = expected.get(pair, 0) + count
    summed = [as_dict(pairs) for pairs in iter_summed_ranges(paths, rows_per_range=rows_per_range)]
    joined = {pair: count for part in summed for pair, count in part.items()}
    assert joined == expected
    assert list(joined) == sorted(expected)
    assert sum(map(len, summed)) == len(expected)


def test_ranges_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coactivation_manifolds.cooccurrence.pair_files.ROW_GROUP", 10)
    paths = [tmp_path / f"{number}.parquet" for number in range(3)]
    for number, path in enumerate(paths):
        write_pair_counts(random_counts(number), path)
    total = sum(len(counts_table(path).a) for path in paths)
    sizes = [sum(len(rows.keys) for rows in files) for files in iter_ranges(paths, rows_per_range=60)]
    assert sum(sizes) == total
    assert len(sizes) < 2 * total / 60
    assert max(sizes) <= 60


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32 - 1))
def test_merging_is_associative_and_commutative(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("merge")
    x, y, z = (folder / f"{name}.parquet" for name in "xyz")
    for number, path in enumerate((x, y, z)):
        write_pair_counts(random_counts(seed + number, size=60, n_latents=10), path)

    def merged(name: str, *paths: Path) -> Path:
        parts = list(iter_summed_ranges(paths))
        pairs = PairCounts(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
        write_pair_counts(pairs, folder / name)
        return folder / name

    left = merged("left", merged("xy", x, y), z)
    right = merged("right", z, merged("yx", y, x))
    other = merged("other", x, merged("zy", z, y))
    assert left.read_bytes() == right.read_bytes() == other.read_bytes()


def run_passes(manifests: list[Path], folder: Path, *, floor: float, positions: list[int] | None = None) -> None:
    for number, manifest in enumerate(manifests):
        count_shard(
            manifest,
            jaccard_floor=floor,
            positions=positions,
            threads=1,
            counts_path=folder / f"{number}.parquet",
            marginals_path=folder / f"{number}.npy",
            totals_path=folder / f"{number}.json",
        )
    counts = [folder / f"{number}.parquet" for number in range(len(manifests))]
    marginals = [folder / f"{number}.npy" for number in range(len(manifests))]
    merge_candidates(counts, marginals, jaccard_floor=floor, candidates_path=folder / "candidates.parquet")
    for number, manifest in enumerate(manifests):
        recount_shard(
            manifest,
            counts_path=counts[number],
            marginals_path=marginals[number],
            candidates_path=folder / "candidates.parquet",
            positions=positions,
            threads=1,
            recount_path=folder / f"{number}.recount.parquet",
        )


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fires=firing_patterns(), floor=st.sampled_from([0.0, 0.1, 0.5]), window=st.sampled_from([None, [2, 5]]))
def test_files_of_both_passes(
    fires: np.ndarray, floor: float, window: list[int] | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("passes")
    third = len(fires) // 3
    manifests = write_shards(fires, folder / "activations", cuts=[third, third, 2 * third])
    run_passes(manifests, folder, floor=floor, positions=window)
    position = np.arange(len(fires)) % 6
    in_window = np.ones(len(fires), bool) if window is None else (position >= window[0]) & (position < window[1])
    bounds = [0, third, third, 2 * third, len(fires)]
    candidates = read_table(folder / "candidates.parquet")
    assert candidates.schema.remove_metadata() == CANDIDATES
    listed = list(zip(*candidates.to_pydict().values(), strict=True))
    assert listed == sorted(listed)
    pairs = set(listed)
    exact = exact_fraction(floor, name="floor")
    wanted = count_pairs_reference(*csr(fires[in_window]), n_latents=fires.shape[1], floor=exact)
    assert as_dict(wanted).keys() <= pairs
    for number in range(4):
        span = slice(bounds[number], bounds[number + 1])
        part = fires[span][in_window[span]]
        joint = part.T.astype(np.int64) @ part.astype(np.int64)
        np.testing.assert_array_equal(np.load(folder / f"{number}.npy"), np.diag(joint))
        totals = json.loads((folder / f"{number}.json").read_text())
        k, tokens = np.unique(part.sum(axis=1), return_counts=True)
        assert totals["k_t"] == [list(pair) for pair in zip(k.tolist(), tokens.tolist(), strict=True)]
        assert (totals["n_tokens"], totals["n_entries"]) == (len(part), int(part.sum()))
        assert read_table(folder / f"{number}.parquet").schema.remove_metadata() == PAIR_COUNTS
        first = as_dict(counts_table(folder / f"{number}.parquet"))
        second = as_dict(counts_table(folder / f"{number}.recount.parquet"))
        assert not first.keys() & second.keys()
        counted = {pair: n for pair, n in (first | second).items() if pair in pairs}
        assert counted == {pair: int(joint[pair]) for pair in pairs if joint[pair] > 0}
        assert second.keys() <= pairs


@settings(deadline=None, max_examples=40)
@given(fires=firing_patterns(), floor=st.sampled_from(FLOORS))
def test_a_pair_that_is_not_kept_has_at_most_its_bound(fires: np.ndarray, floor: float) -> None:
    exact = exact_fraction(floor, name="floor")
    joint = fires.T.astype(np.int64) @ fires.astype(np.int64)
    a, b = np.triu_indices(fires.shape[1], 1)
    n_a, n_b, n_ab = np.diag(joint)[a], np.diag(joint)[b], joint[a, b]
    most = most_unkept(n_a, n_b, exact)
    unkept = ~reaches(n_ab, n_a, n_b, exact)
    assert (n_ab[unkept] <= most[unkept]).all()
    assert not reaches(most, n_a, n_b, exact).any()


@settings(deadline=None, max_examples=60)
@given(
    floor=st.decimals(0, 1, places=9),
    firings=st.lists(st.tuples(st.integers(0, 2**31), st.integers(0, 2**31)), min_size=1, max_size=20),
)
def test_the_bound_in_floats_is_never_below_the_exact_one(floor: Decimal, firings: list[tuple[int, int]]) -> None:
    exact = exact_fraction(floor, name="floor")
    table = np.array(firings, np.uint32).T
    n_a, n_b = table.astype(np.int64)
    one, other = np.zeros(1, np.uint32), np.ones(1, np.uint32)
    for shard in range(len(firings)):
        least = most_unkept(n_a[shard : shard + 1], n_b[shard : shard + 1], exact)
        above = _above_bound(one, other, np.zeros(1, np.int64), table, shard, *_line(exact))
        assert -above[0] >= least[0]
    sums = np.zeros(1, np.int64)
    _add_bounds(one, other, table, *_line(exact), sums)
    assert sums[0] >= most_unkept(n_a, n_b, exact).sum()


def test_chance_pairs_are_no_candidates(tmp_path: Path) -> None:
    """Two latents of 30 firings in each of four shards, together once, in the first: 1 of 59 there, 1 of 239 in all."""
    fires = np.zeros((400, 3), bool)
    for first in range(0, 400, 100):
        fires[first : first + 30, 0] = True
        fires[first + 30 : first + 60, 1] = True
        fires[first : first + 30, 2] = True
    fires[0, 1] = True
    fires[30, 1] = False
    manifests = write_shards(fires, tmp_path / "activations", cuts=[100, 200, 300])
    run_passes(manifests, tmp_path, floor=0.015)
    assert as_dict(counts_table(tmp_path / "0.parquet")) == {(0, 1): 1, (0, 2): 30, (1, 2): 1}
    assert read_table(tmp_path / "candidates.parquet").to_pydict() == {"feature_a": [0], "feature_b": [2]}


def test_a_shard_that_changed_is_not_recounted(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    fires = rng.random((300, 6)) < 0.5
    fires[:100, 0] = fires[:100, 1]
    manifests = write_shards(fires, tmp_path / "activations", cuts=[100])
    np.save(tmp_path / "changed.npy", np.full(6, 49))
    run_passes(manifests, tmp_path, floor=0.5)
    with pytest.raises(ResultsError, match=r"was changed after it was counted"):
        recount_shard(
            manifests[1],
            counts_path=tmp_path / "1.parquet",
            marginals_path=tmp_path / "changed.npy",
            candidates_path=tmp_path / "candidates.parquet",
            positions=None,
            threads=1,
            recount_path=tmp_path / "1.recount.parquet",
        )


def test_wrong_floor_and_unknown_positions(tmp_path: Path) -> None:
    (manifest,) = write_shards(np.ones((3, 2), bool), tmp_path / "activations", cuts=[])
    with pytest.raises(ConfigError, match="jaccard_floor"):
        run_passes([manifest], tmp_path, floor=1.5)
    assert not (tmp_path / "0.parquet").exists()
    with pytest.raises(InputError, match=r"does not exist"):
        merge_candidates(
            [tmp_path / "none.parquet"],
            [tmp_path / "none.npy"],
            jaccard_floor=0.1,
            candidates_path=tmp_path / "candidates.parquet",
        )
    assert not (tmp_path / "candidates.parquet").exists()
