import pytest
from clustering_data import edge_table, planted_edges
from test_cluster_summaries import sweep

from coactivation_manifolds.errors import InputError
from coactivation_manifolds.figures.similarity_tail import plot_similarity_tail, swept_thresholds
from coactivation_manifolds.figures.sweep_elbow import plot_sweep
from coactivation_manifolds.schemas import CLUSTERS, SIMILARITY_TAIL, conform
from coactivation_manifolds.storage import sha256_file, write_table

COMPONENTS = ["components_j0.05", "components_j0.30", "components_j0.50", "components_j0.90"]
LEIDEN = [
    "leiden_cpm_phi_j0.05_r0.050_s0",
    "leiden_cpm_phi_j0.05_r0.200_s0",
    "leiden_cpm_phi_j0.05_r0.200_s1",
    "leiden_modularity_overlap_j0.05_r1.000_s0",
]


@pytest.mark.parametrize(
    ("names", "edges"),
    [
        (COMPONENTS + LEIDEN, planted_edges(noise=60)[0]),
        (LEIDEN, planted_edges()[0]),
        (COMPONENTS[:1], edge_table([], [])),
        (LEIDEN[:1], edge_table([], [])),
    ],
    ids=["all", "leiden", "empty", "empty leiden"],
)
def test_the_elbow_is_drawn_and_the_same_each_time(tmp_path, names, edges):
    sweep(tmp_path, names, edges)
    for number in range(2):
        plot_sweep(tmp_path / "summary.parquet", figure_path=tmp_path / f"{number}.png")
    assert sha256_file(tmp_path / "0.png") == sha256_file(tmp_path / "1.png")
    assert (tmp_path / "0.png").read_bytes().startswith(b"\x89PNG")


def tail(tmp_path, rows):
    path = tmp_path / "tail.parquet"
    columns = {"jaccard": [r[0] for r in rows], "n_pairs": [r[1] for r in rows], "share_of_pairs": [r[2] for r in rows]}
    write_table(conform(columns, SIMILARITY_TAIL), path)
    return path


@pytest.mark.parametrize(
    "rows", [[(0.02, 900, 1e-3), (0.2, 30, 3e-5), (0.5, 1, 1e-6), (1.0, 0, 0.0)], [], [(0.02, 5, 0.1)]]
)
@pytest.mark.parametrize("names", [COMPONENTS + LEIDEN, []])
def test_the_tail_is_drawn_and_the_same_each_time(tmp_path, rows, names):
    path = tail(tmp_path, rows)
    for number in range(2):
        plot_similarity_tail(path, clusterings=names, figure_path=tmp_path / f"{number}.png")
    assert sha256_file(tmp_path / "0.png") == sha256_file(tmp_path / "1.png")


def test_only_jaccard_thresholds_are_marked():
    names = [
        "components_j0.20",
        "leiden_cpm_phi_j0.05_r0.050_s0",
        "cosine_components_c0.50",
        "components_j0.20_cos0.80",
    ]
    assert swept_thresholds(names) == [0.05, 0.2]


def test_a_tail_of_another_shape_is_refused(tmp_path):
    write_table(conform({"feature_id": [1], "cluster_id": [0]}, CLUSTERS), tmp_path / "tail.parquet")
    with pytest.raises(InputError, match="lacks the column 'jaccard'"):
        plot_similarity_tail(tmp_path / "tail.parquet", clusterings=[], figure_path=tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()
