"""Files written on the node's own disk first: whole or absent in their place, nothing left on scratch."""

import errno

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coactivation_manifolds.errors import StorageError
from coactivation_manifolds.scratch import SCRATCH, on_scratch
from coactivation_manifolds.storage import atomic_path, write_table

TABLE = pa.table({"a": [1, 2, 3]})


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("OF_THE_NODE", str(folder))
    monkeypatch.setenv(SCRATCH, "$OF_THE_NODE")
    return folder


def test_without_the_variable_files_are_written_in_place(tmp_path, monkeypatch):
    monkeypatch.delenv(SCRATCH, raising=False)
    with on_scratch(tmp_path / "file") as written:
        assert written == tmp_path / "file"


def test_a_table_is_the_same_by_way_of_scratch(tmp_path, scratch, monkeypatch):
    with atomic_path(tmp_path / "file") as written:
        assert written.is_relative_to(scratch)
        written.write_text("content", encoding="utf-8")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "content"
    write_table(TABLE, tmp_path / "by_scratch.parquet")
    monkeypatch.delenv(SCRATCH)
    write_table(TABLE, tmp_path / "in_place.parquet")
    assert (tmp_path / "by_scratch.parquet").read_bytes() == (tmp_path / "in_place.parquet").read_bytes()
    assert pq.read_table(tmp_path / "by_scratch.parquet") == TABLE
    assert list(scratch.iterdir()) == []


def test_what_fails_leaves_nothing(tmp_path, scratch):
    with pytest.raises(ValueError, match="in mid-work"), atomic_path(tmp_path / "file") as written:
        written.touch()
        raise ValueError("in mid-work")
    assert list(tmp_path.iterdir()) == [scratch]
    assert list(scratch.iterdir()) == []


def test_a_full_scratch_is_named(tmp_path, scratch):
    message = f"no space left in {scratch} on .* \\({SCRATCH}\\)"
    with pytest.raises(StorageError, match=message), atomic_path(tmp_path / "file"):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_folder_that_the_node_lacks_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv(SCRATCH, str(tmp_path / "absent"))
    message = f"{SCRATCH} is .*absent, but .* can't be written on .*: No such file"
    with pytest.raises(StorageError, match=message), atomic_path(tmp_path / "file"):
        pass
