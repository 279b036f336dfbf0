"""Reading documents from local JSONL, text and Parquet files, one record at a time."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pyarrow as pa

from coactivation_manifolds.corpus.records import Record
from coactivation_manifolds.disk_errors import storage_errors
from coactivation_manifolds.errors import InputError, nearest, path_errors
from coactivation_manifolds.storage import TABLE_ERRORS, damaged, open_table

SUFFIXES = {
    "jsonl": (".jsonl", ".jsonl.gz"),
    "text": (".txt", ".txt.gz"),
    "parquet": (".parquet",),
}
"""Files of a folder that belong to a source; a file or glob named outright may end as it likes."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
ROWS_READ_AT_ONCE = 1024
MAX_DOCUMENT_BYTES = 1 << 26
"""Of one document: 64 MiB, unpacked. Without a bound, a few kilobytes of gzip could fill any memory."""

TEXT_TYPES = (pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary())


def find_files(path: str, *, source: str) -> list[Path]:
    """The files that a path names: itself, those of a folder (with its subfolders) or of a glob, sorted by path.

    Raises
    ------
    InputError
        There is no such file.

    """
    given = Path(path)
    with path_errors("corpus.path", path):
        if given.is_file():
            return [given]
    if given.is_dir():
        endings = SUFFIXES[source]
        found = sorted(file for file in given.rglob("*") if file.is_file() and file.name.endswith(endings))
        if not found:
            raise InputError(
                f"the folder {path} holds no {' or '.join(endings)} file; check corpus.path and corpus.source"
            )
        return found
    anchor = Path(given.anchor)
    with path_errors("corpus.path", path):
        found = sorted(file for file in anchor.glob(str(given.relative_to(given.anchor))) if file.is_file())
    if found:
        return found
    if set(path) & set("*?["):
        raise InputError(f"no file matches {path}; check corpus.path (relative paths start at the working directory)")
    siblings = [file.name for file in given.parent.glob("*")] if given.parent.is_dir() else []
    raise InputError(f"{path} does not exist{nearest(given.name, siblings)}; check corpus.path")


@contextmanager
def open_bytes(file: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading, unpacked where its name ends in ``.gz``.

    Raises
    ------
    InputError
        The file is gone, or is no gzip file, or is cut short.

    """
    try:
        with storage_errors(file, "read"), file.open("rb") as raw:
            if file.name.endswith(".gz"):
                with gzip.GzipFile(fileobj=raw) as unpacked:
                    yield unpacked  # type: ignore[misc]  # reads as IO[bytes] does
            else:
                yield raw
    except FileNotFoundError as error:
        raise InputError(f"{file} does not exist; check corpus.path") from error
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise InputError(f"{file} is damaged or no gzip file ({error}); fetch it again") from error


def read_text_file(file: Path, column: str) -> Iterator[Record]:
    """The one document of a text file; ``column`` has no meaning here."""
    del column
    with open_bytes(file) as handle:
        content = handle.read(MAX_DOCUMENT_BYTES + 1)
        check_length(content, str(file))
        yield Record(content.removeprefix(BYTE_ORDER_MARK), str(file))


def check_length(content: bytes, place: str) -> None:
    """Stop at a document that no context could come near to.

    Raises
    ------
    InputError
        With its place.

    """
    if len(content) > MAX_DOCUMENT_BYTES:
        raise InputError(f"{place}: a document of more than {MAX_DOCUMENT_BYTES:,} bytes; split it into several")


def read_jsonl(file: Path, column: str) -> Iterator[Record]:
    """One document for each line of a JSONL file that is not blank.

    Raises
    ------
    InputError
        A line is too long, is no JSON object, has no such column, or holds something else than text there.

    """
    with open_bytes(file) as handle:
        for number, line in enumerate(iter(lambda: handle.readline(MAX_DOCUMENT_BYTES + 1), b""), start=1):
            place = f"{file}, line {number}"
            check_length(line, place)
            if number == 1:
                line = line.removeprefix(BYTE_ORDER_MARK)
            if line.strip():
                yield Record(text_of_json(line, column, place), place)


def text_of_json(line: bytes, column: str, place: str) -> bytes | str | None:
    """The text column of one JSON line; bytes, with invalid ones still inside, where the line is not UTF-8."""
    try:
        readable = line.decode("utf-8")
        broken = False
    except UnicodeDecodeError:
        # the structure is ASCII: keep the invalid bytes as half surrogates, and give them back inside the text
        readable = line.decode("utf-8", errors="surrogateescape")
        broken = True
    try:
        record = json.loads(readable)
    except (ValueError, RecursionError) as error:  # no JSON, a number of thousands of digits, or far too deep
        raise InputError(
            f"{place}: no JSON ({getattr(error, 'msg', error)}); corpus.source jsonl needs one JSON object a line"
        ) from error
    if not isinstance(record, dict):
        raise InputError(f"{place}: a {type(record).__name__}, where a JSON object is expected")
    if column not in record:
        raise missing_column(place, column, list(record))
    text = record[column]
    if text is not None and not isinstance(text, str):
        raise InputError(f"{place}: {column!r} is a {type(text).__name__}, where text is expected")
    if not broken or text is None:
        return text
    try:
        return text.encode("utf-8", errors="surrogateescape")
    except UnicodeEncodeError:  # an escaped half surrogate besides: no UTF-8 either
        return text.encode("utf-8", errors="surrogatepass")


def missing_column(place: str, column: str, columns: list[str]) -> InputError:
    """The error for a text column that is not there."""
    names = ", ".join(columns) or "none"
    return InputError(
        f"{place}: there is no column {column!r}{nearest(column, columns)}; the columns are: {names}. Set "
        "corpus.text_column"
    )


def read_parquet(file: Path, column: str) -> Iterator[Record]:
    """One document for each row of a Parquet file.

    Raises
    ------
    InputError
        The file is damaged, has no such column, or the column holds something else than text.

    """
    with open_table(file) as parquet:
        schema = parquet.schema_arrow
        if column not in schema.names:
            raise missing_column(str(file), column, schema.names)
        kind = schema.field(column).type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        if kind not in TEXT_TYPES:
            raise InputError(f"{file}: column {column!r} is {kind}, where text is expected; set corpus.text_column")
        row = 0
        try:
            for batch in parquet.iter_batches(batch_size=ROWS_READ_AT_ONCE, columns=[column]):
                values = batch.column(0)
                if pa.types.is_dictionary(values.type):
                    values = values.dictionary_decode()
                # as bytes: Arrow does not check that strings are UTF-8
                for content in values.cast(pa.large_binary()).to_pylist():
                    place = f"{file}, row {row}"
                    check_length(content or b"", place)
                    yield Record(content, place)
                    row += 1
        except TABLE_ERRORS as error:
            raise damaged(file, error) from error
