"""Jobs that read all shards hold few of their files open, whatever the number of shards."""

import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from synthetic_shards import make_edges, write_shards

from coactivation_manifolds.activations.index_build import build_index
from coactivation_manifolds.activations.summary import summarize_activations
from coactivation_manifolds.storage import read_table

SHARDS = 120
LIMIT = 64


@pytest.fixture
def few_open_files() -> Iterator[None]:
    """A file opened now must get one of the numbers 0 to 63, of which this process holds few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    own = sum(int(entry.name) < LIMIT for entry in Path("/proc/self/fd").iterdir())
    if own + 20 > LIMIT:
        pytest.skip(f"this process already holds {own} files open")
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs a list of this process's open files")
@pytest.mark.usefixtures("few_open_files")
def test_many_shards_are_read_with_few_open_files(tmp_path: Path) -> None:
    fires = np.random.default_rng(0).random((6 * SHARDS, 30)) < 0.2
    manifests = write_shards(fires, tmp_path / "activations", cuts=list(range(6, 6 * SHARDS, 6)))
    assert len(manifests) == SHARDS > LIMIT
    made = make_edges(manifests, tmp_path / "counts")
    assert len(read_table(made["edges"])) > 0
    build_index(
        manifests,
        offsets_path=tmp_path / "offsets.npy",
        token_rows_path=tmp_path / "token_rows.npy",
        values_path=tmp_path / "values.npy",
        tokens_path=tmp_path / "tokens.arrow",
        entries_in_memory=1_000,
    )
    assert len(np.load(tmp_path / "token_rows.npy")) == fires.sum()
    summarize_activations(
        manifests,
        resolved={},
        description_path=None,
        experiment_path=tmp_path / "experiment.json",
        shard_stats_path=tmp_path / "shard_stats.parquet",
        feature_counts_path=tmp_path / "feature_counts.parquet",
    )
    assert len(read_table(tmp_path / "shard_stats.parquet")) == SHARDS
