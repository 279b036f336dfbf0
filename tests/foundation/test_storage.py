"""Writing complete or absent, reading with checks."""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coactivation_manifolds import storage
from coactivation_manifolds.errors import InputError, ResultsError, StorageError

TABLE = pa.table({"a": pa.array(range(1000), pa.int64()), "b": pa.array([f"x{i}" for i in range(1000)])})


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_failed_write_leaves_nothing_and_keeps_the_old_file(tmp_path):
    path = tmp_path / "folder/file.txt"
    storage.write_text("old", path)
    with pytest.raises(RuntimeError), storage.atomic_path(path) as temporary:
        temporary.write_text("new")
        raise RuntimeError
    assert path.read_text() == "old"
    assert files(path.parent) == ["file.txt"]


def test_the_same_content_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        storage.write_table(TABLE, tmp_path / f"{name}.parquet", metadata={"k": "v"})
        storage.write_arrays({"x": np.arange(5), "y": np.eye(2)}, tmp_path / f"{name}.npz")
        storage.write_json({"k": [1, 2], "ü": None}, tmp_path / f"{name}.json")
    for ending in ("parquet", "npz", "json"):
        assert (tmp_path / f"one.{ending}").read_bytes() == (tmp_path / f"two.{ending}").read_bytes()


def test_tables_go_round(tmp_path):
    path = tmp_path / "t.parquet"
    storage.write_table(TABLE, path, row_group_size=300, metadata={"fingerprint": "abc"})
    assert storage.read_table(path).equals(TABLE)
    assert storage.read_table(path, columns=["b"]).column_names == ["b"]
    with storage.open_table(path) as parquet:
        assert parquet.schema_arrow.metadata[b"fingerprint"] == b"abc"
        assert parquet.metadata.num_row_groups == 4
        assert parquet.metadata.row_group(0).column(0).compression == "ZSTD"


def test_a_missing_column_is_named(tmp_path):
    path = tmp_path / "t.parquet"
    storage.write_table(TABLE, path)
    with pytest.raises(InputError, match=r"lacks the column 'c'; it has a, b"):
        storage.read_table(path, columns=["a", "c"])


@pytest.mark.parametrize("damage", ["empty", "truncated", "text", "flipped"])
def test_damaged_tables_are_named(tmp_path, damage):
    path = tmp_path / "t.parquet"
    storage.write_table(TABLE, path)
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[len(content) // 4] ^= 0xFF
    changed = {"empty": b"", "truncated": bytes(content[:-20]), "text": b"no table", "flipped": bytes(content)}
    path.write_bytes(changed[damage])
    with pytest.raises(InputError, match="is damaged or no Parquet file") as caught:
        storage.read_table(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_damaged_result_of_ours_is_told_with_the_command_that_takes_it_away(tmp_path):
    path = tmp_path / "results/a b/t.parquet"
    storage.write_text("no table", path)
    with pytest.raises(InputError, match=r"delete it and run the same command again: rm '.*/results/a b/t.parquet'"):
        storage.read_table(path)


def test_missing_files_say_how_they_are_made(tmp_path):
    for read in (storage.read_table, storage.read_json, storage.read_array):
        with pytest.raises(InputError, match=r"does not exist.*snakemake"):
            read(tmp_path / "absent")


def test_newer_formats_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "FORMAT_VERSION", 99)
    storage.write_table(TABLE, tmp_path / "t.parquet")
    storage.write_json({}, tmp_path / "t.json")
    monkeypatch.undo()
    for read in (storage.read_table, storage.read_json):
        path = tmp_path / ("t.parquet" if read is storage.read_table else "t.json")
        with pytest.raises(ResultsError, match="has format version 99, newer than this package's 1: update"):
            read(path)
    (tmp_path / "t.json").write_text('{"format_version": "new"}')
    with pytest.raises(ResultsError, match="which is no number"):
        storage.read_json(tmp_path / "t.json")


def test_files_of_other_writers_without_a_version_pass(tmp_path):
    pq.write_table(TABLE, tmp_path / "t.parquet")
    (tmp_path / "t.json").write_text("{}")
    assert storage.read_table(tmp_path / "t.parquet").num_rows == 1000
    assert storage.read_json(tmp_path / "t.json") == {}


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", b"3"])
def test_damaged_json_is_named(tmp_path, content):
    path = tmp_path / "t.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is damaged"):
        storage.read_json(path)


def test_json_holds_no_nan(tmp_path):
    with pytest.raises(ValueError, match="Out of range float"):
        storage.write_json({"x": float("nan")}, tmp_path / "t.json")
    assert files(tmp_path) == []


def test_arrays_go_round_and_damage_is_named(tmp_path):
    path = tmp_path / "a.npy"
    storage.write_array(np.arange(12).reshape(3, 4), path)
    assert storage.read_array(path).tolist() == np.arange(12).reshape(3, 4).tolist()
    assert isinstance(storage.read_array(path, mmap=True), np.memmap)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match="is damaged"):
        storage.read_array(path)
    with path.open("wb") as handle:
        np.save(handle, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match=r"is damaged or no \.npy"):
        storage.read_array(path)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (errno.ENOSPC, "no space left on the disk while writing .*: free some space and run the same command again"),
        (errno.EDQUOT, "no space left on the disk"),
        (errno.EACCES, "can't write .*: Permission denied; check the owner and mode"),
        (errno.EROFS, "can't write .*: Read-only file system"),
        (errno.EIO, "can't write .*: Input/output error; check the disk .*, then run the same command again"),
        (errno.ESTALE, "can't write .*: Stale file handle; check the disk"),
    ],
)
def test_errors_of_the_machine(tmp_path, code, message):
    with pytest.raises(StorageError, match=message), storage.atomic_path(tmp_path / "x"):
        raise OSError(code, os.strerror(code))
    with pytest.raises(OSError, match="Broken pipe"), storage.atomic_path(tmp_path / "x"):
        raise OSError(errno.EPIPE, os.strerror(errno.EPIPE))


def test_format_version_is_written(tmp_path):
    storage.write_json({"a": 1}, tmp_path / "t.json")
    assert json.loads((tmp_path / "t.json").read_text()) == {"format_version": storage.FORMAT_VERSION, "a": 1}


def test_sha256(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    assert storage.sha256_file(tmp_path / "x").startswith("ba7816bf8f01cfea")


def test_a_short_write_of_numpy_is_a_full_disk(tmp_path):
    with (
        pytest.raises(StorageError, match="no space left on the disk while writing"),
        storage.storage_errors(tmp_path / "a"),
    ):
        raise OSError("1000000 requested and 12484 written")
    with pytest.raises(OSError, match="something else"), storage.storage_errors(tmp_path / "a"):
        raise OSError("something else")
