"""Edges against dense NumPy, and the same bytes whatever the shards, their order and the threads."""

import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control
from synthetic_shards import FLOORS, firing_patterns, make_edges, write_shards

from coactivation_manifolds.errors import ConfigError, InputError, ResultsError
from coactivation_manifolds.schemas import EDGES, SIMILARITY_TAIL
from coactivation_manifolds.storage import read_table


def dense_edges(
    fires: np.ndarray, *, floor: float, min_count: int = 1, min_firings: int = 1, max_density: float | None = None
) -> dict[str, np.ndarray]:
    """The counted columns of all edges, by a dense product and decimals."""
    joint = fires.T.astype(np.int64) @ fires.astype(np.int64)
    n = np.diag(joint)
    passing = n >= min_firings
    if max_density is not None:
        passing &= np.array([Decimal(int(k)) <= Decimal(str(max_density)) * len(fires) for k in n], bool)
    a, b = np.triu_indices(len(n), 1)
    both = joint[a, b]
    union = n[a] + n[b] - both
    exact = Decimal(str(floor))
    keep = np.array([k > 0 and int(k) >= exact * int(u) for k, u in zip(both, union, strict=True)], bool)
    keep &= (both >= min_count) & passing[a] & passing[b]
    a, b = a[keep], b[keep]
    return {"feature_a": a, "feature_b": b, "n_a": n[a], "n_b": n[b], "n_ab": both[keep]}


def assert_edges(path: Path, expected: dict[str, np.ndarray]) -> None:
    edges = read_table(path)
    assert edges.schema.remove_metadata() == EDGES
    for name, column in expected.items():
        np.testing.assert_array_equal(edges[name].to_numpy(), column, err_msg=name)


@settings(deadline=None, max_examples=40)
@given(
    fires=firing_patterns(),
    floor=st.sampled_from(FLOORS),
    min_count=st.integers(1, 4),
    min_firings=st.integers(0, 3),
    max_density=st.sampled_from([None, 0.1, 0.5, 1.0]),
    seed=st.integers(0, 2**32 - 1),
    n_shards=st.integers(1, 4),
)
def test_edges_equal_a_dense_computation(
    fires: np.ndarray,
    floor: float,
    min_count: int,
    min_firings: int,
    max_density: float | None,
    seed: int,
    n_shards: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("edges")
    cuts = np.sort(np.random.default_rng(seed).integers(0, len(fires) + 1, n_shards - 1)).tolist()
    filters = {"floor": floor, "min_count": min_count, "min_firings": min_firings, "max_density": max_density}
    made = make_edges(write_shards(fires, folder / "activations", cuts=cuts), folder, **filters)
    assert_edges(made["edges"], dense_edges(fires, **filters))


def corpus(seed: int = 0, n_tokens: int = 640, n_latents: int = 90) -> np.ndarray:
    """Groups that fire together, background, latents that never and always fire."""
    rng = np.random.default_rng(seed)
    fires = rng.random((n_tokens, n_latents)) < np.minimum(0.5, 3.0 / np.arange(1, n_latents + 1))
    for group in range(8):
        on = rng.random(n_tokens) < 0.08
        fires[:, 10 + 5 * group : 15 + 5 * group] |= on[:, None] & (rng.random((n_tokens, 5)) < 0.7)
    fires[:, 3], fires[:, 4] = True, False
    return fires


def decoder_file(folder: Path, n_latents: int = 90) -> Path:
    decoder = np.random.default_rng(5).normal(size=(n_latents, 12)).astype(np.float32)
    decoder[7] = 0
    np.save(folder / "decoder.npy", decoder)
    return folder / "decoder.npy"


def test_any_cut_order_and_threads_give_the_same_bytes(tmp_path: Path) -> None:
    fires = corpus()
    decoder = decoder_file(tmp_path)
    made = []
    for shards, threads, backwards in ((1, 1, False), (3, 2, False), (16, 1, True), (16, 2, False)):
        folder = tmp_path / f"{shards}_{threads}_{backwards}"
        # 16 cuts of uneven length, one shard empty
        cuts = np.linspace(0, 1, shards + 1)[1:-1] ** 1.5 * len(fires)
        cuts = sorted([*cuts.astype(int).tolist()[:-1], *cuts.astype(int).tolist()[-2:-1]]) if shards > 3 else cuts
        manifests = write_shards(fires, folder / "activations", cuts=[int(cut) for cut in cuts])
        made.append(
            make_edges(
                manifests,
                folder,
                floor=0.05,
                min_count=3,
                threads=threads,
                decoder_path=decoder,
                backwards=backwards,
            )
        )
    assert len(read_table(made[0]["edges"])) > 100
    for name in ("edges", "totals", "tail"):
        contents = {paths[name].read_bytes() for paths in made}
        assert len(contents) == 1, name


def test_small_counts_within_a_shard_are_not_dropped(tmp_path: Path) -> None:
    """min_count is about the corpus: two latents that fire together once in each of ten shards are an edge."""
    fires = np.zeros((40, 3), bool)
    fires[::4, :2] = True
    made = make_edges(
        write_shards(fires, tmp_path / "a", cuts=list(range(4, 40, 4))), tmp_path, floor=0.5, min_count=10
    )
    assert_edges(made["edges"], dense_edges(fires, floor=0.5, min_count=10))
    assert read_table(made["edges"])["n_ab"].to_pylist() == [10]


def test_pairs_below_the_floor_in_some_shards_are_counted_everywhere(tmp_path: Path) -> None:
    """Five shards of n_ab = 7, union 100: a float test fails in each and passes on the sum."""
    part = np.zeros((110, 2), bool)
    part[:60, 0] = True
    part[53:100, 1] = True
    fires = np.concatenate([part] * 5)
    made = make_edges(write_shards(fires, tmp_path / "a", cuts=[110, 220, 330, 440]), tmp_path, floor=0.07)
    assert read_table(made["edges"])["n_ab"].to_pylist() == [35]


def test_every_column(tmp_path: Path) -> None:
    fires = corpus(seed=2)
    made = make_edges(
        write_shards(fires, tmp_path / "a", cuts=[200]),
        tmp_path,
        floor=0.02,
        min_count=2,
        decoder_path=decoder_file(tmp_path),
    )
    edges = {name: column.to_pylist() for name, column in zip(EDGES.names, read_table(made["edges"]), strict=True)}
    decoder = np.load(tmp_path / "decoder.npy").astype(np.float64)
    n_tokens = len(fires)
    assert 3 in edges["feature_a"]
    for row in range(len(edges["n_ab"])):
        a, b = edges["feature_a"][row], edges["feature_b"][row]
        n_a, n_b, n_ab = edges["n_a"][row], edges["n_b"][row], edges["n_ab"][row]
        assert a < b
        assert edges["jaccard"][row] == n_ab / (n_a + n_b - n_ab)
        assert edges["dice"][row] == 2 * n_ab / (n_a + n_b)
        assert edges["overlap"][row] == n_ab / min(n_a, n_b)
        assert edges["log_lift"][row] == pytest.approx(np.log(n_ab * n_tokens / (n_a * n_b)), abs=1e-12)
        assert (edges["phi"][row] is None) == (3 in (a, b))
        if 7 in (a, b):
            assert edges["cosine"][row] is None
        else:
            cosine = decoder[a] @ decoder[b] / np.linalg.norm(decoder[a]) / np.linalg.norm(decoder[b])
            assert edges["cosine"][row] == pytest.approx(cosine, abs=1e-12)
        assert edges["log10_p"][row] <= 0
        assert edges["log10_p"][row] - 1e-12 <= edges["log10_q"][row] <= 0
        assert edges["z"][row] is not None
    planted = [a // 5 == b // 5 and 35 <= a < 50 for a, b in zip(edges["feature_a"], edges["feature_b"], strict=True)]
    assert np.median(np.array(edges["log10_q"])[planted]) < -2
    totals = json.loads(made["totals"].read_text())
    p = np.concatenate([10 ** np.array(edges["log10_p"]), np.ones(totals["n_pairs_tested"] - len(planted))])
    np.testing.assert_allclose(10 ** np.array(edges["log10_q"]), false_discovery_control(p)[: len(planted)], rtol=1e-9)


def test_totals_and_tail(tmp_path: Path) -> None:
    fires = corpus(seed=3)
    filters = {"floor": 0.05, "min_count": 4, "min_firings": 5, "max_density": 0.4}
    made = make_edges(write_shards(fires, tmp_path / "a", cuts=[100]), tmp_path, **filters)
    n = fires.sum(axis=0)
    passing = (n >= 5) & (n <= 0.4 * len(fires))
    totals = json.loads(made["totals"].read_text())
    k, tokens = np.unique(fires.sum(axis=1), return_counts=True)
    assert totals == {
        "format_version": 1,
        "n_latents": 90,
        "n_tokens": 640,
        "n_entries": int(fires.sum()),
        "n_latents_firing": int((n > 0).sum()),
        "jaccard_floor": 0.05,
        "min_count": 4,
        "min_firings": 5,
        "max_density": 0.4,
        "n_latents_passing": int(passing.sum()),
        "n_pairs_of_latents_passing": int(passing.sum() * (passing.sum() - 1) // 2),
        "n_pairs_tested": int(passing.sum() * (passing.sum() - 1) // 2),
        "n_edges": len(read_table(made["edges"])),
        "k_t": [list(pair) for pair in zip(k.tolist(), tokens.tolist(), strict=True)],
    }
    tail = read_table(made["tail"])
    assert tail.schema.remove_metadata() == SIMILARITY_TAIL
    jaccard = read_table(made["edges"])["jaccard"].to_numpy()
    grid = tail["jaccard"].to_numpy()
    assert grid[0] == 0.05
    assert grid[-1] == 1.0
    assert {round(step / 100, 2) for step in range(5, 101)} <= {round(step, 3) for step in grid.tolist()}
    assert (np.diff(grid) > 0).all()
    expected = [(jaccard >= threshold - 1e-12).sum() for threshold in grid]
    assert tail["n_pairs"].to_pylist() == expected
    shares = np.array(expected) / totals["n_pairs_of_latents_passing"]
    np.testing.assert_array_equal(tail["share_of_pairs"].to_numpy(), shares)


def test_density_cap_leaves_the_null_alone(tmp_path: Path) -> None:
    """A capped latent takes no edges, but still fires: expectations of the others stay."""
    fires = corpus(seed=4)
    manifests = write_shards(fires, tmp_path / "a", cuts=[])
    every = read_table(make_edges(manifests, tmp_path / "all")["edges"])
    capped = read_table(make_edges(manifests, tmp_path / "capped", max_density=0.2)["edges"])
    columns = ["feature_a", "feature_b", "n_ab", "expected", "z", "log10_p"]
    kept = {(row["feature_a"], row["feature_b"]): row for row in every.select(columns).to_pylist()}
    assert 0 < len(capped) < len(every)
    for row in capped.select(columns).to_pylist():
        assert kept[row["feature_a"], row["feature_b"]] == row


def test_no_tokens_no_edges(tmp_path: Path) -> None:
    made = make_edges(write_shards(np.zeros((0, 4), bool), tmp_path / "a", cuts=[0]), tmp_path)
    assert len(read_table(made["edges"])) == 0
    assert set(read_table(made["tail"])["share_of_pairs"].to_pylist()) == {0.0}


def test_what_does_not_fit_is_told(tmp_path: Path) -> None:
    fires = corpus()
    manifests = write_shards(fires, tmp_path / "a", cuts=[300])
    with pytest.raises(InputError, match=r"decoder\.npy has 12 rows but the activations have 90 latents"):
        make_edges(manifests, tmp_path / "x", decoder_path=decoder_file(tmp_path, 12))
    with pytest.raises(ConfigError, match=r"similarity\.max_density"):
        make_edges(manifests, tmp_path / "x", max_density=1.2)
    assert not (tmp_path / "x/edges.parquet").exists()
    np.save(tmp_path / "x/000001.npy", np.zeros(90, np.int64))
    with pytest.raises(ResultsError, match="contradict"):
        reduce_again(tmp_path / "x", floor=0.02)
    np.save(tmp_path / "x/000001.npy", np.zeros(5, np.int64))
    with pytest.raises(ResultsError, match="shard of another experiment"):
        reduce_again(tmp_path / "x", floor=0.02)
    with pytest.raises(ResultsError, match=r"was counted with jaccard_floor = 0\.02"):
        reduce_again(tmp_path / "x", floor=0.01)


def reduce_again(folder: Path, *, floor: float) -> None:
    from coactivation_manifolds.similarity.edges import reduce_counts

    names = ["000000", "000001"]
    reduce_counts(
        [folder / f"{name}.parquet" for name in names],
        [folder / f"{name}.recount.parquet" for name in names],
        [folder / f"{name}.npy" for name in names],
        [folder / f"{name}.json" for name in names],
        decoder_path=None,
        jaccard_floor=floor,
        min_count=1,
        min_firings=1,
        max_density=None,
        edges_path=folder / "edges.parquet",
        totals_path=folder / "totals.json",
        tail_path=folder / "tail.parquet",
    )
