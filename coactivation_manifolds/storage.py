"""The one place where files are written and read: complete or absent, checked, with errors that name the file."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from coactivation_manifolds.disk_errors import storage_errors
from coactivation_manifolds.errors import InputError, ResultsError, StorageError
from coactivation_manifolds.scratch import on_scratch
from coactivation_manifolds.temporaries import flush_to_disk, temporary_file

FORMAT_VERSION = 1
"""Version of the files under results/ (docs/data_format.md); a reader refuses files of a newer one."""

FORMAT_KEY = b"coactivation_format_version"
ZSTD_LEVEL = 5
PathLike = str | os.PathLike[str]

TABLE_ERRORS = (pa.ArrowException, OSError, UnicodeDecodeError, OverflowError)
"""What Arrow raises for bytes that are no Parquet; also a lack of memory, since a damaged page can ask for any."""


@contextmanager
def atomic_path(path: PathLike) -> Iterator[Path]:
    """Give a temporary name, beside ``path`` or on scratch; on success flush it to disk and rename it, else remove it.

    Raises
    ------
    StorageError
        Disk full, or the folder can't be written.

    """
    final = Path(path)
    with storage_errors(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        with temporary_file(final) as temporary:
            with on_scratch(temporary) as written:
                yield written
            flush_to_disk(temporary)
            temporary.replace(final)


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
        schema = parquet.schema_arrow
        names = schema.names
    except PermissionError as error:
        raise StorageError(f"can't read {file}: permission denied; check its owner and mode") from error
    except TABLE_ERRORS as error:
        raise damaged(file, error) from error
    check_format_version((schema.metadata or {}).get(FORMAT_KEY), file)
    if len(set(names)) < len(names):
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise InputError(f"{file} has two columns of the name {twice!r}; give each column a name of its own")
    return parquet


def damaged(path: PathLike, error: object) -> InputError:
    """The error for a file whose bytes can't be right."""
    reason = " ".join(str(error).split())[:200]
    return InputError(f"{path} is damaged or no Parquet file ({reason}); {how_to_restore(path)}")


def how_to_restore(path: PathLike) -> str:
    """What to do about a damaged file: ours are made anew, a user's own must come from where they were got."""
    if "results" not in Path(path).parts:
        return "write it anew, or restore it from where it came"
    return f"delete it and run the same command again: {command_to_restore(path)}"


def command_to_restore(*paths: PathLike) -> str:
    """The command after which the run that met damaged results of ours makes them anew."""
    option = "-r " if any(Path(path).is_dir() for path in paths) else ""
    return f"rm {option}{' '.join(shlex.quote(Path(path).as_posix()) for path in paths)}"


def check_format_version(found: bytes | str | int | None, path: PathLike) -> None:
    """Refuse a file that says it was written by a newer format version; a file that says nothing passes."""
    if found is None:
        return
    try:
        version = int(found)
    except (TypeError, ValueError, OverflowError) as error:
        said = str(found)[:20]
        raise ResultsError(f"{path} says its format version is {said!r}, which is no number; make it anew") from error
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
        except TABLE_ERRORS as error:
            raise damaged(path, error) from error


def check_pages(path: PathLike) -> None:
    """Read a Parquet file through, in pieces, against the checksums of its pages; raises as ``read_table`` does."""
    with open_table(path) as parquet:
        try:
            for _ in parquet.iter_batches(use_threads=False):
                pass
        except TABLE_ERRORS as error:
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
    except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, a number of thousands of digits, or far too deep
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
        # mapped first: that compares the shape in the header with the file's size before memory is asked for
        array: npt.NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
        if not mmap:
            array = np.load(file, allow_pickle=False)
    except PermissionError as error:
        raise StorageError(f"can't read {file}: permission denied; check its owner and mode") from error
    except MemoryError:
        raise
    except Exception as error:  # NumPy's reader of headers raises many kinds
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{file} is damaged or no .npy file ({reason}); {how_to_restore(file)}") from error
    return array


def sha256_file(path: PathLike) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
