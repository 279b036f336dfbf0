"""Whether one file can be what its name says: form, columns, types. Files are opened, not loaded."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pyarrow as pa

from coactivation_manifolds.activations.index_files import open_tokens
from coactivation_manifolds.errors import InputError, ResultsError
from coactivation_manifolds.file_kinds import FileKind
from coactivation_manifolds.storage import check_pages, how_to_restore, open_table, read_array, read_json

PNG_BEGINS, PNG_ENDS = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
HTML_ENDS = b"</html>"
END_BYTES = 64


def check_content(path: Path, kind: FileKind | None, *, whole: bool) -> None:
    """Stop at a file that is damaged or not of its kind.

    Parameters
    ----------
    path
        The file.
    kind
        What it should be; None where only its form is known.
    whole
        Also read every page of a table and every entry of an archive, piece by piece, against their checksums: for
        files whose hash no record knows.

    Raises
    ------
    CoactivationError
        In one line what is wrong.

    """
    if path.suffix == ".parquet":
        check_table(path, kind, whole=whole)
    elif path.suffix == ".npy":
        check_array(path, kind)
    elif path.suffix == ".npz":
        check_archive(path, whole=whole)
    elif path.suffix == ".arrow":
        check_columns(path, open_tokens(path).schema, kind)
    elif path.suffix == ".json":
        check_object(path, kind)
    elif path.suffix in (".png", ".html"):
        check_ends(path)


def check_table(path: Path, kind: FileKind | None, *, whole: bool) -> None:
    """A Parquet file: its footer, its columns, and, if wanted, its pages."""
    with open_table(path) as parquet:
        check_columns(path, parquet.schema_arrow, kind)
    if whole:
        check_pages(path)


def check_columns(path: Path, found: pa.Schema, kind: FileKind | None) -> None:
    """The columns that the kind must have; more are allowed."""
    faults = [fault_of(found, schema) for schema in kind.schemas] if kind is not None else []
    if faults and all(faults):
        raise ResultsError(f"{path}: {faults[0]}")


def fault_of(found: pa.Schema, wanted: pa.Schema) -> str | None:
    """The first column that is missing or of another type; None where all are right."""
    for field in wanted:
        if field.name not in found.names:
            return f"the column {field.name!r} is missing"
        if found.field(field.name).type != field.type:
            return f"column {field.name!r} is {found.field(field.name).type}, expected {field.type}"
    return None


def check_array(path: Path, kind: FileKind | None) -> None:
    """An array: its header, its length, its type."""
    array = read_array(path, mmap=True)
    if kind is not None and kind.dtype and array.dtype.name not in kind.dtype:
        raise ResultsError(f"{path} holds {array.dtype.name}, expected {' or '.join(kind.dtype)}")


def check_archive(path: Path, *, whole: bool) -> None:
    """An archive of arrays: its directory, and, if wanted, the checksum of every entry."""
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip() if whole else None
    except (zipfile.BadZipFile, OSError) as error:
        raise InputError(f"{path} is damaged or no .npz file ({error}); {how_to_restore(path)}") from error
    if broken is not None:
        raise InputError(f"{path} is damaged: its entry {broken} has another checksum; {how_to_restore(path)}")


def check_object(path: Path, kind: FileKind | None) -> None:
    """A JSON object and its keys."""
    content = read_json(path)
    lacking = [key for key in kind.keys if key not in content] if kind is not None else []
    if lacking:
        raise ResultsError(f"{path} lacks the key {lacking[0]!r}")


def check_ends(path: Path) -> None:
    """A picture or a page: how it begins and ends."""
    size = path.stat().st_size
    with path.open("rb") as handle:
        begins = handle.read(END_BYTES)
        handle.seek(max(0, size - END_BYTES))
        ends = handle.read()
    if path.suffix == ".png":
        right = begins.startswith(PNG_BEGINS) and ends.endswith(PNG_ENDS)
    else:
        right = ends.rstrip().endswith(HTML_ENDS)
    if not right:
        raise InputError(f"{path} is cut short or no {path.suffix[1:].upper()} file")
