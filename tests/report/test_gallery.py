"""The gallery of finds: what it says of each, that nothing found is said only where it could have been found."""

import json
import re

import numpy as np
import pytest
from synthetic_clusters import SETTINGS, make_experiment
from synthetic_finds import CLUSTERING, FOOTER, GALLERY_SETTINGS, find_row, write_draws, write_finds, write_shapes

from coactivation_manifolds.errors import ConfigError, ResultsError
from coactivation_manifolds.report import find_files
from coactivation_manifolds.report.find_files import read_null_draws
from coactivation_manifolds.report.finds import fact_lines, range_words, read_families, read_finds, shape_words
from coactivation_manifolds.report.found_shapes import headline_rows
from coactivation_manifolds.report.gallery import ClusteringFiles, draw_gallery

DRAWING = SETTINGS | GALLERY_SETTINGS
NASTY = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "\u202eabc", "{{ 7 * 7 }}"]
UNTESTED = {"n_clusterings_coactivation": "2", "n_tested_coactivation": "0", "smallest_q_coactivation": ""}
OUT_OF_REACH = UNTESTED | {"n_tested_coactivation": "900", "smallest_q_coactivation": "0.9"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_experiment(tmp_path_factory.mktemp("made"), n_ring=600, vocab=NASTY)


def draw(made, folder, finds, *, footer=FOOTER, settings=None, **paths):
    write_finds(folder / "finds.parquet", finds, footer=footer)
    write_draws(folder / "draws.parquet", sorted({find["cluster_id"] for find in finds}) or [0])
    write_shapes(folder / "shapes.json", {2: [[0], [1, 2], []]})
    keys = ("decoder_path", "vocab_path", "latent_tokens_path")
    draw_gallery(
        folder / "finds.parquet",
        clusterings={CLUSTERING: ClusteringFiles(made.summary_path, folder / "draws.parquet", folder / "shapes.json")},
        index=made.index,
        settings=DRAWING | (settings or {}),
        experiment="<small>",
        gallery_folder=folder / "gallery",
        **{key: getattr(made, key) for key in keys} | paths,
    )
    return (folder / "gallery/index.html").read_text(encoding="utf-8")


def called(made):
    return [
        find_row(1, made.members[1], "circle"),
        find_row(2, made.members[2], "simplex", n_vertices=3, missed_by_cosine=False),
        find_row(0, made.members[0], "mixture", basis=None),
    ]


def test_figures_and_page_of_each_find_that_was_called(made, tmp_path):
    page = draw(made, tmp_path, called(made))
    folders = sorted(path.name for path in (tmp_path / "gallery").iterdir())
    assert folders == ["find=0000", "find=0001", "index.html", "readings.json"]
    for folder in ("find=0000", "find=0001"):
        names = sorted(path.name for path in (tmp_path / "gallery" / folder).iterdir())
        assert names == ["cluster.html", "pca.png", "shape.png"]
        for name in ("cluster.html", "pca.png"):
            assert f'href="{folder}/{name}"' in page
    assert page.count("data:image/png;base64,") == 2
    assert not re.search(r"https?://", page)
    for words in (
        "1. Circle, 7 latents",
        "2. Simplex of 3 vertices",
        "q 0.0012",
        "p = 0.02",
        "0.60 bits",
        "2 clusterings: components_j0.15",
    ):
        assert words in page, words
    assert "Shapes of &lt;small&gt;" in page


def test_the_reading_names_every_member_in_order(made, tmp_path):
    draw(made, tmp_path, called(made))
    readings = json.loads((tmp_path / "gallery/readings.json").read_text())["readings"]
    ring = [latent for latent, _ in readings["0"][0]["latents"]]
    assert sorted(ring) == made.members[1]
    steps = set((np.diff([*ring, ring[0]]) % 7).tolist())
    assert steps in ({1}, {6})
    words = [part["words"].removesuffix(": no latent").removesuffix(":") for part in readings["1"]]
    tokens = ["<script>alert(1)</scrip…", '"><img src=x onerror=al…, \\u202eabc']
    assert words == [*(f"vertex {i} (near it the tokens {each})" for i, each in enumerate(tokens, start=1)), "vertex 3"]
    assert sorted(latent for part in readings["1"] for latent, _ in part["latents"]) == made.members[2]


def test_tokens_on_the_pages_are_text_only(made, tmp_path):
    page = draw(made, tmp_path, called(made))
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<img src=x" not in page
    assert "49" not in re.sub(r"base64,[^\"]*", "", page)
    assert "\u202e" not in page
    assert "<script>alert" not in (tmp_path / "gallery/find=0000/cluster.html").read_text()


def test_the_same_bytes_again(made, tmp_path):
    for folder in ("a", "b"):
        draw(made, tmp_path / folder, called(made))
    for path in sorted((tmp_path / "a/gallery").rglob("*.*")):
        again = tmp_path / "b" / path.relative_to(tmp_path / "a")
        assert path.read_bytes() == again.read_bytes(), path.name


def test_only_so_many_finds_are_drawn(made, tmp_path):
    page = draw(made, tmp_path, called(made), settings={"gallery_finds": 1})
    assert sorted(path.name for path in (tmp_path / "gallery").glob("find=*")) == ["find=0000"]
    assert "the best 1 are shown" in re.sub(r"\s+", " ", page)


def test_without_decoder_and_tokens(made, tmp_path):
    finds = [find_row(1, made.members[1], "circle", basis="act", missed_by_cosine=None, stability=None, effect=None)]
    page = draw(made, tmp_path, finds, decoder_path=None, vocab_path=None, latent_tokens_path=None)
    assert "found in the activations alone" in page
    assert "not compared" in page
    readings = json.loads((tmp_path / "gallery/readings.json").read_text())["readings"]
    assert all(token is None for _, token in readings["0"][0]["latents"])


@pytest.mark.parametrize(
    "footer, words",
    [
        (FOOTER, "no shape was found among 9 clusters; the smallest q that a single find could have reached is 0.001"),
        (OUT_OF_REACH, "no shape could have been found: with 900 clusters"),
        (UNTESTED, "no cluster could be tested"),
    ],
)
def test_nothing_found_is_said_only_where_it_could_have_been(made, tmp_path, footer, words):
    page = draw(made, tmp_path, [], footer=footer)
    assert words in re.sub(r"\s+", " ", page)
    assert ("no shape was found" in page) == (footer is FOOTER)
    assert not list((tmp_path / "gallery").glob("find=*"))


def test_persistence_without_ripser_is_one_line_and_no_find(made, tmp_path, monkeypatch):
    def absent(points):
        raise ConfigError("persistent homology needs the package ripser: pip install -e .[shapes]")

    monkeypatch.setattr(find_files, "measure_persistence", absent)
    with pytest.raises(ConfigError, match="ripser"):
        draw(made, tmp_path, called(made), settings={"persistence": True})
    assert not (tmp_path / "gallery").exists()


def test_a_find_of_a_clustering_that_is_not_there(made, tmp_path):
    strange = find_row(1, made.members[1], "circle", clustering="components_j0.99")
    with pytest.raises(ResultsError, match=r"components_j0\.99, which the sweep lacks"):
        draw(made, tmp_path, [strange])


def test_draws_are_those_of_the_cluster_and_its_shape(made, tmp_path):
    draw(made, tmp_path, called(made))
    circle, simplex = read_finds(tmp_path / "finds.parquet")
    null = read_null_draws(tmp_path / "draws.parquet", simplex)
    assert null.observed == 0.9
    assert null.draws.shape == (50,)
    assert not np.array_equal(null.draws, read_null_draws(tmp_path / "draws.parquet", circle).draws)


def test_words(made, tmp_path):
    write_finds(tmp_path / "finds.parquet", called(made))
    circle, simplex = read_finds(tmp_path / "finds.parquet")
    assert fact_lines(circle)[0] == "q 0.0012 (any shape) · effect 3.4 · found in the reconstruction · 600 points"
    assert "found by decoder cosine too" in fact_lines(simplex)[1]
    assert shape_words(None, None) == ""
    assert shape_words("blob", None) == "blob"
    names = ["components_j0.10", "components_j0.15", "leiden_cpm_phi_j0.05_r0.050_s0"]
    assert range_words(names) == ("3 clusterings: components_j0.10 to components_j0.15, leiden_cpm_phi_j0.05_r0.050_s0")
    assert range_words(names[:1]) == "1 clustering: components_j0.10"
    families = read_families(tmp_path / "finds.parquet")
    assert [(family.name, family.n_tested, family.smallest_q) for family in families] == [("co-activation", 9, 0.001)]


def test_a_family_that_was_not_tested_has_no_counts_in_the_headline():
    shapes = dict.fromkeys(("n_circle", "n_simplex", "n_helix", "n_curve", "n_called", "shift_seed"))
    rows = headline_rows([{"kind": "cosine"} | shapes, {"kind": "shifted"} | shapes | {"shift_seed": 3}])
    assert [row["name"] for row in rows] == ["by decoder cosine", "in the shifted control, seed 3"]
    assert rows[0]["n_called"] is None
