"""Pages stand alone, escape what tokens hold, and say what they show."""

import json
import re

import numpy as np
import pytest
from synthetic_clusters import SETTINGS, array_index, make_experiment, write_summary
from synthetic_finds import find_row
from synthetic_pages import Page, make_atlas, make_gallery, report, stands_alone, three_finds

from coactivation_manifolds import schemas
from coactivation_manifolds.figures.style import new_figure, save_figure
from coactivation_manifolds.figures.token_names import TokenNames
from coactivation_manifolds.geometry.cluster_view import look_at_cluster
from coactivation_manifolds.geometry.clusters import read_clusters, read_decoder
from coactivation_manifolds.report import cluster_page as cluster_page_module
from coactivation_manifolds.report.cluster_page import cluster_page, write_cluster_page
from coactivation_manifolds.report.contexts import GAP, point_contexts
from coactivation_manifolds.report.experiment_page import compare_with_cosine
from coactivation_manifolds.report.templates import json_for_script
from coactivation_manifolds.storage import write_json, write_table

NASTY = [
    "<script>alert(1)</script>",
    "</script>",
    "<!--",
    "]]>",
    "\u202eabc",
    "\x00",
    "\u2028",
    '"><img src=x onerror=alert(1)>',
    "&lt;b&gt;",
    "'",
    "{{ 7 * 7 }}",
    "\\u003c/script>",
    "שלום",
    "\n",
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    made = make_experiment(tmp_path_factory.mktemp("made"), n_ring=700, vocab=NASTY)
    made.folder = made.summary_path.parent
    made.names = TokenNames.read(made.vocab_path, made.latent_tokens_path)
    decoder = read_decoder(made.decoder_path, n_latents=made.index.n_latents)
    made.views = [
        look_at_cluster(record, "components_j0.20", index=made.index, decoder=decoder, settings=SETTINGS)
        for record in read_clusters(made.summary_path)[:4]
    ]
    return made


@pytest.mark.parametrize("text", NASTY)
def test_json_in_a_script_is_read_back_and_never_ends_it(text):
    content = {"a": [text, 1, None], text: 2}
    written = str(json_for_script(content))
    assert not set("<>&\u2028\u2029") & set(written)
    assert json.loads(written) == content


def test_a_cluster_page_holds_nasty_tokens_as_text_only(made):
    view = made.views[1]
    text = cluster_page(view, made.names, view.sample, index=made.index)
    page = Page(text)
    stands_alone(page)
    assert "\x00" not in text
    assert "\u202e" not in text
    assert sum(tag == "script" for tag, _ in page.tags) == 2
    assert not any(tag == "img" for tag, _ in page.tags)
    data = json.loads(page.scripts[0])
    assert len(data["row"]) == len(data["here"]) == len(data["firing"]) == 700
    assert [colouring["title"] for colouring in data["colourings"]] == [
        "token",
        "next token",
        "position in document",
        "strongest member",
        "members firing at once",
    ]
    assert " <script>alert(1)</script>" in data["pieces"]
    assert " \\0" in data["pieces"]


def test_scores_on_the_page_are_those_of_the_points(made):
    view = made.views[2]
    data = json.loads(Page(cluster_page(view, made.names, view.sample, index=made.index)).scripts[0])
    for basis, (name, axes) in zip(data["bases"], view.axes.items(), strict=True):
        scores = np.array(basis["scores"]).T * basis["unit"]
        np.testing.assert_allclose(scores, view.scores[name][view.sample], atol=basis["unit"])
        np.testing.assert_allclose(basis["evr"], axes.evr, atol=1e-5)


def test_a_page_stays_below_its_bound(made, tmp_path, monkeypatch):
    view = made.views[1]
    monkeypatch.setattr(cluster_page_module, "MAX_BYTES", 70_000)
    write_cluster_page(view, made.names, tmp_path / "a.html", index=made.index)
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert len(text.encode()) <= 70_000
    assert re.search(r"This page holds \d+ of them, a random sample, to stay below 1 MB", text)


def test_contexts_keep_to_the_document_and_mark_gaps():
    ids = np.arange(12)
    index = array_index(
        np.ones((12, 1)), token_ids=ids, words_per_doc=6, positions=[0, 1, 2, 3, 4, 5, 0, 1, 4, 5, 6, 7]
    )
    names = TokenNames(schemas.conform({"token_id": ids, "text": [f" w{i}" for i in ids]}, schemas.VOCAB))
    found = point_contexts(index, names, np.array([0, 5, 6, 7, 8, 9]), before=3, after=2)
    text = [
        ("".join(found.pieces[i] for i in before), found.pieces[here], "".join(found.pieces[i] for i in after))
        for before, here, after in zip(found.before, found.here, found.after, strict=True)
    ]
    assert text == [
        ("", " w0", " w1 w2"),
        (" w2 w3 w4", " w5", ""),
        ("", " w6", f" w7{GAP} w8"),
        (" w6", " w7", f"{GAP} w8 w9"),
        (f" w6 w7{GAP}", " w8", " w9 w10"),
        (f" w6 w7{GAP} w8", " w9", " w10 w11"),
    ]


def test_contexts_without_text_show_ids():
    index = array_index(np.ones((3, 1)), token_ids=[4, 5, 6])
    found = point_contexts(index, TokenNames(), np.array([1]))
    assert [found.pieces[i] for i in (*found.before[0], found.here[0], *found.after[0])] == [" [4]", " [5]", " [6]"]


@pytest.fixture(scope="module")
def atlas(made):
    return make_atlas(made)


def test_atlas(atlas):
    assert sorted(path.name for path in atlas.iterdir()) == [
        "cluster=0001",
        "cluster=0002",
        "cluster=0003",
        "index.html",
    ]
    for folder in atlas.glob("cluster=*"):
        names = sorted(path.name for path in folder.iterdir())
        assert names == ["cluster.html", "pca.npz", "pca.png", "thumbnail.png"]
    page = Page((atlas / "index.html").read_text(encoding="utf-8"))
    stands_alone(page)
    for address in page.addresses():
        assert (atlas / address).is_file(), address
    assert "too large: 40 latents, more than clustering.max_size = 20" in page.text
    assert "too few points: 30, fewer than geometry.min_points = 64" in page.text
    assert "<!--" in page.text
    assert sum(tag == "script" for tag, _ in page.tags) == 1


@pytest.fixture(scope="module")
def gallery(made):
    """A gallery of two finds, and its tables."""
    folder = made.folder / "shapes"
    return make_gallery(made, folder, three_finds(made))


@pytest.fixture(scope="module")
def nothing_found(made):
    return make_gallery(made, made.folder / "nothing", [find_row(3, made.members[3], "blob", basis=None, q_value=0.4)])


def test_report_of_a_harvest_with_planted_truth(made, atlas, gallery, tmp_path):
    figure, _ = new_figure(width=2, height=1)
    save_figure(figure, tmp_path / "planted.png")
    write_json(
        {
            "summary_lines": ["the planted ring: cluster 0001, R2 0.993"],
            "table": [{"planted": "ring", "R2": 0.993}, {"planted": "<b>", "R2": None, "purity": 1.0}],
        },
        tmp_path / "check.json",
    )
    rails = {"shard": 0, "fvu": 0.0093, "mean_l0": 3.1, "n_tokens": 4032, "stated_l0": None, "stated_fvu": 0.01}
    page = report(
        made,
        atlas,
        gallery,
        tmp_path / "r",
        planted=[tmp_path / "check.json", tmp_path / "planted.png"],
        experiment={
            "guard_rails": [rails],
            "notes": ["shard 0: halved <twice>"],
            "hook_name": "blocks.1.hook_resid_pre",
        },
    )
    for words in (
        "a <small> one",
        "simplex of 3 vertices",
        "What was tested.",
        "9 clusters of 2 co-activation clusterings of the sweep",
        "in the shifted control, seed 7 9 0",
        "Of the 5 clusters of components_j0.20 3 were tested; of the others,",
        "of which nothing is said, 1 is too large, 1 is of too few points.",
        "the planted ring: cluster 0001, R2 0.993",
        "0.0093",
        "shard 0: halved <twice>",
        "snakemake --profile local results/small/report.html",
        "3 of 5 clusters are missed",
        "2 clusters listed, not drawn",
        "blocks.1.hook_resid_pre",
        "matplotlib",
    ):
        assert words in page.text, words
    links = [address for address in page.addresses() if not address.startswith(("data:", "#"))]
    assert len(links) >= 7
    for address in links:
        assert (tmp_path / "r" / address.split("#")[0]).resolve().is_file(), address
    assert sum(address.startswith("data:image/png") for address in page.addresses()) == 8


def test_report_of_an_import_without_clusters(made, nothing_found, tmp_path):
    write_summary(tmp_path / "none.parquet", [])
    page = report(
        made,
        tmp_path / "no-atlas",
        nothing_found,
        tmp_path / "r",
        imported=True,
        summary_path=tmp_path / "none.parquet",
    )
    for words in (
        "No cluster of this clustering can be drawn: it has none",
        "no shape was found among 9 clusters; the smallest q that a single find could have reached is 0.001",
        "There are no decoder rows, so a shape may be the SAE's doing",
        "There is no cluster to compare",
        "imported",
    ):
        assert words in page.text, words


def test_comparison_counts_what_was_compared(tmp_path):
    write_summary(tmp_path / "s.parquet", [[0, 1, 2], [3, 4], [5, 6]])
    found = compare_with_cosine(read_clusters(tmp_path / "s.parquet"))
    assert (found["n"], found["n_missed"]) == (3, 2)
    assert [count for _, count, _, _ in found["bins"]] == [0, 0, 0, 3, 0, 0, 0, 0, 0, 0]
    assert compare_with_cosine([]) is None


def test_words_without_spaces_of_their_own_are_kept_apart():
    index = array_index(np.ones((3, 1)), token_ids=[0, 1, 2])
    names = TokenNames(schemas.conform({"token_id": [0, 1, 2], "text": ["calm", "mild", "dry"]}, schemas.VOCAB))
    found = point_contexts(index, names, np.array([1]))
    assert [found.pieces[i] for i in (*found.before[0], found.here[0], *found.after[0])] == [" calm", " mild", " dry"]


def test_report_sets_the_shifted_controls_beside_the_experiment(made, atlas, gallery, tmp_path):
    rows = [
        (None, 4_321, 4_000, "components_j0.20", 12, 60, 9, 8),
        (None, 4_321, 4_000, "leiden_cpm_phi_j0.05_r0.050_s0", 15, 66, 7, None),
        (0, 40, 3, "components_j0.20", 2, 4, 2, 1),
        (0, 40, 3, "leiden_cpm_phi_j0.05_r0.050_s0", 1, 2, 2, None),
        (1, 60, 1, "components_j0.20", 1, 2, 2, 0),
        (1, 60, 1, "leiden_cpm_phi_j0.05_r0.050_s0", 0, 0, 0, None),
    ]
    columns = dict(zip(schemas.SHIFT_SUMMARY.names, map(list, zip(*rows, strict=True)), strict=True))
    write_table(schemas.conform(columns, schemas.SHIFT_SUMMARY), tmp_path / "shifts.parquet")
    page = report(made, atlas, gallery, tmp_path / "r", shifts_path=tmp_path / "shifts.parquet")
    for words in (
        "2 such controls",
        "Edges: 4,321 in the experiment, 50 by chance",
        "4,000, and 2 by chance",
        "8, and 0",
    ):
        assert words in page.text, words
