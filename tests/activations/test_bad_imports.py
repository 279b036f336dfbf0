import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse
from dense_rows import random_dense, rows_from_dense
from import_files import entries_of, run_import, settings_of, write_csr, write_npz_shards, write_parquet

from coactivation_manifolds.activations.token_rows import TokenRows
from coactivation_manifolds.errors import InputError


@pytest.fixture
def rows() -> TokenRows:
    """Twenty tokens, two latents of four on each."""
    dense = np.zeros((20, 4), np.float16)
    dense[:, [1, 3]] = 1 + np.arange(40).reshape(20, 2)
    return rows_from_dense(dense)


def import_error(settings: dict[str, Any], folder: Path) -> str:
    """The one line of a failing import, which leaves nothing behind."""
    with pytest.raises(InputError) as caught:
        run_import(settings, folder)
    assert "\n" not in str(caught.value)
    assert not list(folder.glob("activations/*"))
    return str(caught.value)


def with_entry(rows: TokenRows, name: str, entry: int, value: Any) -> TokenRows:
    """One entry replaced."""
    array = np.array(getattr(rows, name), copy=True)
    array[entry] = value
    return dataclasses.replace(rows, **{name: array})


ROW_FAULTS: list[tuple[Callable[[TokenRows], TokenRows], str]] = [
    (lambda rows: with_entry(rows, "activations", 30, np.nan), "an activation is NaN"),
    (lambda rows: with_entry(rows, "activations", 30, np.inf), "beyond float16's range"),
    (lambda rows: with_entry(rows, "activations", 30, -2), "an activation is negative (-2)"),
    (lambda rows: with_entry(rows, "feature_ids", 30, 4), "feature id 4 is not in 0..3"),
    (lambda rows: with_entry(rows, "feature_ids", 30, 3), "feature id 3 stands twice on token_index 30"),
    (lambda rows: with_entry(rows, "feature_ids", 31, 0), "feature id 0 follows 1 on token_index 30"),
    (lambda rows: with_entry(rows, "doc_id", slice(15, 20), 1), "doc_id 1 follows 2"),
    (lambda rows: with_entry(rows, "position_in_doc", 17, 1), "position_in_doc 1 follows 1 in document 3"),
]


@pytest.mark.parametrize("kind", ["parquet", "csr", "npz_shards"])
@pytest.mark.parametrize(("change", "message"), ROW_FAULTS, ids=[message for _, message in ROW_FAULTS])
def test_wrong_rows_in_every_format(
    kind: str, change: Callable[[TokenRows], TokenRows], message: str, rows: TokenRows, tmp_path: Path
) -> None:
    bad = change(rows)
    if kind == "parquet":
        write_parquet(tmp_path / "data", bad, 12)
    elif kind == "npz_shards":
        write_npz_shards(tmp_path / "data", bad, 27)
    else:
        # scipy would sort and sum, so the arrays are saved as they are
        write_csr(tmp_path / "data", bad if "feature id" not in message else rows)
        arrays = dict(np.load(tmp_path / "data/matrix.npz"))
        arrays |= {"indices": bad.feature_ids.astype(np.int32), "data": bad.activations.astype(np.float32)}
        np.savez(tmp_path / "data/matrix.npz", **arrays)
    error = import_error(settings_of(kind, tmp_path / "data", 4), tmp_path)
    assert message in error
    assert str(tmp_path / "data") in error


@pytest.mark.parametrize("kind", ["parquet", "npz_shards"])
@pytest.mark.parametrize("size", [12, 1000], ids=["at the border of two files", "in one file"])
def test_tokens_out_of_order(kind: str, size: int, rows: TokenRows, tmp_path: Path) -> None:
    bad = with_entry(rows, "token_index", 12, 3)
    write = write_parquet if kind == "parquet" else write_npz_shards
    write(tmp_path / "data", bad, size if kind == "parquet" else 2 * size)
    error = import_error(settings_of(kind, tmp_path / "data", 4), tmp_path)
    if size == 1000:
        assert "3 follows 22; sort" in error
    else:
        assert "begins with token_index 3" in error and "must not overlap" in error


def test_the_same_file_twice(rows: TokenRows, tmp_path: Path) -> None:
    write_parquet(tmp_path / "data", rows, 20)
    (tmp_path / "data/copy.parquet").write_bytes((tmp_path / "data/000.parquet").read_bytes())
    assert "must not overlap" in import_error(settings_of("parquet", tmp_path / "data", 4), tmp_path)


def test_duplicate_tokens_in_parquet(rows: TokenRows, tmp_path: Path) -> None:
    write_parquet(tmp_path / "data", with_entry(rows, "token_index", 12, 22), 20)
    error = import_error(settings_of("parquet", tmp_path / "data", 4), tmp_path)
    assert "row 12: token_index 22 stands twice" in error


def test_disorder_between_blocks_of_files(rows: TokenRows, tmp_path: Path) -> None:
    write_parquet(tmp_path / "data", with_entry(rows, "doc_id", slice(12, 15), 1), 12)
    error = import_error(settings_of("parquet", tmp_path / "data", 4), tmp_path)
    assert "001.parquet, row 0: doc_id 1 follows 2" in error


@pytest.mark.parametrize(
    ("kind", "path", "message"),
    [
        ("parquet", "nowhere.parquet", "does not exist"),
        ("parquet", "nowhere/*.parquet", "matches no file"),
        ("npz_shards", "empty", "holds no .npz file"),
        ("csr", "nowhere.npz", "does not exist"),
    ],
)
def test_missing_input(kind: str, path: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    settings = {"format": kind, "path": str(tmp_path / path), "n_latents": 4, "shards": 1, "tokens": None}
    error = import_error(settings, tmp_path)
    assert error.startswith("activations.path") and message in error


@pytest.mark.parametrize("kind", ["parquet", "csr", "npz_shards"])
@pytest.mark.parametrize("damage", ["truncated", "empty", "text"])
def test_damaged_files(kind: str, damage: str, rows: TokenRows, tmp_path: Path) -> None:
    {"parquet": write_parquet, "npz_shards": write_npz_shards}.get(kind, lambda *a: write_csr(*a[:2]))(
        tmp_path / "data", rows, 100
    )
    name = {"parquet": "000.parquet", "csr": "matrix.npz", "npz_shards": "shard_00000.npz"}[kind]
    path = tmp_path / "data" / name
    content = path.read_bytes()
    path.write_bytes({"truncated": content[: len(content) // 2], "empty": b"", "text": b"hello " * 50}[damage])
    error = import_error(settings_of(kind, tmp_path / "data", 4), tmp_path)
    assert name in error and "damaged" in error


def test_damage_in_the_middle_of_parquet(tmp_path: Path) -> None:
    rows = rows_from_dense(random_dense(0, n_tokens=2_000, n_latents=16))
    path = tmp_path / "mine.parquet"
    pq.write_table(rows.to_table(), path, compression="zstd", write_page_checksum=True)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    assert "damaged" in import_error(settings_of("parquet", path, 16), tmp_path)


def test_parquet_without_a_needed_column(rows: TokenRows, tmp_path: Path) -> None:
    pq.write_table(rows.to_table().drop_columns(["activations"]), tmp_path / "mine.parquet")
    error = import_error(settings_of("parquet", tmp_path / "mine.parquet", 4), tmp_path)
    assert "lacks the column 'activations'" in error and "found are doc_id" in error


def test_lists_of_different_lengths(rows: TokenRows, tmp_path: Path) -> None:
    table = rows.to_table()
    values = table.column("activations").to_pylist()
    values[7] = values[7][:1]
    table = table.set_column(5, "activations", pa.array(values, pa.list_(pa.float32())))
    pq.write_table(table, tmp_path / "mine.parquet")
    error = import_error(settings_of("parquet", tmp_path / "mine.parquet", 4), tmp_path)
    assert "row 7: 2 feature_ids but 1 activations" in error


# csr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": np.array([20, 5])}, "has the shape 20 x 5, expected tokens x activations.n_latents = 4"),
        ({"shape": np.array([4, 20])}, "it looks transposed"),
        ({"format": np.array(b"coo")}, "format 'coo'; save it as matrix.tocsr()"),
        ({"indptr": np.arange(20)}, "don't fit together"),
        ({"indptr": np.arange(21) * 2.0}, "indptr holds float64"),
        ({"data": np.zeros(40, np.complex64)}, "data holds complex64"),
        ({"data": None}, "lacks the array 'data'"),
    ],
)
def test_wrong_matrices(change: dict[str, Any], message: str, rows: TokenRows, tmp_path: Path) -> None:
    write_csr(tmp_path, rows)
    arrays = dict(np.load(tmp_path / "matrix.npz")) | change
    np.savez(tmp_path / "matrix.npz", **{name: array for name, array in arrays.items() if array is not None})
    assert message in import_error(settings_of("csr", tmp_path, 4), tmp_path)


def test_column_matrices_are_checked_before_they_are_turned(rows: TokenRows, tmp_path: Path) -> None:
    write_csr(tmp_path, rows, kind="csc")
    arrays = dict(np.load(tmp_path / "matrix.npz"))
    arrays["indices"] = np.where(np.arange(40) == 5, 20, arrays["indices"])
    np.savez(tmp_path / "matrix.npz", **arrays)
    assert "row index 20 is not in 0..19" in import_error(settings_of("csr", tmp_path, 4), tmp_path)


def test_several_matrices(rows: TokenRows, tmp_path: Path) -> None:
    write_csr(tmp_path / "data", rows)
    (tmp_path / "data/other.npz").write_bytes((tmp_path / "data/matrix.npz").read_bytes())
    settings = settings_of("csr", tmp_path / "data", 4) | {"path": str(tmp_path / "data/*.npz")}
    assert "names 2 files" in import_error(settings, tmp_path)


def test_a_matrix_without_rows(tmp_path: Path) -> None:
    scipy.sparse.save_npz(tmp_path / "matrix.npz", scipy.sparse.csr_array((0, 4), dtype=np.float32))
    assert "has no rows" in import_error(settings_of("csr", tmp_path, 4, tokens=None), tmp_path)


def test_a_single_array_is_no_archive(tmp_path: Path) -> None:
    with (tmp_path / "matrix.npz").open("wb") as handle:
        np.save(handle, np.zeros(3))
    assert "holds a single array" in import_error(settings_of("csr", tmp_path, 4, tokens=None), tmp_path)


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "matrix.npz", format=np.array({"a": 1}, dtype=object), shape=[1, 4], data=[], indices=[], indptr=[0]
    )
    assert "damaged or no .npz file of plain arrays" in import_error(
        settings_of("csr", tmp_path, 4, tokens=None), tmp_path
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.slice(1), "has 19 rows, the matrix 20"),
        (
            lambda table: table.set_column(0, "token_row", pa.array(np.arange(20)[::-1])),
            "row 0: token_row is 19; sort the table so that it is 0",
        ),
        (lambda table: table.set_column(1, "doc_id", pa.array([None] * 20, pa.int64())), "row 0: doc_id is null"),
        (lambda table: table.set_column(2, "token_index", pa.array([0] * 20)), "row 1: token_index 0 stands twice"),
    ],
)
def test_wrong_token_tables(
    change: Callable[[pa.Table], pa.Table], message: str, rows: TokenRows, tmp_path: Path
) -> None:
    write_csr(tmp_path, rows)
    pq.write_table(change(pq.read_table(tmp_path / "tokens.parquet")), tmp_path / "tokens.parquet")
    assert message in import_error(settings_of("csr", tmp_path, 4), tmp_path)


# npz_shards


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"doc_ids": None}, "lacks the array 'doc_ids'; it has activations, latent_indices"),
        ({"latent_indices": np.ones(39, np.int32)}, "latent_indices has the shape (39,)"),
        ({"latent_indices": np.ones(40)}, "latent_indices holds float64"),
        ({"token_indices": np.ones(40)}, "token_indices holds float64"),
        ({"token_indices": np.ones((40, 1), np.int64)}, "token_indices has 2 dimensions"),
        ({"activations": np.array(["x"] * 40)}, "activations holds <U1"),
        ({"positions": np.full(40, -1)}, "entry 0: positions is -1"),
        ({"token_ids": np.full(40, 2**40)}, "beyond int32"),
        ({"doc_ids": np.arange(40) // 3}, "doc_ids is 1, but 0 in the entry before, of the same token"),
        ({"latent_indices": np.tile([1, -3], 20)}, "entry 1 (token_indices 0): feature id -3"),
    ],
)
def test_wrong_entries(change: dict[str, Any], message: str, rows: TokenRows, tmp_path: Path) -> None:
    arrays = {name: array for name, array in (entries_of(rows) | change).items() if array is not None}
    np.savez(tmp_path / "shard.npz", **arrays)
    assert message in import_error(settings_of("npz_shards", tmp_path, 4), tmp_path)


def test_arrays_that_only_some_files_hold(rows: TokenRows, tmp_path: Path) -> None:
    write_npz_shards(tmp_path / "data", rows, 27)
    path = tmp_path / "data/shard_00001.npz"
    arrays = dict(np.load(path))
    del arrays["token_ids"]
    np.savez(path, **arrays)
    assert "token_ids is in some files and not in others" in import_error(
        settings_of("npz_shards", tmp_path / "data", 4), tmp_path
    )


def test_a_token_that_goes_on_in_the_next_file_is_checked_as_one(rows: TokenRows, tmp_path: Path) -> None:
    latents = entries_of(rows)["latent_indices"].copy()
    latents[27] = 0
    write_npz_shards(tmp_path / "data", rows, 27, latent_indices=latents)
    error = import_error(settings_of("npz_shards", tmp_path / "data", 4), tmp_path)
    assert "feature id 0 follows 1 on token_index 26" in error
