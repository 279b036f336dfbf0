"""The figure of one cluster: what it says, and that it says the same each time."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from synthetic_clusters import SETTINGS, array_index, make_experiment

from coactivation_manifolds.figures.canvas import Canvas
from coactivation_manifolds.figures.cluster_header import active_shares, fact_lines, verdict
from coactivation_manifolds.figures.cluster_panel import component_pairs, draw_cluster_panel, known_colourings
from coactivation_manifolds.figures.thumbnail import draw_thumbnail
from coactivation_manifolds.figures.token_names import TokenNames
from coactivation_manifolds.geometry.cluster_view import draw_sample, look_at_cluster
from coactivation_manifolds.geometry.clusters import ClusterRecord, read_clusters, read_decoder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    made = make_experiment(tmp_path_factory.mktemp("made"), n_ring=3_400)
    made.clusters = read_clusters(made.summary_path)
    made.decoder_rows = read_decoder(made.decoder_path, n_latents=made.index.n_latents)
    made.names = TokenNames.read(made.vocab_path, made.latent_tokens_path)
    return made


def look(made, number, **settings):
    return look_at_cluster(
        made.clusters[number],
        "components_j0.20",
        index=made.index,
        decoder=made.decoder_rows,
        settings=SETTINGS | settings,
    )


def view_of(dense, **settings):
    members = tuple(range(dense.shape[1]))
    record = ClusterRecord(0, len(members), members, 0, None, None, None, None)
    index = array_index(dense, positions=settings.pop("positions", None))
    return look_at_cluster(record, "components_j0.20", index=index, decoder=None, settings=SETTINGS | settings)


@pytest.fixture
def texts(monkeypatch):
    """All text of the figures that are saved."""
    found = []
    written = set()

    def keep(canvas, x, y, text, **options):
        written.add(text)

    def end(canvas, path, **options):
        found.append(set(written))
        written.clear()

    monkeypatch.setattr(Canvas, "write", keep)
    monkeypatch.setattr(Canvas, "write_upwards", keep)
    monkeypatch.setattr(Canvas, "save", end)
    return found


def test_same_bytes_and_the_spec_in_the_metadata(made, tmp_path):
    for name in ("a.png", "b.png"):
        draw_cluster_panel(look(made, 1), made.names, tmp_path / name, basis="reconstruction")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as image:
        text = image.text
    assert text["clustering"] == "components_j0.20"
    assert text["cluster"] == "0001"
    assert text["members"] == "0,1,2,3,4,5,6"
    assert (text["n_points"], text["n_points_drawn"], text["min_active"]) == ("3400", "3000", "1")


def test_what_the_figure_says(made, texts):
    draw_cluster_panel(look(made, 1), made.names, "unused", basis="reconstruction")
    said = texts[0]
    assert "Cluster 0001 of components_j0.20" in said
    assert (
        "7 latents · mean Jaccard 0.32 over 21 pairs · mean decoder cosine 0.12 · found by decoder cosine too" in said
    )
    assert "3,400 points, 3,000 of them drawn, a random sample with seed 0" in said
    assert "points: tokens where any of the 7 members fires (min_active 1)" in said
    assert {"coloured by token", "coloured by next token", "coloured by position in document"} <= said
    assert {"␣north", "␣east", "members firing at once", "no next token"} <= said
    assert sum(text.startswith("PC") for text in said) == 5


def test_numbers_come_from_all_points_not_from_those_drawn(made):
    few, all_points = look(made, 1, max_points_drawn=100), look(made, 1, max_points_drawn=10**9)
    assert (len(few.sample), len(all_points.sample)) == (100, 3_400)
    np.testing.assert_array_equal(few.axes["reconstruction"].evr, all_points.axes["reconstruction"].evr)
    assert len(few.scores["reconstruction"]) == 3_400
    np.testing.assert_array_equal(draw_sample(9, 4, seed=1), draw_sample(9, 4, seed=1))
    assert len(set(draw_sample(9, 4, seed=1).tolist())) == 4


def test_members_at_once(made):
    star = look(made, 3)
    assert verdict(star)[0] == "few points, mostly one member at a time"
    labels, shares = active_shares(look(made, 0))
    assert labels[-1] == "8+"
    assert sum(shares) == pytest.approx(1)
    ring = look(made, 1, min_active=2)
    assert verdict(ring)[0].startswith("3 or more at once on")
    assert "at least 2 of the 7 members fire (min_active 2)" in fact_lines(ring, "reconstruction")[2][0]


def test_where_all_members_fire_on_every_point_nothing_impossible_is_said():
    pair = view_of(np.random.default_rng(0).random((300, 2)) + 0.5, min_active=2)
    assert verdict(pair)[0] == "all 2 on every point"


def test_a_mean_over_some_of_the_pairs_says_so(made):
    view = look(made, 1)
    partly = replace(view, record=replace(view.record, n_pairs_present=9, mean_jaccard=0.31))
    assert "mean Jaccard 0.31 over 9 of 21 pairs" in fact_lines(partly, "reconstruction")[0][0]
    fully = replace(view, record=replace(view.record, n_pairs_present=21, mean_jaccard=0.31))
    assert "mean Jaccard 0.31 over 21 pairs" in fact_lines(fully, "reconstruction")[0][0]


def test_unknown_positions_are_grey_and_off_the_scale():
    dense = np.random.default_rng(0).random((200, 3))
    view = view_of(dense, positions=[None, *range(7, 206)])
    colouring = known_colourings(view, lambda ids: [str(i) for i in ids])[-1]
    assert (colouring.title, colouring.low, colouring.values[0]) == ("position in document", 7, -1)


def test_without_tokens_and_positions_the_strongest_member_colours(texts):
    dense = np.random.default_rng(0).random((200, 3))
    draw_cluster_panel(view_of(dense, positions=[None] * 200), TokenNames(), "unused", basis="activations")
    said = texts[0]
    assert "coloured by strongest member" in said
    assert not any("token" in text and "coloured" in text for text in said)
    assert "Members" in said
    assert any("no decoder" in text for text in said)


def test_one_and_two_members(texts):
    rng = np.random.default_rng(0)
    draw_cluster_panel(view_of(rng.random((100, 2)) + 0.1), TokenNames(), "unused", basis="activations")
    column = rng.random(100) + 0.1
    draw_cluster_panel(view_of(np.stack([column, column], axis=1)), TokenNames(), "unused", basis="activations")
    assert any("PC2" in text for text in texts[0])
    assert not any("PC2" in text for text in texts[1])
    assert "no second component: spread at random" in texts[1]
    assert [len(component_pairs(n)) for n in (1, 2, 3, 4, 5)] == [1, 1, 2, 3, 4]


def test_odd_tokens_draw_without_a_warning(tmp_path):
    odd = [
        "\n",
        "\u202eabc",
        "\x00",
        "中文",
        "👍🏽",
        "$x_1$",
        "_a",
        "",
        " ",
        "עברית",
        "العربية",
        "\u0301",
        "%s",
        "a" * 400,
    ]
    made = make_experiment(tmp_path, n_ring=500, vocab=odd)
    names = TokenNames.read(made.vocab_path, made.latent_tokens_path)
    decoder = read_decoder(made.decoder_path, n_latents=made.index.n_latents)
    record = read_clusters(made.summary_path)[0]
    view = look_at_cluster(record, "components_j0.20", index=made.index, decoder=decoder, settings=SETTINGS)
    draw_cluster_panel(view, names, tmp_path / "a.png", basis="activations")
    draw_thumbnail(view, names, tmp_path / "b.png")
    assert (tmp_path / "b.png").stat().st_size < 20_000
