"""The one place where files are written and read: complete or absent, checked, with errors that name the file."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from coactivation_manifolds.errors import InputError, ResultsError, StorageError
from coactivation_manifolds.scratch import on_scratch

FORMAT_VERSION = 1
"""Version of the files under results/ (docs/data_format.md); a reader refuses files of a newer one."""

FORMAT_KEY = b"coactivation_format_version"
ZSTD_LEVEL = 5
PathLike = str | os.PathLike[str]


def is_disk_full(error: OSError) -> bool:
    """Whether an error says so; NumPy reports a short write without a number."""
    short_write = error.errno is None and "requested and" in str(error) and "written" in str(error)
    return short_write or error.errno in (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def storage_errors(path: PathLike, doing: str = "write") -> Iterator[None]:
    """Turn a full disk or a missing permission into a ``StorageError`` that names the file and the remedy."""
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise StorageError(
                f"no space left on the disk while writing {path}: free some space and run the same command again; "
                "finished files are kept"
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise StorageError(
                f"can't {doing} {path}: {os.strerror(error.errno or 0)}; check the owner and mode of its folder"
            ) from error
        raise


@contextmanager
def atomic_path(path: PathLike) -> Iterator[Path]:
    """Give a temporary name, beside ``path`` or on scratch; on success flush it to disk and rename it, else remove it.

    Raises
    ------
    StorageError
        Disk full, or the folder can't be written.

    """
    final = Path(path)
    temporary = final.with_name(f".{final.name}.{uuid.uuid4().hex[:12]}.tmp")
    with storage_errors(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        try:
            with on_scratch(temporary) as written:
                yield written
            with temporary.open("rb+") as handle:
                os.fsync(handle.fileno())
            temporary.replace(final)
        finally:
            temporary.unlink(missing_ok=True)


def write_table(
    table: pa.Table,
    path: PathLike,
    *,
    row_group_size: int | None = None,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write an Arrow table as Parquet (ZSTD level 5, page checksums), complete or absent.

    ``metadata`` goes into the footer beside the format version. The same table gives the same bytes.
    """
    with (
        atomic_path(path) as temporary,
        open_table_writer(temporary, table.schema, metadata=metadata) as writer,
    ):
        writer.write_table(table, row_group_size=row_group_size)


def open_table_writer(
    path: PathLike,
    schema: pa.Schema,
    *,
    metadata: Mapping[str, str] | None = None,
    dictionary_columns: Sequence[str] | None = None,
    statistics_columns: Sequence[str] | None = None,
) -> pq.ParquetWriter:
    """Open a Parquet writer with the project's settings, for tables that are streamed (use within ``atomic_path``).

    ``dictionary_columns`` are the leaf columns whose values may be encoded as numbers of a dictionary,
    ``statistics_columns`` those of which smallest and largest values are noted; None means all.
    """
    footer = {FORMAT_KEY: str(FORMAT_VERSION).encode()}
    footer.update({key.encode(): value.encode() for key, value in (metadata or {}).items()})
    return pq.ParquetWriter(
        path,
        schema.with_metadata(footer),
        compression="zstd",
        compression_level=ZSTD_LEVEL,
        use_dictionary=True if dictionary_columns is None else list(dictionary_columns),
        write_statistics=True if statistics_columns is None else list(statistics_columns),
        write_page_checksum=True,
        store_schema=True,
    )


def open_table(path: PathLike, *, content: bytes | None = None) -> pq.ParquetFile:
    """Open a Parquet file of ours or of a user, page checksums verified at read.

    ``content`` is the file's bytes where they were read already; ``path`` then only names it.

    Raises
    ------
    InputError
        The file is missing, empty, truncated or no Parquet file.
    ResultsError
        The file was written by a newer version of this package.

    """
    file = Path(path)
    if content is None and not file.exists():
        raise InputError(f"{file} does not exist; check the path, or make it first with: snakemake {file}")
    try:
        source = file if content is None else pa.BufferReader(content)
        parquet = pq.ParquetFile(source, page_checksum_verification=True, memory_map=False)
    except PermissionError as error:
        raise StorageError(f"can't read {file}: permission denied; check its owner and mode") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise damaged(file, error) from error
    check_format_version((parquet.schema_arrow.metadata or {}).get(FORMAT_KEY), file)
    return parquet


def damaged(path: PathLike, error: object) -> InputError:
    """The error for a file whose bytes can't be right."""
    reason = " ".join(str(error).split())[:200]
    return InputError(f"{path} is damaged or no Parquet file ({reason}); {how_to_restore(path)}")


def how_to_restore(path: PathLike) -> str:
    """What to do about a damaged file: ours are made anew, a user's own must come from where they were got."""
    ours = "results" in Path(path).parts
    return "delete it and run the same command again" if ours else "write it anew, or restore it from where it came"


def check_format_version(found: bytes | str | int | None, path: PathLike) -> None:
    """Refuse a file that says it was written by a newer format version; a file that says nothing passes."""
    if found is None:
        return
    try:
        version = int(found)
    except (TypeError, ValueError) as error:
        raise ResultsError(f"{path} says its format version is {found!r}, which is no number; make it anew") from error
    if version > FORMAT_VERSION:
        raise ResultsError(
            f"{path} has format version {version}, newer than this package's {FORMAT_VERSION}: "
            "update coactivation-manifolds, or use another results folder"
        )


def read_table(path: PathLike, *, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a Parquet file whole, or some of its columns.

    Raises
    ------
    InputError
        The file is missing, damaged, or lacks a column.

    """
    with open_table(path) as parquet:
        if columns is not None:
            missing = [name for name in columns if name not in parquet.schema_arrow.names]
            if missing:
                raise InputError(
                    f"{path} lacks the column {missing[0]!r}; it has {', '.join(parquet.schema_arrow.names)}"
                )
        try:
            return parquet.read(columns=list(columns) if columns is not None else None)
        except (pa.ArrowInvalid, OSError) as error:
            raise damaged(path, error) from error


def write_json(content: Mapping[str, Any], path: PathLike) -> None:
    """Write a JSON object with the format version, keys in the order given, complete or absent."""
    body = {"format_version": FORMAT_VERSION, **content}
    write_text(json.dumps(body, indent=2, ensure_ascii=False, allow_nan=False) + "\n", path)


def read_json(path: PathLike) -> dict[str, Any]:
    """Read a JSON object written by ``write_json``.

    Raises
    ------
    InputError
        Missing, or not a JSON object.
    ResultsError
        Written by a newer format version.

    """
    file = Path(path)
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{file} does not exist; make it first with: snakemake {file}") from error
    except PermissionError as error:
        raise StorageError(f"can't read {file}: permission denied; check its owner and mode") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{file} is damaged (not JSON: {error}); {how_to_restore(file)}") from error
    if not isinstance(content, dict):
        raise InputError(f"{file} is damaged (not a JSON object); {how_to_restore(file)}")
    check_format_version(content.get("format_version"), file)
    return content


def write_text(text: str, path: PathLike) -> None:
    """Write UTF-8 text, complete or absent."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(content: bytes, path: PathLike) -> None:
    """Write bytes, complete or absent."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_array(array: npt.ArrayLike, path: PathLike) -> None:
    """Write one array as .npy, complete or absent."""
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        np.save(handle, np.asarray(array), allow_pickle=False)


def write_arrays(arrays: Mapping[str, npt.ArrayLike], path: PathLike) -> None:
    """Write named arrays as .npz, complete or absent, the same bytes for the same arrays."""
    import io
    import zipfile

    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, np.asarray(array), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            archive.writestr(entry, buffer.getvalue())


def read_array(path: PathLike, *, mmap: bool = False) -> npt.NDArray[Any]:
    """Read a .npy file, whole or memory-mapped, without pickles.

    Raises
    ------
    InputError
        Missing, truncated or no .npy file.

    """
    file = Path(path)
    if not file.exists():
        raise InputError(f"{file} does not exist; check the path, or make it first with: snakemake {file}")
    try:
        array: npt.NDArray[Any] = np.load(file, mmap_mode="r" if mmap else None, allow_pickle=False)
    except PermissionError as error:
        raise StorageError(f"can't read {file}: permission denied; check its owner and mode") from error
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{file} is damaged or no .npy file ({error}); {how_to_restore(file)}") from error
    return array


def sha256_file(path: PathLike) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
