"""What every import format gives: its files, the number of rows, and the rows as a stream of checked blocks."""

from __future__ import annotations

import glob
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pyarrow as pa

from coactivation_manifolds.activations.token_rows import TokenRows
from coactivation_manifolds.errors import InputError, path_errors
from coactivation_manifolds.schemas import VOCAB

BLOCK_ROWS = 8_192
"""Rows read at once, where the format lets us choose."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Block:
    """Some consecutive rows of one file; ``first_row`` counts from 0 within it."""

    file: str
    first_row: int
    rows: TokenRows


@dataclass(frozen=True)
class FileSpan:
    """A file and the tokens it holds."""

    path: Path
    n_rows: int
    first_token: int
    last_token: int


@dataclass
class Source(ABC):
    """Activations in one of the formats.

    Attributes
    ----------
    files
        All files that decide the rows.
    n_rows
        Tokens in them, known before the rows are read.
    notes
        What a reader of the results should know, e.g. how many stored zeros were dropped; complete once ``blocks`` has
        ended.
    vocabulary
        schemas.VOCAB: texts of token ids, as far as the input tells them.

    """

    files: list[Path]
    n_rows: int
    notes: list[str] = field(default_factory=list, kw_only=True)
    vocabulary: pa.Table = field(default_factory=VOCAB.empty_table, kw_only=True)

    @abstractmethod
    def blocks(self) -> Iterator[Block]:
        """The rows in token_index order, each block checked in itself.

        Raises
        ------
        InputError
            With file and row of what is wrong.

        """


def find_input_files(pattern: str, suffix: str) -> list[Path]:
    """The files of ``activations.path``: a file, all files with the suffix below a folder, or a glob; sorted by name.

    Files and folders whose names begin with "." or "_" are left out of folders, as other readers of Parquet do.

    Raises
    ------
    InputError
        There is none.

    """
    path = Path(pattern)
    with path_errors("activations.path", pattern):
        if path.is_dir():
            files = [
                file
                for file in path.rglob(f"*{suffix}")
                if file.is_file() and not any(part.startswith((".", "_")) for part in file.relative_to(path).parts)
            ]
            sought = f"holds no {suffix} file"
        elif path.exists():
            files, sought = [path], ""
        else:
            found = glob.glob(pattern, recursive=True)  # noqa: PTH207 (Path.glob takes no absolute pattern)
            files = [Path(name) for name in found if Path(name).is_file()]
            sought = "matches no file" if glob.has_magic(pattern) else "does not exist"
    if not files:
        raise InputError(
            f"activations.path: {pattern} {sought}; give a file, a folder or a glob, absolute or relative to "
            f"{Path.cwd()}"
        )
    return sorted(files)


def order_files(spans: Sequence[FileSpan], *, tokens_may_continue: bool = False) -> list[FileSpan]:
    """The files in the order of their tokens, those without rows left out, both said in the log.

    Parameters
    ----------
    spans
        In the order of their names.
    tokens_may_continue
        Whether a file's first token may be the last one of the file before.

    Raises
    ------
    InputError
        Two files hold tokens of one range, or all are empty.

    """
    filled = [span for span in spans if span.n_rows]
    if not filled:
        raise InputError(f"activations.path: the {len(spans)} files hold no rows ({spans[0].path}); nothing to import")
    if len(filled) < len(spans):
        logger.warning("%d of %d files hold no rows and are passed over", len(spans) - len(filled), len(spans))
    ordered = sorted(filled, key=lambda span: (span.first_token, span.last_token))
    if ordered != filled:
        logger.warning("the files are taken in the order of their token_index, which is not that of their names")
    for one, other in pairwise(ordered):
        meets = other.first_token == one.last_token
        if other.first_token < one.last_token or (meets and not tokens_may_continue):
            raise InputError(
                f"{other.path} begins with token_index {other.first_token}, but {one.path} holds {one.first_token} to "
                f"{one.last_token}: the files' tokens must not overlap; number them through, or name one of the files "
                "only"
            )
    return ordered
