"""Fitted shapes as figures: the shape lies on its points, names stand apart, and the same figure is drawn each time."""

import numpy as np
import pytest
from PIL import Image
from planted_activations import ring_tiles, unit_rows
from synthetic_clusters import SETTINGS, array_index

from coactivation_manifolds.figures.canvas import Canvas
from coactivation_manifolds.figures.cluster_panel import draw_cluster_panel, visible_from
from coactivation_manifolds.figures.null_histogram import draw_null_histogram
from coactivation_manifolds.figures.persistence_diagram import draw_persistence
from coactivation_manifolds.figures.shape_figure import Evidence, draw_shape_figure
from coactivation_manifolds.figures.shape_labels import break_lines, spread
from coactivation_manifolds.figures.token_names import TokenNames
from coactivation_manifolds.geometry.cluster_view import look_at_cluster
from coactivation_manifolds.geometry.clusters import ClusterRecord
from coactivation_manifolds.geometry.fitted_shape import fit_shape, latent_places, leading_latents, outline, place_in
from coactivation_manifolds.geometry.nulls.copula import reconstruction_map
from coactivation_manifolds.geometry.shapes.persistence import Persistence

TURNS = 2.5


def view_of(dense, decoder):
    members = tuple(range(dense.shape[1]))
    record = ClusterRecord(3, len(members), members, 0, None, None, None, None)
    return look_at_cluster(
        record, "components_j0.20", index=array_index(dense), decoder=decoder, settings=SETTINGS | {"seed": 3}
    )


def tiled(rng, n, k):
    """Latents that tile a segment, two or three at once."""
    away = np.abs(rng.random((n, 1)) - np.linspace(0, 1, k))
    return np.maximum(1.3 / k - away, 0) * k


def made(kind):
    """Activations, decoder and number of vertices of a planted shape."""
    rng = np.random.default_rng(0)
    if kind == "circle":
        turns = 2 * np.pi * np.arange(8) / 8
        rows = 0.1 * unit_rows(rng, 8)
        rows[:, 0] += np.cos(turns)
        rows[:, 1] += np.sin(turns)
        return ring_tiles(rng, 700, 8)[0], rows, 0
    if kind == "simplex":
        return np.maximum(rng.dirichlet(np.ones(4), 700) - 0.02, 0), unit_rows(rng, 4), 4
    along = np.linspace(-0.5, 0.5, 20)
    rows = 0.02 * unit_rows(rng, 20)
    rows[:, 0] += 4 * along
    if kind == "helix":
        rows[:, 1] += np.cos(2 * np.pi * TURNS * along)
        rows[:, 2] += np.sin(2 * np.pi * TURNS * along)
    return tiled(rng, 700, 20), rows, 0


def fitted(kind):
    dense, rows, n_vertices = made(kind)
    view = view_of(dense, rows)
    activations = view.points.activations(view.points.token_rows)
    turn = reconstruction_map(rows).T
    return view, fit_shape(activations, turn=turn, kind=kind, basis="reconstruction", n_vertices=n_vertices)


KINDS = ("circle", "simplex", "helix", "curve")


@pytest.mark.parametrize("kind", KINDS)
def test_the_outline_lies_at_the_points_in_the_panels_components_too(kind):
    view, shape = fitted(kind)
    for lines, points in (
        (outline(shape), shape.scores(view.sample_activations)),
        (
            [place_in(view.axes["reconstruction"], shape, line) for line in outline(shape)],
            view.scores["reconstruction"],
        ),
    ):
        reach = np.abs(points).max(axis=0)
        for line in lines:
            assert line.shape[1] == points.shape[1]
            assert (np.abs(line) <= 1.7 * reach + 0.3).all()
    # the same points in both coordinates
    np.testing.assert_allclose(
        place_in(view.axes["reconstruction"], shape, shape.scores(view.sample_activations))[:, :2],
        view.scores["reconstruction"][view.sample][:, :2],
        atol=0.15 * np.abs(view.scores["reconstruction"]).max(),
    )


def test_latents_come_in_the_order_that_they_were_planted_in():
    for kind, n in (("helix", 20), ("curve", 20)):
        order = latent_places(fitted(kind)[1])[0].tolist()
        assert order in (list(range(n)), list(range(n))[::-1])
    order = latent_places(fitted("circle")[1])[0]
    steps = np.diff([*order, order[0]]) % 8
    assert set(steps.tolist()) in ({1}, {7})
    _, simplex = fitted("simplex")
    vertices = latent_places(simplex)[1]
    assert sorted(vertices.tolist()) == [0, 1, 2, 3]


def test_the_leading_latent_is_the_one_most_above_its_own_mean():
    _, shape = fitted("simplex")
    raised = shape.activations.mean(axis=0) + np.diag(shape.activations.std(axis=0))
    assert leading_latents(shape, raised).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_bytes_and_what_the_figure_shows(kind, tmp_path):
    view, shape = fitted(kind)
    bars = np.array([[0.1, 1.7], [0.2, 0.3]])
    evidence = Evidence(
        ["q 0.001"],
        ["latents", "in", "order:", "1"],
        0.9,
        np.linspace(0.2, 0.4, 50),
        0.25,
        Persistence(bars, 16.0, 1.2),
    )
    for name in ("a.png", "b.png"):
        draw_shape_figure(view, shape, TokenNames(), evidence, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as image:
        assert (image.text["shape"], image.text["cluster"]) == (kind, "0003")


def test_the_cluster_panel_with_a_shape_says_what_it_was_called(monkeypatch, tmp_path):
    view, shape = fitted("circle")
    said = []
    plain = Canvas.write
    monkeypatch.setattr(
        Canvas, "write", lambda canvas, x, y, text, **options: (said.append(text), plain(canvas, x, y, text, **options))
    )
    lines = [place_in(view.axes["reconstruction"], shape, line) for line in outline(shape)]
    draw_cluster_panel(view, TokenNames(), tmp_path / "a.png", basis="reconstruction")
    assert "circle · q 0.001" not in said
    draw_cluster_panel(
        view, TokenNames(), tmp_path / "b.png", basis="reconstruction", outline=lines, called=["circle · q 0.001"]
    )
    assert "circle · q 0.001" in said
    with Image.open(tmp_path / "a.png") as without, Image.open(tmp_path / "b.png") as drawn:
        assert drawn.height > without.height


def test_a_shape_seen_edge_on_as_a_dot_is_left_out():
    ring = np.column_stack([np.cos(np.arange(9)), np.sin(np.arange(9)), np.zeros(9), np.zeros(9)])
    assert len(visible_from([ring], (0, 1), span=2.5)) == 1
    assert len(visible_from([ring], (1, 2), span=2.5)) == 1
    assert visible_from([ring], (2, 3), span=0.2) == []
    assert visible_from([ring], (3, 4), span=0.2) == []
    assert visible_from([], (0, 1), span=1.0) == []


def test_names_are_spread_apart_in_their_order():
    found = spread(np.array([1.0, 1.0, 1.05, 3.0]), gap=0.5, low=0.0, high=4.0)
    np.testing.assert_allclose(np.diff(found), [0.5, 0.5, 3.0 - found[2]])
    assert abs(found[:3].mean() - np.mean([1.0, 1.0, 1.05])) < 1e-9
    many = spread(np.full(50, 2.0), gap=0.5, low=0.0, high=4.0)
    np.testing.assert_allclose(many, np.linspace(0, 4, 50), atol=1e-12)
    assert spread(np.empty(0), gap=0.5, low=0.0, high=1.0).size == 0
    np.testing.assert_allclose(spread(np.array([9.0, -9.0]), gap=0.5, low=0.0, high=4.0), [4.0, 0.0], atol=1e-12)


def test_lines_are_broken_between_words():
    lines = break_lines(["one", "two", "three"], width=0.5, size=8.5)
    assert " ".join(lines) == "one two three"
    assert len(lines) > 1
    assert break_lines([], width=1.0, size=8.5) == []


def test_panels_of_few_or_equal_numbers():
    canvas = Canvas(width=4, height=4)
    draw_null_histogram(canvas, 0.5, [0.5], label="x", left=0.3, top=0.3, width=1, height=1)
    draw_persistence(canvas, Persistence(np.empty((0, 2)), 0.0, 0.0), left=2, top=0.5, side=1)
    draw_persistence(canvas, Persistence(np.array([[0.1, 0.4]]), float("inf"), 1.0), left=2, top=2.5, side=1)
    assert (canvas.pixels[..., :3] < 255).any()
