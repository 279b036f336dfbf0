import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dense_rows import dense_matrices, random_dense, rows_from_dense
from hypothesis import given, settings
from hypothesis import strategies as st

from coactivation_manifolds.activations.activation_writer import ShardWriter
from coactivation_manifolds.activations.summary import FeatureSums, summarize_activations
from coactivation_manifolds.activations.token_rows import TokenRows
from coactivation_manifolds.errors import ResultsError
from coactivation_manifolds.schemas import FEATURE_COUNTS, SHARD_STATS
from coactivation_manifolds.storage import read_table, write_json

RESOLVED = {"name": "tiny", "seed": 0, "model": {"name": None, "path": "models/tiny"}}


def write_shards(folder: Path, rows: TokenRows, cuts: list[int], *, extra: dict[str, Any] | None = None) -> list[Path]:
    """One part a shard, shards cut at ``cuts``."""
    manifests = []
    for shard, (first, last) in enumerate(zip([0, *cuts], [*cuts, rows.n_tokens], strict=True)):
        writer = ShardWriter(folder / str(shard), shard=shard, n_latents=rows.n_latents, fingerprint={})
        writer.write_part(0, rows.rows(first, last), first_batch=0, last_batch=0)
        manifests.append(writer.folder / "manifest.json")
        writer.commit(manifests[-1], expected_parts=1, extra=extra)
    return manifests


def summarize(
    manifests: list[Path], folder: Path, description: Path | None = None, plan: Path | None = None
) -> tuple[Path, Path, Path]:
    """Run the stage; its three files."""
    files = (folder / "experiment.json", folder / "shard_stats.parquet", folder / "feature_counts.parquet")
    summarize_activations(
        manifests,
        resolved=RESOLVED,
        description_path=description,
        plan_path=plan,
        experiment_path=files[0],
        shard_stats_path=files[1],
        feature_counts_path=files[2],
    )
    return files


@settings(deadline=None, max_examples=20)
@given(dense=dense_matrices(), data=st.data())
def test_sums_are_those_of_the_dense_matrix_however_it_is_cut(
    dense: np.ndarray, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("summary")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(dense)), max_size=3)))
    rows = rows_from_dense(dense)
    whole = summarize(write_shards(folder / "one", rows, []), folder / "a")
    files = summarize(write_shards(folder / "many", rows, cuts), folder / "b")
    assert files[2].read_bytes() == whole[2].read_bytes()
    counts = read_table(files[2])
    assert counts.schema.equals(FEATURE_COUNTS)
    for latent, row in enumerate(counts.to_pylist()):
        fired = dense[dense[:, latent] > 0, latent].astype(np.float64)
        exact = sum(map(Fraction, fired.tolist())) / len(fired) if len(fired) else None
        assert row["feature_id"] == latent and row["count"] == len(fired)
        assert row["max_activation"] == (fired.max() if len(fired) else None)
        assert row["mean_activation"] == (pytest.approx(float(exact), rel=1e-15) if exact is not None else None)
    stats = read_table(files[1])
    assert stats.schema.equals(SHARD_STATS)
    edges = [0, *cuts, len(dense)]
    for row in stats.to_pylist():
        part = dense[edges[row["shard"]] : edges[row["shard"] + 1]]
        positive = part[part > 0]
        assert (row["n_tokens"], row["n_entries"]) == (len(part), len(positive))
        assert row["mean_l0"] == (len(positive) / len(part) if len(part) else None)
        assert row["min_activation"] == (positive.min() if len(positive) else None)
        assert row["max_activation"] == (positive.max() if len(positive) else None)


def test_exact_sums_survive_the_largest_values_and_do_not_overflow() -> None:
    dense = np.full((8_192, 1), 65_504, np.float16)
    dense[0, 0] = 2.0**-24
    rows = rows_from_dense(dense)
    sums = FeatureSums(1)
    repeats = 1_200  # 2^40 * 2^13 * 1200 is more than int64 holds
    for _ in range(repeats):
        sums.add(rows)
    total = repeats * (Fraction(2) ** -24 + 8_191 * 65_504)
    assert (int(sums.high[0]) << 40) + int(sums.low[0]) == total * 2**24
    assert sums.mean[0] == pytest.approx(float(total / (8_192 * repeats)), rel=1e-15)


def test_blocks_of_more_rows_than_float64_can_sum_are_cut() -> None:
    dense = random_dense(0, n_tokens=20_000, n_latents=3)
    sums = FeatureSums(3)
    sums.add(rows_from_dense(dense))
    np.testing.assert_array_equal(sums.low + (sums.high << 40), (dense.astype(np.float64) * 2**24).sum(axis=0))


def test_experiment_json(tmp_path: Path) -> None:
    rows = rows_from_dense(random_dense(2, n_tokens=10, n_latents=4))
    guard_rails = {"fvu": 0.2, "mean_l0": 3.0, "n_tokens": 5, "stated_l0": None}
    manifests = write_shards(tmp_path, rows, [6], extra={"guard_rails": guard_rails, "notes": ["batch 3 halved"]})
    content = json.loads(manifests[1].read_text())
    content["guard_rails"] |= {"fvu": 0.5, "n_tokens": 10}
    manifests[1].write_text(json.dumps(content))
    description = tmp_path / "sae.json"
    write_json(
        {"n_latents": 4, "d_model": 16, "hook_name": "blocks.1.hook_resid_post", "neuronpedia_id": "x"}, description
    )
    experiment = json.loads(summarize(manifests, tmp_path / "out", description)[0].read_text())
    assert (experiment["n_latents"], experiment["d_model"], experiment["n_tokens"]) == (4, 16, 10)
    assert experiment["hook_name"] == "blocks.1.hook_resid_post"
    assert (experiment["tokenizer"], experiment["neuronpedia_id"]) == ("models/tiny", "x")
    assert experiment["fvu"] == pytest.approx((0.2 * 5 + 0.5 * 10) / 15)
    assert experiment["mean_l0"] == rows.n_entries / 10
    assert experiment["resolved"] == RESOLVED
    assert [row["shard"] for row in experiment["guard_rails"]] == [0, 1]
    assert experiment["notes"] == ["shard 0: batch 3 halved", "shard 1: batch 3 halved"]


def test_experiment_json_of_imports_has_nulls(tmp_path: Path) -> None:
    manifests = write_shards(tmp_path, rows_from_dense(random_dense(2, n_tokens=10, n_latents=4)), [])
    experiment = json.loads(summarize(manifests, tmp_path / "out")[0].read_text())
    assert experiment["fvu"] is None and experiment["d_model"] is None and experiment["guard_rails"] == []


def test_a_description_of_another_sae_is_refused(tmp_path: Path) -> None:
    manifests = write_shards(tmp_path, rows_from_dense(random_dense(2, n_tokens=10, n_latents=4)), [])
    write_json({"n_latents": 5}, tmp_path / "sae.json")
    with pytest.raises(ResultsError, match="5 latents, the activations have 4"):
        summarize(manifests, tmp_path / "out", tmp_path / "sae.json")


def test_text_that_changed_since_the_harvest_is_told(tmp_path: Path) -> None:
    manifests = write_shards(tmp_path, rows_from_dense(random_dense(0, n_tokens=30, n_latents=8)), [15])
    for number, path in enumerate(manifests):
        content = json.loads(path.read_text())
        content["fingerprint"] = {"corpus_shard": {"sha256": str(number)}}
        path.write_text(json.dumps(content))
    plan = tmp_path / "plan.json"
    write_json({"shards": [{"sha256": "0"}, {"sha256": "1"}]}, plan)
    summarize(manifests, tmp_path, plan=plan)
    write_json({"shards": [{"sha256": "0"}, {"sha256": "2"}]}, plan)
    with pytest.raises(ResultsError, match=r"1/manifest.json was harvested from other text than corpus/plan.json"):
        summarize(manifests, tmp_path, plan=plan)


def test_shards_of_two_commits_of_a_model_are_told(tmp_path: Path) -> None:
    manifests = write_shards(tmp_path, rows_from_dense(random_dense(0, n_tokens=30, n_latents=8)), [15])
    for path, commit in zip(manifests, ("a", "b"), strict=True):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"model_commit": commit}))
    with pytest.raises(ResultsError, match="they differ in model commit"):
        summarize(manifests, tmp_path)
