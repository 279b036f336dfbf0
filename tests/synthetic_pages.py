"""Pages of synthetic clusters and finds, and how a browser's parser sees them."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from synthetic_clusters import SETTINGS
from synthetic_finds import (
    CLUSTERING,
    FOOTER,
    GALLERY_SETTINGS,
    find_row,
    write_draws,
    write_finds,
    write_headline,
    write_scores,
    write_shapes,
)

from coactivation_manifolds import schemas
from coactivation_manifolds.figures.style import new_figure, save_figure
from coactivation_manifolds.report.atlas import draw_atlas
from coactivation_manifolds.report.experiment_page import write_report
from coactivation_manifolds.report.gallery import ClusteringFiles, draw_gallery
from coactivation_manifolds.storage import write_json, write_table


class Page(HTMLParser):
    """Tags with their attributes, and the text within scripts and outside them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.scripts, self.words, self.inside = [], [], [], None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        if self.inside == "script":
            self.scripts[-1] += data
        elif self.inside != "style":
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))

    def addresses(self):
        return [attrs[key] for _, attrs in self.tags for key in ("src", "href") if attrs.get(key)]


def stands_alone(page):
    assert not any(re.match(r"(https?:)?//|javascript:", address) for address in page.addresses())
    assert not any(key.startswith("on") for _, attrs in page.tags for key in attrs)
    assert not any(tag in ("link", "iframe", "object", "base") for tag, _ in page.tags)
    policy = next(attrs["content"] for _, attrs in page.tags if attrs.get("http-equiv"))
    assert policy.startswith("default-src 'none'")
    assert "script-src 'none'" in policy or "script-src 'sha256-" in policy


def make_atlas(made):
    """The atlas of the clusters of ``synthetic_clusters``; its folder."""
    folder = made.folder / "geometry/components_j0.20/atlas"
    draw_atlas(
        "components_j0.20",
        summary_path=made.summary_path,
        index=made.index,
        decoder_path=made.decoder_path,
        vocab_path=made.vocab_path,
        latent_tokens_path=made.latent_tokens_path,
        settings=SETTINGS | {"max_size": 20},
        atlas_folder=folder,
    )
    return folder


def sweep_table(path, names):
    n = len(names)
    columns = {name: [None] * n for name in schemas.SWEEP_SUMMARY.names}
    columns |= {"clustering": names, "method": ["components"] * n, "threshold": [0.1 * (i + 1) for i in range(n)]}
    columns |= {
        "n_clusters": range(2, n + 2),
        "n_clustered": [20] * n,
        "max_size": [40, 30, 9][:n],
        "median_size": [5.0] * n,
    }
    write_table(schemas.conform(columns, schemas.SWEEP_SUMMARY), path)


def three_finds(made):
    """A circle, a simplex and a blob."""
    return [
        find_row(1, made.members[1], "circle"),
        find_row(2, made.members[2], "simplex", n_vertices=3, q_value=0.02, missed_by_cosine=None, stability=None),
        find_row(3, made.members[3], "blob", basis=None, q_value=0.4),
    ]


def make_gallery(made, folder, finds, *, footer=FOOTER, **paths):
    write_finds(folder / "finds.parquet", finds, footer=footer)
    write_draws(folder / "draws.parquet", [1, 2])
    write_shapes(folder / "shapes.json", {2: [[0], [1], [2]]})
    counts = {"n_clusterings": 2, "n_tested": 9, "smallest_q": 0.001, "n_circle": 0, "n_simplex": 0, "n_helix": 0}
    counts |= {"n_curve": 0, "n_missed_by_cosine": 0}
    write_headline(
        folder / "finds_summary.parquet",
        coactivation=counts | {"n_called": 2, "n_circle": 1, "n_simplex": 1},
        cosine={"n_clusterings": 0},
        both={},
        shifted=counts | {"n_called": 0, "shift_seed": 7},
    )
    keys = ("decoder_path", "vocab_path", "latent_tokens_path")
    draw_gallery(
        folder / "finds.parquet",
        clusterings={CLUSTERING: ClusteringFiles(made.summary_path, folder / "draws.parquet", folder / "shapes.json")},
        index=made.index,
        settings=SETTINGS | GALLERY_SETTINGS,
        experiment="small",
        gallery_folder=folder / "gallery",
        **{key: getattr(made, key) for key in keys} | paths,
    )
    return folder


def report(made, atlas, shapes, folder, *, imported=False, planted=None, settings=None, experiment=None, **paths):
    folder.mkdir(parents=True, exist_ok=True)
    figure, _ = new_figure(width=2, height=1)
    save_figure(figure, folder / "x.png")
    sweep_table(folder / "sweep.parquet", ["components_j0.10", "components_j0.20", "components_j0.30"])
    decided = SETTINGS | {"max_size": 20} | (settings or {})
    summary = paths.get("summary_path") or made.summary_path
    write_scores(
        folder / "scores.parquet",
        made,
        summary_path=summary,
        called={1: ("circle", 0.0012), 2: ("blob", 0.3)},
        max_size=decided["max_size"],
    )
    write_json({"n_edges": 321, "n_latents_firing": 60}, folder / "totals.json")
    known = {"n_tokens": 5_000, "n_latents": 63, "mean_l0": 3.21, "n_shards": 1, "guard_rails": [], "notes": []}
    known |= {"hook_name": None, "model": None, "n_raised_to_subnormal": 0} | (experiment or {})
    write_json(known, folder / "experiment.json")
    config = {
        "name": "small",
        "description": "a <small> one",
        "seed": 0,
        "counting": {"positions": None},
        "similarity": {"jaccard_floor": 0.02, "min_count": 10},
        "clustering": {"min_size": 2, "max_size": decided["max_size"], "headline": "components_j0.20"},
        "geometry": {"min_active": 1, "min_points": 64, "max_size_on_request": 2_000},
        "shapes": {"max_q": 0.05},
    }
    config |= {"activations": {"path": "x", "decoder": None}} if imported else {"harvest": {"max_fvu": 0.5}}
    config |= paths.get("config") or {}
    write_report(
        config=config,
        experiment_path=folder / "experiment.json",
        totals_path=folder / "totals.json",
        sweep_path=folder / "sweep.parquet",
        elbow_path=folder / "x.png",
        tail_path=folder / "x.png",
        summary_path=summary,
        scores_path=folder / "scores.parquet",
        atlas_folder=atlas,
        latent_tokens_path=made.latent_tokens_path,
        vocab_path=made.vocab_path,
        shifts_path=paths.get("shifts_path"),
        planted=planted,
        finds_path=shapes / "finds.parquet",
        finds_summary_path=shapes / "finds_summary.parquet",
        gallery_folder=shapes / "gallery",
        report_path=folder / "report.html",
    )
    text = (folder / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    stands_alone(page)
    return page
