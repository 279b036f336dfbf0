"""An intact run verifies clean; every kind of damage is found, named, and the command that mends it is told."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny_run import CLUSTERINGS, HEADLINE

from coactivation_manifolds.cli import main
from coactivation_manifolds.storage import write_array, write_json, write_table

FILES = [
    "activations/import.json",
    "activations/shard=000001/manifest.json",
    "activations/shard=000001/part-00000.parquet",
    "metadata/experiment.json",
    "metadata/decoder.npy",
    "metadata/shard_stats.parquet",
    "metadata/feature_counts.parquet",
    "index/feature_offsets.npy",
    "index/token_rows.npy",
    "index/values.npy",
    "index/tokens.arrow",
    "cooccurrence/shard=000000.parquet",
    "cooccurrence/shard=000000.marginals.npy",
    "cooccurrence/shard=000000.totals.json",
    "cooccurrence/shard=000000.recount.parquet",
    "cooccurrence/candidates.parquet",
    "cooccurrence/totals.json",
    "similarity/edges.parquet",
    "similarity/tail.parquet",
    f"clusters/{HEADLINE}/clusters.parquet",
    f"clusters/{HEADLINE}/clusters_summary.parquet",
    "sweep/summary.parquet",
    "sweep/elbow.png",
    f"geometry/{HEADLINE}/variance.parquet",
]


def verify(capsys, *arguments: str) -> tuple[int, str]:
    """Exit code and output; what a finished run would have besides is missing here, and doesn't count."""
    code = main(["verify", "results/tiny", *arguments])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.out + captured.err
    return code, captured.out


def forget_records(results: Path) -> None:
    """As if the run were one of an older version: no record knows a hash."""
    shutil.rmtree(results / "provenance")


@pytest.mark.parametrize("deep", [[], ["--deep"], ["--deep", "--sample", "1000", "--seed", "3"]])
def test_an_intact_run_is_right(results, capsys, deep):
    code, out = verify(capsys, *deep)
    assert "error:" not in out and "wrong" not in out, out
    assert code == 1 and "results/tiny/similarity/tail.png" in out  # the tiny run draws less than a full one
    n_files = len([path for path in results.rglob("*") if path.is_file() and path.parent.name != "provenance"])
    assert out.startswith(f"results/tiny: {n_files} files, {n_files} of them compared with the hash")
    assert ("derived anew, 2 shards" in out) == bool(deep)


def test_without_the_experiment_s_file_nothing_counts_as_missing(results, capsys):
    Path("config/experiments/tiny.yaml").unlink()
    code, out = verify(capsys, "--deep")
    assert code == 0
    assert out.endswith("nothing is wrong\n") and "what a finished run would have is not known" in out


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize("damage", [flip, cut, Path.unlink], ids=["flipped", "cut", "deleted"])
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_named_with_its_repair(results, capsys, name, damage):
    path = results / name
    damage(path)
    code, out = verify(capsys)
    assert code == 4
    named = [line for line in out.splitlines() if line.startswith("error: ")]
    assert [line for line in named if line.startswith(f"error: {path}: ")], out
    repair = out.split(f"error: {path}: ")[1].split("  repair: ")[1].splitlines()[0]
    assert "snakemake --profile local results/tiny/" in repair
    assert damage is Path.unlink or f"rm {path}" in repair


@pytest.mark.parametrize("name", [name for name in FILES if not name.endswith((".json", ".npy"))])
def test_a_cut_file_is_found_without_records(results, capsys, name):
    forget_records(results)
    cut(results / name)
    code, out = verify(capsys)
    assert code == 4 and f"error: {results / name}: " in out


def test_pages_are_read_where_no_record_knows_the_hash(results, capsys):
    forget_records(results)
    code, out = verify(capsys)
    assert code == 1 and "error:" not in out
    path = results / "similarity/edges.parquet"
    column = pq.ParquetFile(path).metadata.row_group(0).column(5)
    content = bytearray(path.read_bytes())
    content[(column.dictionary_page_offset or column.data_page_offset) + column.total_compressed_size // 2] ^= 1
    path.write_bytes(content)
    code, out = verify(capsys)
    assert code == 4 and f"error: {path}: is damaged" in out


def test_a_table_of_other_columns_is_named(results, capsys):
    forget_records(results)
    path = results / "sweep/summary.parquet"
    table = pq.read_table(path)
    write_table(table.drop_columns(["n_edges"]), path)
    assert f"error: {path}: the column 'n_edges' is missing" in verify(capsys)[1]
    write_table(table.set_column(4, "n_edges", table["n_edges"].cast(pa.int32())), path)
    assert f"error: {path}: column 'n_edges' is int32, expected int64" in verify(capsys)[1]


def test_a_damaged_record_is_named(results, capsys):
    record = results / "provenance/reduce_counts.json"
    cut(record)
    code, out = verify(capsys)
    assert code == 4 and f"error: {record}: " in out
    assert "  cooccurrence       10 files        9 by hash  right" in out


def test_what_was_made_from_an_earlier_file_is_outdated(results, capsys):
    record = results / "provenance/reduce_counts.json"
    content = json.loads(record.read_text())
    edges = next(each for each in content["outputs"] if each["path"].endswith("edges.parquet"))
    write_table(pq.read_table(results / "similarity/edges.parquet").slice(1), results / "similarity/edges.parquet")
    edges["sha256"] = hashlib.sha256((results / "similarity/edges.parquet").read_bytes()).hexdigest()
    record.write_text(json.dumps(content))
    code, out = verify(capsys)
    assert code == 4
    for name in CLUSTERINGS:
        assert f"error: results/tiny/clusters/{name}/clusters.parquet: was made from another similarity/edges" in out


def change_table(path: Path, column: str, row: int, value: object) -> None:
    """Write one wrong value into a table that is otherwise sound, footer included."""
    table = pq.read_table(path)
    values = table[column].to_pylist()
    values[row] = value(values[row]) if callable(value) else value
    place = table.schema.get_field_index(column)
    changed = table.set_column(place, table.schema.field(column), pa.array(values, table.schema.field(column).type))
    write_table(changed.replace_schema_metadata(None), path, metadata=footer_of(table))


def footer_of(table: pa.Table) -> dict[str, str]:
    entries = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    return {key: value for key, value in entries.items() if not key.startswith(("ARROW", "coactivation_format"))}


def one_more(value: int) -> int:
    return value + 1


WRONG_COUNTS = [
    ("cooccurrence/shard=000000.parquet", "n_ab", 3, one_more, "says that latents"),
    ("cooccurrence/shard=000000.recount.parquet", "n_ab", 0, one_more, "says that latents"),
    ("similarity/edges.parquet", "n_a", 5, one_more, "its n_a or n_b differ from the sums"),
    ("similarity/edges.parquet", "jaccard", 5, 0.5, "a Jaccard does not follow"),
    ("similarity/edges.parquet", "feature_b", 5, 59, "not ordered"),
    ("metadata/feature_counts.parquet", "count", 7, one_more, "differs from the firings"),
    ("metadata/shard_stats.parquet", "n_entries", 1, one_more, "its tokens or entries differ"),
    (f"clusters/{HEADLINE}/clusters_summary.parquet", "n_tokens_any", 1, one_more, "n_tokens_any of cluster 1 is"),
    (f"clusters/{HEADLINE}/clusters_summary.parquet", "n_pairs_present", 1, one_more, "n_pairs_present does not"),
    (f"clusters/{HEADLINE}/clusters_summary.parquet", "size", 1, one_more, "size does not follow"),
    ("sweep/summary.parquet", "n_clustered", 0, one_more, "n_clustered of components_j0.20 is"),
]


@pytest.mark.parametrize(("name", "column", "row", "value", "expected"), WRONG_COUNTS)
def test_a_wrong_number_is_found_without_its_hash(results, capsys, name, column, row, value, expected):
    forget_records(results)
    change_table(results / name, column, row, value)
    code, out = verify(capsys, "--deep", "--sample", "60")
    assert code == 4
    assert f"error: {results / name}: " in out and expected in out.split(f"error: {results / name}: ")[1], out


def test_a_wrong_n_ab_with_a_jaccard_to_match_is_found(results, capsys):
    forget_records(results)
    path = results / "similarity/edges.parquet"
    row = pq.read_table(path).slice(4, 1).to_pylist()[0]
    n_ab = row["n_ab"] + 1
    change_table(path, "n_ab", 4, n_ab)
    change_table(path, "jaccard", 4, n_ab / (row["n_a"] + row["n_b"] - n_ab))
    out = verify(capsys, "--deep", "--sample", "60")[1]
    pair = f"latents {row['feature_a']} and {row['feature_b']}"
    assert f"says that {pair} fire together on {n_ab} tokens, the activations say {n_ab - 1}" in out


def test_a_lost_pair_is_found(results, capsys):
    forget_records(results)
    path = results / "cooccurrence/shard=000001.parquet"
    table = pq.read_table(path)
    write_table(table.slice(1).replace_schema_metadata(None), path, metadata=footer_of(table))
    assert f"error: {path}: lacks the pair of latents" in verify(capsys, "--deep", "--sample", "60")[1]


def test_a_wrong_number_of_points_is_found(results, capsys):
    path = results / f"geometry/{HEADLINE}/variance.parquet"
    change_table(path, "n_points", 2, one_more)
    record = results / f"provenance/measure_clusters.{HEADLINE}.json"
    content = json.loads(record.read_text())
    content["outputs"] = []  # its settings are known, its hash is not
    record.write_text(json.dumps(content))
    assert f"error: {path}: n_points of cluster 2 is" in verify(capsys, "--deep", "--sample", "60")[1]


def change_array(path: Path, place: int, value: float) -> None:
    array = np.load(path)
    array[place] = value
    write_array(array, path)


@pytest.mark.parametrize(
    ("name", "place", "value", "expected"),
    [
        ("index/feature_offsets.npy", 3, 0, "do not belong together"),
        ("index/token_rows.npy", 1, 2999, "the tokens of latent"),
        ("index/values.npy", 5, 9.0, "the values of latent"),
        ("cooccurrence/shard=000000.marginals.npy", 5, 1, "differs from the firings of the shard's latents"),
    ],
)
def test_a_wrong_entry_of_an_array_is_found(results, capsys, name, place, value, expected):
    forget_records(results)
    change_array(results / name, place, value)
    code, out = verify(capsys, "--deep", "--sample", "60")
    assert code == 4 and f"error: {results / name}: " in out and expected in out


def test_offsets_that_are_monotone_but_wrong_are_found(results, capsys):
    forget_records(results)
    path = results / "index/feature_offsets.npy"
    silent = np.load(path)  # latents 56 to 59 never fire
    silent[56:60] -= 1
    write_array(silent, path)
    code, out = verify(capsys, "--deep", "--sample", "60")
    assert code == 4 and "index/" in out.split("error: ")[1]


@pytest.mark.parametrize("name", ["cooccurrence/totals.json", "cooccurrence/shard=000001.totals.json"])
@pytest.mark.parametrize("key", ["n_tokens", "n_entries", "k_t"])
def test_wrong_totals_are_found(results, capsys, name, key):
    forget_records(results)
    path = results / name
    content = json.loads(path.read_text())
    content[key] = content[key] + 1 if key != "k_t" else content[key][1:]
    write_json(content, path)
    code, out = verify(capsys, "--deep")
    assert code == 4 and f"error: {path}: {key} is" in out


@pytest.mark.parametrize("clustering", CLUSTERINGS)
def test_clusters_that_are_no_partition_of_their_graph_are_found(results, capsys, clustering):
    forget_records(results)
    path = results / f"clusters/{clustering}/clusters.parquet"
    table = pq.read_table(path)
    ids = table["cluster_id"].to_pylist()
    ids[0], ids[-1] = ids[-1], ids[0]
    swapped = table.set_column(1, table.schema.field(1), pa.array(ids, pa.int32()))
    write_table(swapped.replace_schema_metadata(None), path, metadata=footer_of(table))
    code, out = verify(capsys, "--deep")
    assert code == 4 and f"error: {path}: " in out
    write_table(pa.concat_tables([table.slice(0, 1), table]).replace_schema_metadata(None), path)
    assert f"error: {path}: feature_id is not in ascending order" in verify(capsys, "--deep")[1]


def test_two_clusters_that_touch_are_found(results, capsys):
    forget_records(results)
    path = results / f"clusters/{HEADLINE}/clusters.parquet"
    write_table(pq.read_table(path).slice(2), path)
    out = verify(capsys, "--deep")[1]
    assert f"error: {path}: its clusters are not" in out


def test_the_window_of_positions_comes_from_the_record(results, capsys):
    record = results / "provenance/count_shard.000000.json"
    content = json.loads(record.read_text())
    content["params"]["positions"] = [0, 10]
    record.write_text(json.dumps(content))
    out = verify(capsys, "--deep")[1]
    assert "results/tiny/cooccurrence/shard=000000.marginals.npy: differs from the firings" in out


def test_a_shard_that_is_left_over_is_not_counted(results, capsys):
    """As after a run with fewer tokens: its manifest is there, the edges were not made of it."""
    shutil.copytree(results / "activations/shard=000001", results / "activations/shard=000002")
    assert "derived anew, 2 shards, seed 0: right" in verify(capsys, "--deep")[1]


@pytest.mark.parametrize("seed", range(4))
def test_no_flipped_bit_of_a_record_ends_in_a_traceback(results, capsys, seed):
    record = results / "provenance/count_shard.000000.json"
    whole = record.read_bytes()
    places = np.random.default_rng(seed).integers(0, len(whole) * 8, 5)
    for place in places.tolist():
        content = bytearray(whole)
        content[place // 8] ^= 1 << place % 8
        record.write_bytes(content)
        assert verify(capsys)[0] in (1, 4)


@pytest.mark.parametrize(
    "change",
    [
        {"outputs": "x"},
        {"outputs": [{"path": "results/tiny/x", "size": 1}]},
        {"outputs": [{"path": "/etc/passwd", "size": 1, "sha256": "0"}]},
        {"outputs": [{"path": "results/tiny/../../x", "size": 1, "sha256": "0"}]},
        {"inputs": [3]},
        {"params": []},
    ],
)
def test_a_record_that_describes_no_job_is_named(results, capsys, change):
    record = results / "provenance/reduce_counts.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | change))
    code, out = verify(capsys)
    assert code == 4 and f"error: {record}: is damaged: it does not describe a job" in out
    assert "/etc" not in out
