"""A cluster's figures are the same whoever asks for them, in whatever order, and after whatever was drawn before."""

from pathlib import Path

import matplotlib
import pytest
from synthetic_clusters import SETTINGS, make_experiment

from coactivation_manifolds.figures.lettering import render_text
from coactivation_manifolds.figures.token_names import TokenNames
from coactivation_manifolds.geometry.clusters import read_clusters, read_decoder
from coactivation_manifolds.report.atlas import draw_atlas, draw_one
from coactivation_manifolds.report.cluster_files import plot_cluster_pca

NAME = "components_j0.20"
DRAWN = (0, 1, 2, 3)  # cluster 4 has too few points
KEYS = ("summary_path", "decoder_path", "vocab_path", "latent_tokens_path")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_experiment(tmp_path_factory.mktemp("made"), n_ring=600)


def paths_of(made):
    return {key: getattr(made, key) for key in KEYS}


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.glob("cluster=*/*"))}


@pytest.fixture(scope="module")
def atlas(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("atlas")
    draw_atlas(NAME, index=made.index, settings=SETTINGS, atlas_folder=folder, **paths_of(made))
    return files_of(folder)


def draw_some(made, clusters, folder):
    records = read_clusters(made.summary_path)
    for number in clusters:
        draw_one(
            records[number],
            NAME,
            index=made.index,
            decoder=read_decoder(made.decoder_path, n_latents=made.index.n_latents),
            names=TokenNames.read(made.vocab_path, made.latent_tokens_path),
            settings=SETTINGS,
            folder=folder,
        )
    return files_of(folder)


def test_in_the_other_order_with_nothing_kept(made, atlas, tmp_path):
    assert {name.split("/")[0] for name in atlas} == {f"cluster=000{number}" for number in DRAWN}
    render_text.cache_clear()
    assert draw_some(made, DRAWN[::-1], tmp_path) == atlas


@pytest.mark.parametrize("number", DRAWN)
def test_alone(made, atlas, tmp_path, number):
    render_text.cache_clear()
    alone = draw_some(made, [number], tmp_path)
    assert alone == {name: content for name, content in atlas.items() if name.startswith(f"cluster=000{number}/")}


@pytest.mark.parametrize("number", DRAWN)
def test_asked_for_by_name(made, atlas, tmp_path, number):
    plot_cluster_pca(NAME, number, index=made.index, settings=SETTINGS, folder=tmp_path, **paths_of(made))
    for name in ("pca.png", "pca.npz", "cluster.html"):
        assert (tmp_path / name).read_bytes() == atlas[f"cluster=000{number}/{name}"]


def test_a_users_settings_of_matplotlib_do_not_enter(made, atlas, tmp_path):
    render_text.cache_clear()
    with matplotlib.rc_context({"font.size": 31, "font.family": "serif", "text.hinting": "none", "figure.dpi": 50}):
        assert draw_some(made, DRAWN, tmp_path) == atlas
