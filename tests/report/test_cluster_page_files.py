"""The files of one cluster."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from synthetic_clusters import SETTINGS, array_index, make_experiment, write_summary

from coactivation_manifolds.errors import ResultsError
from coactivation_manifolds.report.cluster_files import plot_cluster_pca
from coactivation_manifolds.schemas import POINTS
from coactivation_manifolds.storage import open_table, read_table

FILES = ["cluster.html", "pca.npz", "pca.png", "pca_activations.png", "points.parquet"]


def plot(made, cluster, folder, *, settings=None, clustering="components_j0.20", **changed):
    keys = ("summary_path", "decoder_path", "vocab_path", "latent_tokens_path")
    arguments = {key: getattr(made, key) for key in keys} | changed
    plot_cluster_pca(
        clustering, cluster, index=made.index, settings=SETTINGS | (settings or {}), folder=folder, **arguments
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_experiment(tmp_path_factory.mktemp("made"), n_ring=600)


def test_files_of_a_cluster(made, tmp_path):
    plot(made, 1, tmp_path / "a")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == FILES
    points = read_table(tmp_path / "a/points.parquet")
    assert points.schema.remove_metadata() == POINTS
    assert points.num_rows == 600
    with open_table(tmp_path / "a/points.parquet") as parquet:
        assert parquet.schema_arrow.metadata[b"basis"] == b"reconstruction"
    with np.load(tmp_path / "a/pca.npz") as arrays:
        members = arrays["members"].tolist()
        assert members == made.members[1]
        activations = made.index.slice(members).activations
        scores = (activations - arrays["latent_mean"]) @ arrays["latent_weights"].T
        direct = (activations @ made.decoder[members] - arrays["mean"]) @ arrays["loadings"].T
        act = (activations - arrays["act_mean"]) @ arrays["act_loadings"].T
    stored = np.stack([points.column(f"pc{i}").to_numpy() for i in range(1, 6)], axis=1)
    np.testing.assert_allclose(scores, stored, atol=1e-9)
    np.testing.assert_allclose(direct, stored, atol=1e-4)  # float32 product
    assert act.shape == (600, 5)
    texts = set(points.column("token").to_pylist())
    assert " north" in texts
    ends = points.column("position_in_doc").to_numpy() == 49
    following = points.column("next_token_id")
    assert all(value is None for value in following.filter(ends).to_pylist())
    assert following.null_count == ends.sum()


def test_the_same_bytes_again(made, tmp_path):
    for folder in ("a", "b"):
        plot(made, 2, tmp_path / folder)
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_without_decoder_and_text_both_figures_show_the_activations(made, tmp_path):
    plot(made, 1, tmp_path, decoder_path=None, vocab_path=None, latent_tokens_path=None)
    with np.load(tmp_path / "pca.npz") as arrays:
        assert str(arrays["basis"]) == "activations"
        np.testing.assert_array_equal(arrays["loadings"], arrays["act_loadings"])
    assert (tmp_path / "pca.png").read_bytes() == (tmp_path / "pca_activations.png").read_bytes()
    assert set(read_table(tmp_path / "points.parquet").column("token").to_pylist()) == {None}
    assert "reconstruction basis" not in (tmp_path / "cluster.html").read_text()


@pytest.mark.parametrize(
    "cluster, settings, message",
    [
        (99, {}, r"^components_j0.20 has 5 clusters, 0000 to 0004; asked for 0099$"),
        (4, {}, r"cluster 0004 of components_j0.20 has 30 points .* fewer than geometry.min_points = 64"),
        (0, {"max_size_on_request": 30}, r"has 40 latents, more than geometry.max_size_on_request = 30"),
        (3, {"min_active": 4}, r"at least 4 of the 4 members fire"),
    ],
)
def test_a_cluster_that_cant_be_drawn_is_one_line_and_no_file(made, tmp_path, cluster, settings, message):
    with pytest.raises(ResultsError, match=message) as error:
        plot(made, cluster, tmp_path / "x", settings=settings)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "x").exists()


def test_larger_than_the_atlas_allows_is_drawn_when_asked_for(made, tmp_path):
    plot(made, 0, tmp_path, settings={"max_size": 10})
    assert (tmp_path / "pca.png").exists()


def test_points_all_alike_have_no_shape(tmp_path):
    dense = np.zeros((90, 2))
    dense[:80] = 1.5
    write_summary(tmp_path / "s.parquet", [[0, 1]])
    alike = SimpleNamespace(
        index=array_index(dense),
        summary_path=tmp_path / "s.parquet",
        decoder_path=None,
        vocab_path=None,
        latent_tokens_path=None,
    )
    with pytest.raises(ResultsError, match="has no shape: its 80 points are one and the same"):
        plot(alike, 0, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_the_job_of_one_cluster_imports_no_more_than_it_needs():
    code = (
        "from coactivation_manifolds.activations.index import FeatureIndex\n"
        "from coactivation_manifolds.job import job\n"
        "from coactivation_manifolds.report.cluster_files import plot_cluster_pca\n"
        "import sys\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    needless = {"matplotlib.figure", "matplotlib.pyplot", "numba", "polars", "sklearn", "igraph", "torch", "snakemake"}
    assert not needless & set(done.stdout.split())
