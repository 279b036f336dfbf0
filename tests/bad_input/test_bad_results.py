"""Results that were damaged, mixed up, or are asked for something they don't hold."""

import json
import shutil

import pyarrow.parquet as pq
import pytest
from bad_runs import BadCase, check_case, digests, run_all
from workflow_clone import SMALL_EXPERIMENT, Clone, add_small_experiment

pytestmark = pytest.mark.workflow

TEXT = SMALL_EXPERIMENT.format(shards=2).replace("  decoder: data/decoder.npy\n", "")
PART = "activations/shard=000001/part-00000.parquet"
MANIFEST = "activations/shard=000001/manifest.json"
INDEX = "index/feature_offsets.npy"
COUNTS = "cooccurrence/shard=000001.parquet"
COUNT_LOG = "count_shard/000001.log"
OTHER = "clusters/components_j0.40/clusters.parquet"
FIGURE = "geometry/components_j{}/cluster={}/pca.png"


def case(name: str, target: str, log: str, *expected: str, text: str = TEXT) -> BadCase:
    return BadCase(name, text, target, log, expected)


CASES = [
    case(
        "changed-part",
        COUNTS,
        COUNT_LOG,
        f"results/changed-part/{PART}",
        "was changed after it was written",
        "delete",
        "run the same command",
    ),
    case("cut-part", COUNTS, COUNT_LOG, f"results/cut-part/{PART}", "was changed after it was written"),
    case("lost-part", COUNTS, COUNT_LOG, PART, "is missing", "lists it", "delete"),
    case("mixed-shards", INDEX, "build_index.log", MANIFEST, "belongs to another experiment or run", "differ in"),
    case("wrong-place", INDEX, "build_index.log", MANIFEST, "says that it is shard 0, expected 1"),
    case("newer-manifest", COUNTS, COUNT_LOG, MANIFEST, "has format version 99, newer than this package's 1: update"),
    case("newer-table", OTHER, "cluster_edges/components_j0.40.log", "edges.parquet has format version 2, newer"),
    case("cut-table", OTHER, "cluster_edges/components_j0.40.log", "edges.parquet is damaged", "delete it and run"),
    case(
        "no-such-cluster",
        FIGURE.format("0.30", "0099"),
        "plot_cluster_pca/components_j0.30/0099.log",
        "components_j0.30 has",
        "clusters, 0000 to",
        "asked for 0099",
    ),
    case(
        "no-clusters",
        FIGURE.format("1.00", "0000"),
        "plot_cluster_pca/components_j1.00/0000.log",
        "components_j1.00 has no clusters; asked for 0000",
        "lower threshold",
    ),
    case(
        "few-points",
        FIGURE.format("0.30", "0000"),
        "plot_cluster_pca/components_j0.30/0000.log",
        "fewer than geometry.min_points = 100,000",
        text=TEXT + "geometry: {min_points: 100000}\n",
    ),
]


def damage(clone: Clone, name: str) -> None:
    """Spoil one copy of the finished results, and take away what is to be made from the spoilt file."""
    results = clone / f"results/{name}"
    part, manifest, edges = results / PART, results / MANIFEST, results / "similarity/edges.parquet"
    if name == "changed-part":
        pq.write_table(pq.read_table(part).slice(1), part)
    elif name == "cut-part":
        part.write_bytes(part.read_bytes()[:-100])
    elif name == "lost-part":
        part.unlink()
    elif name == "mixed-shards":
        content = json.loads(manifest.read_text())
        content["fingerprint"] = dict.fromkeys(content["fingerprint"], "another")
        manifest.write_text(json.dumps(content))
    elif name == "wrong-place":
        shutil.rmtree(manifest.parent)
        shutil.copytree(results / "activations/shard=000000", manifest.parent)
    elif name == "newer-manifest":
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"format_version": 99}))
    elif name == "newer-table":
        table = pq.read_table(edges)
        pq.write_table(table.replace_schema_metadata({"coactivation_format_version": "2"}), edges)
    elif name == "cut-table":
        edges.write_bytes(edges.read_bytes()[:-50])
    for path in [*results.glob("cooccurrence/shard=000001.*"), *results.glob("index/*")]:
        if name not in ("newer-table", "cut-table", "no-such-cluster", "no-clusters", "few-points"):
            path.unlink()


@pytest.fixture(scope="module")
def run(make_clone) -> tuple[Clone, str]:
    """A finished small run, spoilt copies of it, and one invocation that meets them all."""
    clone = make_clone()
    add_small_experiment(clone)
    clone.write_experiment("small", TEXT)
    clone.snakemake(
        "results/small/clusters/components_j0.30/clusters_summary.parquet",
        "results/small/clusters/components_j1.00/clusters_summary.parquet",
    )
    for one in CASES:
        shutil.copytree(clone / "results/small", clone / f"results/{one.name}")
        damage(clone, one.name)
    before = digests(clone / "results")
    output = run_all(clone, CASES)
    after = digests(clone / "results")
    assert {path: after.get(path) for path in before} == before
    return clone, output


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_clear_line(run, case):
    clone, output = run
    check_case(clone, case, output)
