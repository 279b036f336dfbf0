"""The records of a finished run, read from its files."""

import numpy as np
import pytest
from workflow_clone import ROOT

from coactivation_manifolds import paths
from coactivation_manifolds.errors import ResultsError
from coactivation_manifolds.estimate.measured import MIB, read_run
from coactivation_manifolds.estimate.rates import read_rates
from coactivation_manifolds.experiment.config import load_experiment
from coactivation_manifolds.schemas import CANDIDATES, PAIR_COUNTS, SCORES, conform
from coactivation_manifolds.storage import write_array, write_json, write_table

EXPERIMENT = """\
activations: {format: parquet, path: data, n_latents: 6, shards: 2}
clustering: {headline: components_j0.20, sweep: [components_j0.20]}
"""


def table(schema, n_rows, **columns):
    """Rows of a schema, all zero but for the columns given."""
    zeros = {field.name: np.zeros(n_rows, field.type.to_pandas_dtype()) for field in schema}
    return conform({**zeros, **columns}, schema)


def record(start, seconds, peak=None):
    return {
        "started": f"2026-01-01T00:00:{start:02d}+00:00",
        "ended": f"2026-01-01T00:00:{start + seconds:02d}+00:00",
        "seconds": seconds,
        "peak_memory_mib": peak,
        "cpus": 2,
        "gpus": [],
        "workflow_commit": "abc",
    }


@pytest.fixture
def finished(tmp_path, monkeypatch):
    """A run of 100 tokens, 60 of them with 2 latents and 40 with 5, as far as its records count."""
    monkeypatch.chdir(ROOT)
    (tmp_path / "config/experiments").mkdir(parents=True)
    for name in ("config.yaml", "experiment.schema.json"):
        (tmp_path / "config" / name).write_text((ROOT / "config" / name).read_text())
    (tmp_path / "config/experiments/mine.yaml").write_text(EXPERIMENT)

    def place(template, **wildcards):
        return tmp_path / paths.fill(template, experiment="mine", **wildcards)

    write_json({"n_tokens": 100, "n_latents": 6, "n_entries": 320, "k_t": [[2, 60], [5, 40]]}, place(paths.TOTALS))
    for shard, (kept, added) in enumerate(((10, 1), (20, 3))):
        write_table(table(PAIR_COUNTS, kept), place(paths.SHARD_COUNTS, shard=shard))
        write_array(np.array([50, 50, 30, 15, 15, 0], np.uint32), place(paths.SHARD_MARGINALS, shard=shard))
        write_table(table(PAIR_COUNTS, added), place(paths.SHARD_RECOUNT, shard=shard))
    write_table(table(CANDIDATES, 25), place(paths.CANDIDATES))
    write_table(table(PAIR_COUNTS, 8), place(paths.EDGES))
    clustering = {"clustering": "components_j0.20"}
    write_table(table(CANDIDATES, 3), place(paths.CLUSTERS_SUMMARY, **clustering))
    scores = {field.name: [None] * 3 for field in SCORES} | {"cluster_id": [0, 1, 2], "n_points": [50, 30, 5]}
    write_table(conform(scores, SCORES), place(paths.SCORES, **clustering))
    for cluster in ("0000", "0001"):
        (place(paths.ATLAS, **clustering) / f"cluster={cluster}").mkdir(parents=True)
    (place(paths.ATLAS, **clustering) / "cluster=0000/pca.png").write_bytes(b"x" * 1000)
    for job, row in {
        "count_shard.000000": record(0, 2, peak=300.0),
        "count_shard.000001": record(2, 4, peak=500.0),
        "cluster_edges.components_j0.20": record(6, 1),
        "write_report": record(7, 3),
    }.items():
        write_json(row, place(paths.PROVENANCE) / f"{job}.json")
    logs = tmp_path / "logs/mine/count_shard"
    logs.mkdir(parents=True)
    for shard, seconds in enumerate((3.5, 5.5)):
        (logs / f"00000{shard}.tsv").write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:03\t-\n")
    return tmp_path


def test_sizes_and_costs(finished):
    config = load_experiment("mine", finished / "config")
    run = read_run(finished / "results/mine", config, read_rates())
    sizes = run.sizes
    assert (sizes.n_tokens, sizes.n_latents, sizes.n_shards, sizes.mean_l0) == (100, 6, 2, 3.2)
    assert sizes.increments == pytest.approx(60 * 1 + 40 * 10)
    assert (sizes.shard_pairs, sizes.candidates, sizes.recounted, sizes.edges) == (15, 25, 2, 8)
    assert (sizes.clusters, sizes.drawn, sizes.points) == (3, 2, 40)
    # Snakemake's tables hold 1.5 s more than provenance; a job without one is taken to start as long
    assert run.seconds == {"count_shard": 4.5, "cluster_edges, components": 2.5, "write_report": 4.5}
    assert run.memory["count_shard"] == 500 * MIB
    assert run.disk["draw_atlas"] == 1000
    assert run.disk["count_shard"] > 0 and "harvest_shard" not in run.disk
    assert (run.elapsed, run.cores) == (10, 2)
    assert sum(share for _, share in run.profile) == pytest.approx(5 / 6)


def test_a_run_that_lacks_something_is_named(finished):
    config = load_experiment("mine", finished / "config")
    (finished / "results/mine/similarity/edges.parquet").unlink()
    with pytest.raises(ResultsError, match="no finished run to calibrate on"):
        read_run(finished / "results/mine", config, read_rates())
