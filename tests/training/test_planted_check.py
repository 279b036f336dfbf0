"""The final check, on activations of known shape: what it measures, and that controls and gaps are told."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_clusters import array_index, ring_activations, simplex_activations

from coactivation_manifolds.errors import ResultsError
from coactivation_manifolds.schemas import PLANTED_TRUTH, conform
from coactivation_manifolds.storage import read_json, write_array, write_json, write_table
from coactivation_manifolds.training.planted_check import check_planted_truth, summary_lines
from coactivation_manifolds.training.planted_controls import matched_sets, random_sets
from coactivation_manifolds.training.planted_readings import linear_r2, locate_truth, read_latents
from coactivation_manifolds.training.planted_view import cluster_view, ring_shape

WORDS = 50
LOSSES = {"all": {"model": 2.0, "optimal": 1.9, "gap": 0.1, "n_tokens": 10}}
RING, TRIANGLE, NOISE = list(range(7)), list(range(7, 13)), list(range(13, 30))


def planted_run(rng, n_documents=120):
    """Documents of a ring, a simplex or noise by turns, latents that read each, and the truth."""
    n = n_documents * WORDS
    process = np.repeat(np.arange(n_documents) // 2 % 3, WORDS)
    dense = np.zeros((n, 30))
    columns = {name: np.full(n, np.nan) for name in ("cos", "sin", "p1", "p2", "p3")}
    ring, triangle = process == 0, process == 1
    dense[np.ix_(ring, RING)], angle = ring_activations(rng, int(ring.sum()))
    dense[np.ix_(triangle, TRIANGLE)], belief = simplex_activations(rng, int(triangle.sum()))
    dense[:, NOISE] = (rng.random((n, len(NOISE))) < 0.05) * rng.exponential(1.0, (n, len(NOISE)))
    columns["cos"][ring], columns["sin"][ring] = np.cos(angle), np.sin(angle)
    for number in range(3):
        columns[f"p{number + 1}"][triangle] = belief[:, number]
    truth = conform(
        {
            "doc_id": np.repeat(np.arange(n_documents), WORDS),
            "position_in_doc": np.tile(np.arange(WORDS), n_documents),
            "process": np.array(["wind", "mood", "kitchen"])[process],
            **{name: pa.array(values, from_pandas=True) for name, values in columns.items()},
        },
        PLANTED_TRUTH,
    )
    decoder = rng.normal(size=(30, 12))
    return SimpleNamespace(dense=dense, index=array_index(dense, words_per_doc=WORDS), truth=truth, decoder=decoder)


@pytest.fixture(scope="module")
def run():
    return planted_run(np.random.default_rng(0))


def all_tokens(index):
    return index.tokens(np.arange(index.n_tokens))


def summary_of(*clusters, missed=None):
    return pa.table(
        {
            "cluster_id": pa.array(range(len(clusters)), pa.int32()),
            "members": pa.array(clusters, pa.list_(pa.uint32())),
            "missed_by_cosine": pa.array(missed or [None] * len(clusters), pa.bool_()),
        }
    )


def check(run, folder, summary, *, truth=None, seed=0):
    write_table(run.truth if truth is None else truth, folder / "truth.parquet")
    write_table(summary, folder / "summary.parquet")
    write_array(run.decoder.astype(np.float32), folder / "decoder.npy")
    write_table(pa.table({"count": (run.index.dense > 0).sum(axis=0).astype(np.int64)}), folder / "counts.parquet")
    write_json({"held_out": LOSSES}, folder / "losses.json")
    check_planted_truth(
        folder / "truth.parquet",
        summary_path=folder / "summary.parquet",
        index=run.index,
        decoder_path=folder / "decoder.npy",
        feature_counts_path=folder / "counts.parquet",
        losses_path=folder / "losses.json",
        clustering="components_j0.25",
        settings={"min_active": 2, "positions": None},
        min_firings=20,
        seed=seed,
        check_path=folder / "check.json",
        figure_path=folder / "planted.png",
    )
    return read_json(folder / "check.json")


@pytest.fixture(scope="module")
def found(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("check")
    return check(run, folder, summary_of(NOISE[:9], RING, TRIANGLE, missed=[False, True, None])), folder


def test_both_shapes_are_found_in_their_clusters(found):
    result, folder = found
    assert result["ring"]["cluster_id"] == 1 and result["simplex"]["cluster_id"] == 2
    assert result["ring"]["r2"] > 0.95 and result["simplex"]["r2"] > 0.9
    for key in ("ring", "simplex"):
        assert result[key]["purity"] > 0.99 and result[key]["coverage"] > 0.5
    assert (result["n_missed_by_cosine"], result["n_clusters"]) == (1, 3)
    assert result["losses"] == LOSSES
    assert (folder / "planted.png").read_bytes().startswith(b"\x89PNG")


def test_controls_read_worse_and_are_reported(found):
    result, _ = found
    for key in ("ring", "simplex"):
        assert result["controls"][key]["matched"]["r2_all_tokens"]["max"] < 0.3
        assert result["controls"][key]["random"]["r2_all_tokens"]["mean"] < result[key]["r2_all_tokens"]
    assert [row["planted"] for row in result["table"]] == ["ring"] * 3 + ["simplex"] * 3
    assert all(row.keys() == result["table"][0].keys() for row in result["table"])


def test_the_three_lines_that_matter(found):
    lines = found[0]["summary_lines"]
    assert lines[0].startswith("the planted ring: cluster 0001, 7 latents, R2 0.9")
    assert lines[1].startswith("the planted belief state: cluster 0002, 6 latents, R2 0.")
    assert lines[2] == "missed by cosine: 1 of 3 clusters"


def test_the_same_input_gives_the_same_bytes(run, found, tmp_path):
    check(run, tmp_path, summary_of(NOISE[:9], RING, TRIANGLE, missed=[False, True, None]))
    for name in ("check.json", "planted.png"):
        assert (found[1] / name).read_bytes() == (tmp_path / name).read_bytes()


def test_without_clusters_the_check_says_so(run, tmp_path):
    result = check(run, tmp_path, summary_of())
    assert result["ring"] is None and result["simplex"] is None and result["table"] == []
    assert result["summary_lines"][0] == "the planted ring: no cluster of components_j0.25 reads it"
    assert result["summary_lines"][2] == "missed by cosine: not compared (0 clusters)"
    assert (tmp_path / "planted.png").exists()


def test_a_truth_of_another_run_is_refused(run, tmp_path):
    with pytest.raises(ResultsError, match="are of different runs"):
        check(run, tmp_path, summary_of(RING), truth=run.truth.slice(0, 100))
    with pytest.raises(ResultsError, match="are of different runs"):
        check(run, tmp_path, summary_of(RING), truth=PLANTED_TRUTH.empty_table())


def test_truth_is_found_by_document_and_position_not_by_order(run):
    order = np.random.default_rng(1).permutation(run.truth.num_rows)
    straight = locate_truth(run.truth, all_tokens(run.index), name="mood")
    shuffled = locate_truth(run.truth.take(order), all_tokens(run.index), name="mood")
    np.testing.assert_array_equal(straight.token_rows, shuffled.token_rows)
    np.testing.assert_array_equal(straight.beliefs, shuffled.beliefs)
    np.testing.assert_array_equal(straight.even, straight.token_rows // WORDS % 2 == 0)


@pytest.mark.parametrize("members", [RING, TRIANGLE, RING + TRIANGLE + NOISE])
def test_a_reading_is_least_squares_on_the_reconstruction(run, members):
    truth = locate_truth(run.truth, all_tokens(run.index), name="wind")
    reading = read_latents(truth, run.index, members, decoder=run.decoder, min_active=2)
    activations = run.index.dense[:, members].astype(np.float64)
    points = (activations > 0).sum(axis=1) >= 2
    own = np.zeros(run.index.n_tokens, dtype=bool)
    own[truth.token_rows] = True
    assert reading.n_points == points.sum()
    assert reading.purity == pytest.approx((points & own).sum() / points.sum())
    assert reading.coverage == pytest.approx((points & own).sum() / own.sum())
    beliefs = np.full((run.index.n_tokens, 2), np.nan)
    beliefs[truth.token_rows] = truth.beliefs
    even = np.arange(run.index.n_tokens) // WORDS % 2 == 0
    design = np.column_stack([activations @ run.decoder[members], np.ones(len(activations))])
    if (points & own).sum() < 1000:
        assert reading.r2 is None
        return
    for rows, value in ((points & own, reading.r2), (own, reading.r2_all_tokens)):
        solution = np.linalg.lstsq(design[rows & even], beliefs[rows & even], rcond=None)[0]
        odd = rows & ~even
        error = ((beliefs[odd] - design[odd] @ solution) ** 2).sum()
        assert value == pytest.approx(1 - error / ((beliefs[odd] - beliefs[odd].mean(axis=0)) ** 2).sum(), abs=1e-6)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_r2_is_one_for_what_is_linear_and_low_for_what_is_unrelated(seed):
    rng = np.random.default_rng(seed)
    coordinates = rng.normal(size=(400, 4))
    beliefs = coordinates @ rng.normal(size=(4, 2)) + rng.normal(size=2)
    even = np.arange(400) % 2 == 0
    assert linear_r2(coordinates, beliefs, fit=even, score=~even) == pytest.approx(1)
    assert linear_r2(rng.normal(size=(400, 4)), beliefs, fit=even, score=~even) < 0.2
    assert linear_r2(coordinates, np.ones((400, 2)), fit=even, score=~even) == 0
    assert linear_r2(coordinates, beliefs, fit=even & False, score=~even) == 0


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_control_sets_are_live_distinct_and_matched_ones_lie_outside(seed, size):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 1000, size=40)
    live = np.flatnonzero(counts >= 100)
    members = rng.choice(live, size=min(size, len(live)), replace=False).tolist()
    for chosen in random_sets(live, size=size, n_sets=5, seed=[seed]):
        assert len(set(chosen)) == len(chosen) == min(size, len(live))
        assert set(chosen) <= set(live.tolist())
    for chosen in matched_sets(members, live, counts, n_sets=5, seed=[seed]):
        assert len(set(chosen)) == len(chosen) == min(len(members), len(live) - len(members))
        assert set(chosen) <= set(live.tolist()) - set(members)


def test_matched_sets_fire_as_often():
    counts = np.repeat([100, 1000], 30)
    for chosen in matched_sets([0, 1, 30], np.arange(60), counts, n_sets=10, seed=[3]):
        assert sorted(counts[chosen]) == [100, 100, 1000]


def test_a_ring_s_shape_is_measured(run):
    truth = locate_truth(run.truth, all_tokens(run.index), name="wind")
    view = cluster_view(truth, run.index, RING, decoder=np.eye(30)[:, :12], min_active=2)
    circle = np.column_stack([np.cos(np.linspace(0, 2 * np.pi, 361)), np.sin(np.linspace(0, 2 * np.pi, 361))])
    arc = SimpleNamespace(scores=circle[:271] * 2 + 5, beliefs=np.ones((271, 2)))
    assert ring_shape(arc)["largest_gap_degrees"] == pytest.approx(90)
    assert ring_shape(arc)["radius_cv"] == pytest.approx(0, abs=1e-9)
    np.testing.assert_array_equal(np.sort(view.members), RING)
    assert view.jaccard.shape == (7, 7)
    neighbours = [view.jaccard[place, (place + 1) % 7] for place in range(7)]
    assert min(neighbours) > view.jaccard[0, 3]  # ordered by preferred angle


def test_lines_for_numbers_that_are_not_known():
    found = {"ring": {"cluster_id": 3, "size": 2, "r2": None, "purity": 1.0, "coverage": 0.01}, "simplex": None}
    lines = summary_lines(found, None, 4, clustering="components_j0.25")
    assert lines[0].startswith("the planted ring: cluster 0003, 2 latents, R2 unknown")


def test_a_window_of_positions_holds_for_tokens_and_points(run):
    tokens = all_tokens(run.index)
    everywhere = locate_truth(run.truth, tokens, name="wind")
    truth = locate_truth(run.truth, tokens, name="wind", positions=[3, 9])
    position = tokens.column("position_in_doc").to_numpy()
    expected = [row for row in everywhere.token_rows if 3 <= position[row] < 9]
    assert truth.token_rows.tolist() == expected
    reading = read_latents(truth, run.index, RING, decoder=run.decoder, min_active=2)
    firing = (run.index.dense[:, RING] > 0).sum(axis=1) >= 2
    assert reading.n_points == int((firing & (position >= 3) & (position < 9)).sum())
    view = cluster_view(truth, run.index, RING, decoder=np.eye(30)[:, :12], min_active=2)
    assert len(view.scores) == reading.n_points
    assert len(view.held_out_beliefs) == int((~truth.even).sum())
