"""Published sets of latents against planted clusterings."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from workflow_clone import ROOT

from coactivation_manifolds import paths
from coactivation_manifolds.cli import main
from coactivation_manifolds.clustering.published import nearest_cluster, read_published
from coactivation_manifolds.errors import InputError
from coactivation_manifolds.schemas import CLUSTERS_SUMMARY, COSINE_SWEEP
from coactivation_manifolds.storage import write_table

DAYS = [2592, 4445, 4663, 4733, 6531, 8179, 9566, 20927, 24185]
PUBLISHED = ROOT / "docs/published/days.yaml"


def add_clustering(clustering: str, clusters: list[list[int]], scores: dict[str, list[float]] | None = None) -> None:
    columns = {
        "cluster_id": np.arange(len(clusters)),
        "size": [len(members) for members in clusters],
        "members": clusters,
    }
    table = pa.table({name: pa.array(values, CLUSTERS_SUMMARY.field(name).type) for name, values in columns.items()})
    write_table(table, paths.fill(paths.CLUSTERS_SUMMARY, experiment="found", clustering=clustering))
    if scores is not None:
        table = pa.table({"cluster_id": pa.array(range(len(clusters)), pa.int32()), **scores})
        write_table(table, paths.fill(paths.SCORES, experiment="found", clustering=clustering))


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Co-activation finds seven of the nine with one other, cosine finds all with two others."""
    monkeypatch.chdir(tmp_path)
    add_clustering(
        "components_j0.20",
        [[1, 2, 3], [*DAYS[:7], 100], [DAYS[7], DAYS[8]]],
        {
            "rank": pa.array([1, 2, None], pa.int32()),
            "engels_rank": pa.array([1, 0, None], pa.int32()),
            "separability_bits": [0.5, 1.0, None],
            "mixture_index": [0.1, 0.2, None],
        },
    )
    add_clustering("components_j0.50", [[5, 6]])
    add_clustering("cosine_components_c0.50", [[*DAYS, 100, 101], [1, 2]])
    sweep = {
        "clustering": ["cosine_components_c0.30"] * 5 + ["cosine_components_c0.95"] * 2,
        "feature_id": [3, 4, *DAYS[:3], 8, 9],
        "cluster_id": [1, 1, 0, 0, 0, 0, 0],
    }
    table = pa.table({name: pa.array(values, COSINE_SWEEP.field(name).type) for name, values in sweep.items()})
    write_table(table, paths.fill(paths.COSINE_SWEEP, experiment="found"))
    return tmp_path


def test_what_is_printed_and_written(found: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["compare-published", "results/found", str(PUBLISHED), "--out", "days.parquet"])
    text = capsys.readouterr().out
    assert code == 0
    assert "days of the week: 9 latents, mean cosine 0.63, published rank 9" in text
    assert (
        "by co-activation: components_j0.20 cluster 1, 7 of 9 latents, 1 others, Jaccard 0.70, "
        "rank 2, engels_rank 0, rank_irreducible 1 among 2 scored" in text
    )
    assert "missing: 20927, 24185" in text
    assert (
        "by decoder cosine: cosine_components_c0.50 cluster 0, 9 of 9 latents, 2 others, Jaccard 0.82, not scored"
        in text
    )
    assert text.count("which latents is not known here") == 2
    rows = pq.read_table("days.parquet").to_pylist()
    assert [row["clustering"] for row in rows] == [
        "components_j0.20",
        "components_j0.50",
        "cosine_components_c0.50",
        "cosine_components_c0.30",
        "cosine_components_c0.95",
    ]
    assert {row["set"] for row in rows} == {"days of the week"}
    first, second, _, swept, last = rows
    assert (first["found"], first["missing"], first["extra"]) == (DAYS[:7], DAYS[7:], [100])
    assert (second["cluster_id"], second["found"], second["missing"]) == (-1, [], DAYS)
    assert (swept["cluster_id"], swept["found"], swept["extra"], swept["by_cosine"]) == (0, DAYS[:3], [], True)
    assert (last["cluster_id"], last["jaccard"]) == (-1, 0.0)


def test_nothing_to_compare_with(found: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare-published", "found", str(PUBLISHED), "--out", "results/found/x.parquet"]) == 2
    assert "where only the workflow writes" in capsys.readouterr().err
    (found / "results/empty").mkdir()
    assert main(["compare-published", "empty", str(PUBLISHED)]) == 4
    assert "has no clusterings yet" in capsys.readouterr().err
    assert main(["compare-published", "found", "no.yaml"]) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sets: []", "has no list of sets"),
        ("sets: [{members: [1, 2]}]", "a set has no name"),
        ("sets: [{name: a, members: [1, 1]}]", "must be different ids"),
        ("sets: [{name: a, members: [1, -2]}]", "must be different ids"),
        ("sets: [{name: a, members: []}]", "must be different ids"),
        ("sets: [{name: a, members: null}]", "neither members nor n_members"),
        ("sets: [{name: a, members: [1, 2], n_members: 3}]", "lists 2 members, but n_members is 3"),
    ],
)
def test_sets_that_are_not_right(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "sets.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_published(tmp_path / "sets.yaml")


def test_the_published_days() -> None:
    source, sets = read_published(PUBLISHED)
    assert "Engels" in source
    assert [(entry.name, entry.n_members, entry.rank) for entry in sets] == [
        ("days of the week", 9, 9),
        ("months", 16, 28),
        ("years", 10, 15),
    ]
    assert sets[0].members is not None
    assert sets[0].members.tolist() == DAYS


def test_nearest_of_equal_clusters_is_the_first() -> None:
    nearest = nearest_cluster(np.array([1, 2, 3]), [np.array([7, 8]), np.array([1, 2]), np.array([2, 3])])
    assert (nearest.cluster_id, nearest.size, nearest.jaccard) == (1, 2, pytest.approx(2 / 3))
    assert (nearest.found, nearest.missing, nearest.extra) == ([1, 2], [3], [])
    assert nearest_cluster(np.array([1]), []).cluster_id == -1
