"""Fuzzing imports: Parquet files, .npz files and sparse matrices of others, tables of tokens, paths."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse
from fuzzing import bounded, changed, examples, written
from hypothesis import given
from hypothesis import strategies as st
from workflow_clone import planted_activations, token_major_table

from coactivation_manifolds.activations.importers import rows_told
from coactivation_manifolds.activations.importers.cutting import in_order, open_source
from coactivation_manifolds.corpus.sources import read_documents

N_LATENTS = 60
ROWS = token_major_table(planted_activations(n_tokens=40), words_per_doc=9)
MATRIX = scipy.sparse.csr_array(planted_activations(n_tokens=40).astype(np.float32))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("given")


def import_all(settings: dict[str, Any]) -> None:
    """All that an import reads and checks, without writing it."""
    rows_told(settings)
    source = open_source(settings)
    for rows in in_order(source.blocks()):
        assert rows.n_tokens
        assert rows.n_entries == 0 or rows.feature_ids.max() < N_LATENTS
        assert np.isfinite(rows.activations).all() and (rows.activations > 0).all()
    assert source.vocabulary.column("text").to_pylist() is not None


PARQUETS = [
    written(lambda file, kind=kind: pq.write_table(ROWS, file, compression=kind, row_group_size=17))
    for kind in ("none", "snappy", "zstd")
]


@examples()
@given(content=changed(PARQUETS))
def test_changed_bytes_of_parquet(folder: Path, content: bytes) -> None:
    (folder / "rows.parquet").write_bytes(content)
    with bounded():
        import_all({"format": "parquet", "path": str(folder / "rows.parquet"), "n_latents": N_LATENTS})


KINDS = [
    pa.int8(), pa.int32(), pa.int64(), pa.uint16(), pa.uint64(), pa.float16(), pa.float32(), pa.float64(), pa.bool_(),
    pa.string(), pa.binary(), pa.date32(), pa.timestamp("us"), pa.duration("s"), pa.null(), pa.list_(pa.int64()),
    pa.list_(pa.uint64()), pa.large_list(pa.int32()), pa.list_(pa.float32()), pa.list_(pa.float64()),
    pa.list_(pa.float16()), pa.list_(pa.string()), pa.list_(pa.list_(pa.int32())), pa.list_(pa.int32(), 2),
    pa.struct([("a", pa.int32())]), pa.dictionary(pa.int32(), pa.string()), pa.decimal128(20, 2),
    pa.list_(pa.bool_()), pa.list_(pa.timestamp("us")), pa.map_(pa.string(), pa.int32()),
]  # fmt: skip
COLUMNS = ("doc_id", "token_index", "position_in_doc", "token_id", "feature_ids", "activations", "token", "token_row")


@st.composite
def tables(draw: Callable[..., Any]) -> pa.Table:
    """The columns of an import with any types and values, some of them missing or there twice."""
    n_rows = draw(st.integers(0, 6))
    names = draw(st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=9))
    if draw(st.integers(0, 3)):
        names = list(dict.fromkeys([*COLUMNS[:2], *COLUMNS[4:6], *names]))
    columns = []
    for name in names:
        if name in ROWS.column_names and draw(st.integers(0, 3)):
            columns.append(ROWS.column(name).slice(0, n_rows).combine_chunks())
            continue
        kind = draw(st.sampled_from(KINDS))
        columns.append(column(draw, kind, n_rows))
    return pa.table(columns, names=names)


def column(draw: Callable[..., Any], kind: pa.DataType, n_rows: int) -> Any:
    """A column of a type, of numbers that are cast to it where that can be done, else of nulls."""
    edge = [0, 1, 2, 5, 59, 60, 65_536, 2**31, 2**40, -1]
    inner = st.sampled_from(edge) | st.none()
    nested = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    values = draw(st.lists(st.lists(inner, max_size=3) if nested else inner, min_size=n_rows, max_size=n_rows))
    try:
        return pa.array(values, kind)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return pa.nulls(n_rows, kind)


@examples()
@given(table=tables())
def test_parquet_of_any_types(folder: Path, table: pa.Table) -> None:
    try:
        pq.write_table(table, folder / "rows.parquet")
    except pa.ArrowNotImplementedError:
        return
    with bounded():
        import_all({"format": "parquet", "path": str(folder / "rows.parquet"), "n_latents": N_LATENTS})


def entries() -> dict[str, np.ndarray]:
    """The arrays of npz_shards."""
    tokens, latents = MATRIX.nonzero()
    order = np.lexsort((latents, tokens))
    tokens, latents = tokens[order].astype(np.int64), latents[order]
    values = np.asarray(MATRIX.todense())[tokens, latents]
    return {
        "token_indices": tokens,
        "latent_indices": latents.astype(np.int32),
        "activations": values.astype(np.float16),
        "doc_ids": tokens // 9,
        "token_ids": tokens % 7,
        "positions": tokens % 9,
    }


ENTRIES = entries()
MATRICES = [
    dict(np.load(io.BytesIO(written(lambda file, kind=kind: scipy.sparse.save_npz(file, MATRIX.asformat(kind))))))
    for kind in ("csr", "csc")
]
SHARDS = [written(lambda file: np.savez(file, **ENTRIES)), written(lambda file: np.savez_compressed(file, **ENTRIES))]
SAVED = [written(lambda file, each=each: np.savez_compressed(file, **each)) for each in MATRICES]


@examples()
@given(content=changed(SHARDS))
def test_changed_bytes_of_npz_shards(folder: Path, content: bytes) -> None:
    (folder / "rows.npz").write_bytes(content)
    with bounded():
        import_all({"format": "npz_shards", "path": str(folder / "rows.npz"), "n_latents": N_LATENTS})


@examples()
@given(content=changed(SAVED))
def test_changed_bytes_of_a_matrix(folder: Path, content: bytes) -> None:
    (folder / "matrix.npz").write_bytes(content)
    with bounded():
        import_all({"format": "csr", "path": str(folder / "matrix.npz"), "n_latents": N_LATENTS})


DTYPES = ["i1", "u1", "i4", "u8", "i8", "f2", "f4", "f8", "g", "c8", "?", "S3", "U3", "M8[s]", "m8[s]", "V4", "i4,f4"]


@st.composite
def arrays(draw: Callable[..., Any], right: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Sound arrays of which some are missing, of another type or shape, or hold other numbers."""
    found = dict(right)
    for name in draw(st.lists(st.sampled_from(sorted(right)), min_size=1, max_size=3)):
        array = found.get(name)
        change = draw(st.sampled_from(["drop", "type", "shape", "values", "shorter", "cast", "scalar"]))
        if change == "drop" or array is None:
            found.pop(name, None)
        elif change == "type":
            found[name] = np.zeros(array.shape, draw(st.sampled_from(DTYPES)))
        elif change == "shape":
            found[name] = np.zeros(draw(st.lists(st.integers(0, 3), max_size=3)), array.dtype)
        elif change == "shorter":
            found[name] = array[: draw(st.integers(0, 5))] if array.ndim else array
        elif change == "scalar":
            found[name] = np.array(draw(st.sampled_from([0, -1, 2**62, 0.5, "csr", b"\xff", "coo"])))
        elif change == "cast" and array.dtype.kind in "iuf":
            with np.errstate(all="ignore"):
                found[name] = array.astype(draw(st.sampled_from(["f8", "i1", "u8", "c8", "f2"])))
        elif array.size and array.dtype.kind in "iuf":
            number = draw(st.sampled_from([0, -1, 59, 60, 2**31, 2**40, 2**62]))
            changed_array = array.astype(np.float64 if array.dtype.kind == "f" else np.int64)
            changed_array.reshape(-1)[draw(st.integers(0, array.size - 1))] = number
            found[name] = changed_array
    return found


@examples()
@given(given_arrays=arrays(ENTRIES))
def test_npz_shards_of_any_arrays(folder: Path, given_arrays: dict[str, np.ndarray]) -> None:
    np.savez(folder / "rows.npz", **given_arrays)
    with bounded():
        import_all({"format": "npz_shards", "path": str(folder / "rows.npz"), "n_latents": N_LATENTS})


@examples()
@given(given_arrays=st.sampled_from(MATRICES).flatmap(arrays), tokens=st.booleans())
def test_matrices_of_any_arrays(folder: Path, given_arrays: dict[str, np.ndarray], tokens: bool) -> None:
    np.savez(folder / "matrix.npz", **given_arrays)
    settings: dict[str, Any] = {"format": "csr", "path": str(folder / "matrix.npz"), "n_latents": N_LATENTS}
    if tokens:
        pq.write_table(TOKENS, folder / "tokens.parquet")
        settings |= {"tokens": str(folder / "tokens.parquet")}
    with bounded():
        import_all(settings)


NUMBER = pa.array(range(40))
TOKENS = pa.table(
    {"token_row": NUMBER, "doc_id": NUMBER, "token_id": NUMBER, "token": [f" w{i}" for i in range(40)]},
)
LARGE = TOKENS.set_column(3, "token", TOKENS["token"].cast(pa.large_string()))
TABLES = [TOKENS, TOKENS.drop_columns(["token_id"]), LARGE]
TOKEN_FILES = [written(lambda file, t=t: pq.write_table(t, file, compression="none")) for t in TABLES]


@examples()
@given(content=changed(TOKEN_FILES))
def test_changed_bytes_of_a_table_of_tokens(folder: Path, content: bytes) -> None:
    (folder / "matrix.npz").write_bytes(SAVED[0])
    (folder / "tokens.parquet").write_bytes(content)
    with bounded():
        import_all(
            {
                "format": "csr",
                "path": str(folder / "matrix.npz"),
                "n_latents": N_LATENTS,
                "tokens": str(folder / "tokens.parquet"),
            }
        )


@examples()
@given(
    path=st.text(max_size=20)
    | st.text(alphabet="ab*?[]/.~\x00{}", max_size=12)
    | st.sampled_from(["a" * 300, "a/" * 3_000, "**", "a**b", "/dev/zero", "/dev/stdin", "", ".", "[", "[!a"]),
    kind=st.sampled_from(["parquet", "csr", "npz_shards", "jsonl", "text"]),
)
def test_paths_of_data(folder: Path, monkeypatch: pytest.MonkeyPatch, path: str, kind: str) -> None:
    monkeypatch.chdir(folder)
    with bounded():
        if kind in ("jsonl", "text"):
            list(read_documents({"source": kind, "path": path.replace("..", ".").lstrip("/")}))
        else:
            open_source({"format": kind, "path": path.replace("..", ".").lstrip("/"), "n_latents": N_LATENTS})
