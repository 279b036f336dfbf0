import dataclasses
import json
import multiprocessing
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dense_rows import assert_same_rows, dense_from_rows, dense_matrices, random_dense, rows_from_dense
from hypothesis import given, settings
from hypothesis import strategies as st

from coactivation_manifolds.activations import activation_writer
from coactivation_manifolds.activations.activation_reader import iter_parts, read_manifest, read_manifests, read_shard
from coactivation_manifolds.activations.activation_writer import ShardWriter, fingerprint_hash, read_part_record
from coactivation_manifolds.activations.token_rows import TokenRows, empty_rows
from coactivation_manifolds.errors import GuardRailError, InputError, ResultsError, StorageError
from coactivation_manifolds.storage import open_table, sha256_file

FINGERPRINT = {"model": "tiny", "sae": {"release": "none"}, "dtype": "float32"}


def write_shard(folder: Path, rows: TokenRows, *, part_rows: int, shard: int = 0) -> Path:
    """All parts and the manifest of a shard."""
    writer = ShardWriter(folder, shard=shard, n_latents=rows.n_latents, fingerprint=FINGERPRINT)
    starts = range(0, rows.n_tokens, part_rows)
    for number, start in enumerate(starts):
        part = rows.rows(start, min(start + part_rows, rows.n_tokens))
        writer.write_part(number, part, first_batch=2 * number, last_batch=2 * number + 1)
    writer.commit(folder / "manifest.json", expected_parts=len(starts), extra={"guard_rails": {"fvu": 0.1}})
    return folder / "manifest.json"


def names_in(folder: Path) -> list[str]:
    """What lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def rows() -> TokenRows:
    return rows_from_dense(random_dense(0, n_tokens=20, n_latents=6))


@settings(deadline=None, max_examples=25)
@given(dense=dense_matrices(), part_rows=st.integers(1, 6))
def test_round_trip_through_files(dense: np.ndarray, part_rows: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    rows = rows_from_dense(dense)
    manifest_path = write_shard(tmp_path_factory.mktemp("shard"), rows, part_rows=part_rows)
    assert_same_rows(rows, read_shard(manifest_path))
    manifest = read_manifest(manifest_path)
    assert manifest["n_tokens"] == len(dense)
    assert manifest["n_entries"] == np.count_nonzero(dense)
    assert manifest["first_token_index"] == (rows.token_index[0] if len(dense) else None)
    assert manifest["last_token_index"] == (rows.token_index[-1] if len(dense) else None)
    assert sum(part.n_tokens for part in iter_parts(manifest_path)) == len(dense)


def test_manifest_and_footer_say_what_the_contract_asks(tmp_path: Path, rows: TokenRows) -> None:
    raised = dataclasses.replace(rows, raised=np.array([1, 5]))
    manifest_path = write_shard(tmp_path, raised, part_rows=8)
    manifest = json.loads(manifest_path.read_text())
    assert manifest["format_version"] == 1
    assert manifest["fingerprint"] == FINGERPRINT
    assert manifest["guard_rails"] == {"fvu": 0.1}
    assert manifest["n_raised_to_subnormal"] == 2
    assert [part["file"] for part in manifest["parts"]] == [f"part-0000{n}.parquet" for n in range(3)]
    assert [part["rows"] for part in manifest["parts"]] == [8, 8, 4]
    assert [(part["first_batch"], part["last_batch"]) for part in manifest["parts"]] == [(0, 1), (2, 3), (4, 5)]
    assert manifest["parts"][1]["sha256"] == sha256_file(tmp_path / "part-00001.parquet")
    record = read_part_record(tmp_path / "part-00001.parquet")
    assert (record.fingerprint, record.rows) == (fingerprint_hash(FINGERPRINT), 8)
    with open_table(tmp_path / "part-00000.parquet") as parquet:
        assert parquet.metadata.row_group(0).column(0).compression == "ZSTD"
        assert parquet.schema_arrow.field("feature_ids").type == pa.large_list(
            pa.field("element", pa.uint16(), nullable=False)
        )


def test_the_values_have_no_dictionary_and_lists_no_statistics(tmp_path: Path, rows: TokenRows) -> None:
    write_shard(tmp_path, rows, part_rows=8)
    with open_table(tmp_path / "part-00000.parquet") as parquet:
        group = parquet.metadata.row_group(0)
        columns = [group.column(n) for n in range(group.num_columns)]
    plain = [column.path_in_schema for column in columns if "RLE_DICTIONARY" not in column.encodings]
    assert plain == ["activations.list.element"]
    noted = [column.path_in_schema for column in columns if column.statistics is not None]
    assert noted == ["doc_id", "token_index", "position_in_doc", "token_id"]


def test_row_groups_hold_about_8k_tokens(tmp_path: Path) -> None:
    dense = np.zeros((20_000, 2), np.float16)
    dense[:, 0] = 1
    write_shard(tmp_path, rows_from_dense(dense), part_rows=20_000)
    with open_table(tmp_path / "part-00000.parquet") as parquet:
        groups = [parquet.metadata.row_group(n).num_rows for n in range(parquet.num_row_groups)]
    assert groups == [8192, 8192, 3616]


def test_the_same_rows_give_the_same_bytes(tmp_path: Path, rows: TokenRows) -> None:
    for name in "ab":
        write_shard(tmp_path / name, rows, part_rows=7)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == ["manifest.json", *(f"part-0000{n}.parquet" for n in range(3))]
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_fingerprint_does_not_depend_on_the_order_of_keys() -> None:
    assert fingerprint_hash({"a": 1, "b": {"c": 2, "d": 3}}) == fingerprint_hash({"b": {"d": 3, "c": 2}, "a": 1})
    assert fingerprint_hash({"a": 1}) != fingerprint_hash({"a": 2})


def test_an_empty_shard_is_legal_with_or_without_a_part(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path, shard=4, n_latents=9, fingerprint=FINGERPRINT)
    writer.commit(tmp_path / "manifest.json", expected_parts=0)
    assert read_shard(tmp_path / "manifest.json").n_tokens == 0
    writer.write_part(0, empty_rows(9), first_batch=0, last_batch=0)
    writer.commit(tmp_path / "manifest.json", expected_parts=1)
    assert read_shard(tmp_path / "manifest.json").n_tokens == 0
    assert read_manifest(tmp_path / "manifest.json")["last_token_index"] is None


# resuming


def test_a_resumed_shard_is_the_undisturbed_one(tmp_path: Path, rows: TokenRows) -> None:
    undisturbed = write_shard(tmp_path / "whole", rows, part_rows=6)
    folder = tmp_path / "killed"
    for stop_after in (1, 0, 2):
        writer = ShardWriter(folder, shard=0, n_latents=6, fingerprint=FINGERPRINT)
        done = writer.completed_parts({0: 6, 1: 6, 2: 6, 3: 2})
        for number in [n for n in range(4) if n not in done][:stop_after]:
            part = rows.rows(6 * number, min(6 * number + 6, 20))
            writer.write_part(number, part, first_batch=2 * number, last_batch=2 * number + 1)
        (folder / ".part-00009.parquet.killed.tmp").write_bytes(b"half")
    writer = ShardWriter(folder, shard=0, n_latents=6, fingerprint=FINGERPRINT)
    assert list(writer.completed_parts()) == [0, 1, 2]
    writer.write_part(3, rows.rows(18, 20), first_batch=6, last_batch=7)
    writer.commit(folder / "manifest.json", expected_parts=4, extra={"guard_rails": {"fvu": 0.1}})
    assert (folder / "manifest.json").read_bytes() == undisturbed.read_bytes()
    assert names_in(folder) == names_in(tmp_path / "whole")


def test_extra_notes_of_a_part_survive(tmp_path: Path, rows: TokenRows) -> None:
    writer = ShardWriter(tmp_path, shard=0, n_latents=6, fingerprint=FINGERPRINT)
    written = writer.write_part(0, rows, first_batch=0, last_batch=3, extra={"fvu": 0.25, "halved": [2]})
    assert writer.completed_parts() == {0: written}
    assert written.extra == {"fvu": 0.25, "halved": [2]}


@pytest.mark.parametrize(
    "damage", ["truncated", "empty", "flipped", "foreign", "other fingerprint", "other shard", "renamed"]
)
def test_parts_that_do_not_belong_are_discarded_with_a_warning(
    damage: str, tmp_path: Path, rows: TokenRows, caplog: pytest.LogCaptureFixture
) -> None:
    write_shard(tmp_path, rows, part_rows=10)
    part = tmp_path / "part-00001.parquet"
    if damage == "truncated":
        part.write_bytes(part.read_bytes()[:-20])
    elif damage == "empty":
        part.write_bytes(b"")
    elif damage == "flipped":
        content = bytearray(part.read_bytes())
        content[60] ^= 1
        part.write_bytes(content)
    elif damage == "foreign":
        pq.write_table(rows.to_table(), part)
    elif damage == "renamed":
        shutil.copy(tmp_path / "part-00000.parquet", part)
    else:
        fingerprint = FINGERPRINT | ({"model": "other"} if damage == "other fingerprint" else {})
        shard = 7 if damage == "other shard" else 0
        part.unlink()
        other = ShardWriter(tmp_path, shard=shard, n_latents=6, fingerprint=fingerprint)
        other.write_part(1, rows.rows(10, 20), first_batch=2, last_batch=3)
    writer = ShardWriter(tmp_path, shard=0, n_latents=6, fingerprint=FINGERPRINT)
    assert list(writer.completed_parts()) == [0]
    assert not part.exists()
    assert "discarding" in caplog.text and "part-00001.parquet" in caplog.text


def test_parts_of_another_plan_are_discarded(tmp_path: Path, rows: TokenRows) -> None:
    write_shard(tmp_path, rows, part_rows=8)
    writer = ShardWriter(tmp_path, shard=0, n_latents=6, fingerprint=FINGERPRINT)
    assert list(writer.completed_parts({0: 8, 1: 8, 2: 8, 3: 1})) == [0, 1]


def test_commit_removes_parts_beyond_the_plan(tmp_path: Path, rows: TokenRows) -> None:
    write_shard(tmp_path, rows, part_rows=8)
    writer = ShardWriter(tmp_path, shard=0, n_latents=6, fingerprint=FINGERPRINT)
    writer.commit(tmp_path / "manifest.json", expected_parts=2)
    assert not (tmp_path / "part-00002.parquet").exists()
    assert read_shard(tmp_path / "manifest.json").n_tokens == 16


def test_commit_needs_every_part_in_order(tmp_path: Path, rows: TokenRows) -> None:
    writer = ShardWriter(tmp_path, shard=0, n_latents=6, fingerprint=FINGERPRINT)
    writer.write_part(1, rows.rows(0, 10), first_batch=0, last_batch=0)
    with pytest.raises(ResultsError, match=r"part-00000\.parquet is missing"):
        writer.commit(tmp_path / "manifest.json", expected_parts=2)
    writer.write_part(0, rows.rows(10, 20), first_batch=0, last_batch=0)
    with pytest.raises(ResultsError, match=r"begins with token 0, but the part before ends with 38"):
        writer.commit(tmp_path / "manifest.json", expected_parts=2)
    assert not (tmp_path / "manifest.json").exists()


def test_the_second_of_two_writers_drops_its_copy(
    tmp_path: Path, rows: TokenRows, caplog: pytest.LogCaptureFixture
) -> None:
    first = ShardWriter(tmp_path, shard=0, n_latents=6, fingerprint=FINGERPRINT)
    second = ShardWriter(tmp_path, shard=0, n_latents=6, fingerprint=FINGERPRINT)
    standing = first.write_part(0, rows, first_batch=0, last_batch=3, extra={"by": "first"})
    before = (tmp_path / "part-00000.parquet").read_bytes()
    assert second.write_part(0, rows, first_batch=0, last_batch=3, extra={"by": "second"}) == standing
    assert (tmp_path / "part-00000.parquet").read_bytes() == before
    assert names_in(tmp_path) == ["part-00000.parquet"]
    assert "committed by another job" in caplog.text


def test_a_race_of_different_runs_is_an_error(tmp_path: Path, rows: TokenRows) -> None:
    ShardWriter(tmp_path, shard=0, n_latents=6, fingerprint={"model": "b"}).write_part(
        0, rows, first_batch=0, last_batch=3
    )
    with pytest.raises(ResultsError, match="two runs with different settings"):
        ShardWriter(tmp_path, shard=0, n_latents=6, fingerprint=FINGERPRINT).write_part(
            0, rows, first_batch=0, last_batch=3
        )


def test_a_writer_whose_temporary_file_the_winner_removed_has_lost(
    tmp_path: Path, rows: TokenRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = ShardWriter(tmp_path, shard=0, n_latents=6, fingerprint=FINGERPRINT)
    commit_by_link = activation_writer.commit_by_link

    def overtaken(temporary: Path, final: Path) -> bool:
        monkeypatch.setattr(activation_writer, "commit_by_link", commit_by_link)
        other.write_part(0, rows, first_batch=0, last_batch=3)
        other.commit(tmp_path / "manifest.json", expected_parts=1)
        assert not temporary.exists()
        return commit_by_link(temporary, final)

    monkeypatch.setattr(activation_writer, "commit_by_link", overtaken)
    writer = ShardWriter(tmp_path, shard=0, n_latents=6, fingerprint=FINGERPRINT)
    assert writer.write_part(0, rows, first_batch=0, last_batch=3).rows == 20
    assert_same_rows(rows, read_shard(tmp_path / "manifest.json"))


def write_all_parts(folder: str, start: "multiprocessing.synchronize.Barrier") -> None:
    """One of several processes that write the same shard at once."""
    rows = rows_from_dense(random_dense(0, n_tokens=60, n_latents=6))
    writer = ShardWriter(folder, shard=0, n_latents=6, fingerprint=FINGERPRINT)
    start.wait()
    for number in range(20):
        writer.write_part(number, rows.rows(3 * number, 3 * number + 3), first_batch=number, last_batch=number)
    writer.commit(Path(folder) / "manifest.json", expected_parts=20)


def test_writers_racing_for_a_shard_leave_one_sound_shard(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    processes = [context.Process(target=write_all_parts, args=(str(tmp_path), barrier)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    expected = rows_from_dense(random_dense(0, n_tokens=60, n_latents=6))
    assert_same_rows(expected, read_shard(tmp_path / "manifest.json"))
    assert names_in(tmp_path) == ["manifest.json", *(f"part-{n:05d}.parquet" for n in range(20))]


def test_file_systems_without_hard_links_rename(
    tmp_path: Path, rows: TokenRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(95, "not supported")

    monkeypatch.setattr(activation_writer.os, "link", no_links)
    assert_same_rows(rows, read_shard(write_shard(tmp_path, rows, part_rows=9)))
    assert not list(tmp_path.glob(".*"))


def test_full_disk_is_one_line_and_leaves_no_part(
    tmp_path: Path, rows: TokenRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(activation_writer.os, "fsync", full)
    with pytest.raises(StorageError, match=r"no space left .*part-00000\.parquet"):
        write_shard(tmp_path, rows, part_rows=9)
    assert names_in(tmp_path) == []


def test_wrong_rows_are_never_written(tmp_path: Path, rows: TokenRows) -> None:
    writer = ShardWriter(tmp_path, shard=2, n_latents=6, fingerprint=FINGERPRINT)
    with pytest.raises(GuardRailError, match=r"shard 2, part 5, row 1: token_index 0 stands twice"):
        writer.write_part(5, dataclasses.replace(rows, token_index=0 * rows.token_index), first_batch=0, last_batch=0)
    assert not list(tmp_path.glob("*"))


# reading


def test_changed_part_is_named_with_the_remedy(tmp_path: Path, rows: TokenRows) -> None:
    manifest_path = write_shard(tmp_path, rows, part_rows=10)
    part = tmp_path / "part-00001.parquet"
    content = bytearray(part.read_bytes())
    content[60] ^= 1
    part.write_bytes(content)
    with pytest.raises(
        ResultsError, match=r"part-00001\.parquet was changed .*delete .*manifest\.json and .*part-00001"
    ):
        read_shard(manifest_path)


def test_truncated_and_missing_parts(tmp_path: Path, rows: TokenRows) -> None:
    manifest_path = write_shard(tmp_path, rows, part_rows=10)
    part = tmp_path / "part-00001.parquet"
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(ResultsError, match="was changed"):
        read_shard(manifest_path)
    with pytest.raises(InputError, match="is damaged"):
        read_shard(manifest_path, verify=False)
    part.unlink()
    with pytest.raises(ResultsError, match=r"part-00001\.parquet is missing, though .*manifest\.json lists it"):
        read_shard(manifest_path)


def test_a_damaged_imported_part_needs_the_import_anew(tmp_path: Path, rows: TokenRows) -> None:
    manifest_path = write_shard(tmp_path / "activations/shard=000000", rows, part_rows=10)
    record = tmp_path / "activations/import.json"
    record.write_text("{}")
    part = manifest_path.with_name("part-00001.parquet")
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(ResultsError) as caught:
        read_shard(manifest_path)
    assert str(caught.value).endswith(f": rm {manifest_path} {part} {record}")
    part.unlink()
    with pytest.raises(ResultsError) as caught:
        read_shard(manifest_path)
    assert str(caught.value).endswith(f": rm {manifest_path} {record}")


def test_a_part_with_other_rows_is_found_without_hashes(tmp_path: Path, rows: TokenRows) -> None:
    manifest_path = write_shard(tmp_path, rows, part_rows=10)
    pq.write_table(rows.rows(10, 15).to_table(), tmp_path / "part-00001.parquet")
    with pytest.raises(ResultsError, match="holds 5 tokens"):
        read_shard(manifest_path, verify=False)


def test_parts_of_other_writers_are_read(tmp_path: Path, rows: TokenRows) -> None:
    manifest_path = write_shard(tmp_path, rows, part_rows=20)
    table = rows.to_table().drop_columns(["token_id", "position_in_doc"])
    for name, kind in (("feature_ids", pa.uint32()), ("activations", pa.float32())):
        column = table.column(name).cast(pa.list_(kind))
        table = table.set_column(table.schema.get_field_index(name), name, column)
    pq.write_table(table, tmp_path / "part-00000.parquet", row_group_size=3)
    back = read_shard(manifest_path, verify=False)
    np.testing.assert_array_equal(dense_from_rows(back), dense_from_rows(rows))
    assert set(back.token_id.tolist()) == {-1}


def test_manifests_of_one_experiment_belong_together(tmp_path: Path, rows: TokenRows) -> None:
    paths = [
        write_shard(tmp_path / str(shard), rows.rows(10 * shard, 10 * shard + 10), part_rows=5, shard=shard)
        for shard in range(2)
    ]
    assert [manifest["shard"] for manifest in read_manifests(paths)] == [0, 1]
    with pytest.raises(ResultsError, match="says that it is shard 1, expected 0"):
        read_manifests(paths[::-1])
    content = json.loads(paths[1].read_text())
    for change, message in [
        ({"fingerprint": FINGERPRINT | {"dtype": "float16"}}, "they differ in dtype"),
        ({"n_latents": 7}, "they differ in n_latents"),
        ({"first_token_index": 3}, "begins with token 3"),
    ]:
        paths[1].write_text(json.dumps(content | change))
        with pytest.raises(ResultsError, match=message):
            read_manifests(paths)


def test_damaged_manifests(tmp_path: Path, rows: TokenRows) -> None:
    path = write_shard(tmp_path, rows, part_rows=10)
    content = json.loads(path.read_text())
    del content["parts"][1]["sha256"]
    path.write_text(json.dumps(content))
    with pytest.raises(ResultsError, match="parts: sha256"):
        read_manifest(path)
    path.write_text(json.dumps(content | {"format_version": 99}))
    with pytest.raises(ResultsError, match="format version 99"):
        read_manifest(path)
    path.write_text("{}")
    with pytest.raises(ResultsError, match="no manifest of a shard"):
        read_manifest(path)
    path.write_text("{")
    with pytest.raises(InputError, match="not JSON"):
        read_manifest(path)


@pytest.mark.parametrize("n_latents", [65_536, 65_537, 131_072])
def test_the_last_latent_of_wide_saes_survives(tmp_path: Path, n_latents: int) -> None:
    kind = np.uint16 if n_latents == 65_536 else np.uint32
    ids = np.array([0, 65_535, n_latents - 1] if n_latents > 65_536 else [0, 65_535], kind)
    rows = dataclasses.replace(
        rows_from_dense(np.ones((1, len(ids)), np.float16)), feature_ids=ids, n_latents=n_latents
    )
    assert_same_rows(rows, read_shard(write_shard(tmp_path, rows, part_rows=1)))
