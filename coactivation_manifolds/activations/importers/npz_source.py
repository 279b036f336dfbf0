"""Import format ``npz_shards``: .npz files with one entry for each firing, as some explorers of activations write them.

Each file holds arrays of one length: token_indices, latent_indices, activations, doc_ids, and maybe token_ids and
positions. Entries are ordered by token, then latent; a token's entries may go on in the next file. Tokens on which
nothing fires have no entry and so are unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.activations.importers.npz_files import read_members, whole_numbers
from coactivation_manifolds.activations.importers.source import (
    BLOCK_ROWS,
    Block,
    FileSpan,
    Source,
    find_input_files,
    order_files,
)
from coactivation_manifolds.activations.token_rows import NULL, TokenRows, entry_columns
from coactivation_manifolds.errors import InputError

REQUIRED = ("token_indices", "latent_indices", "activations", "doc_ids")
OPTIONAL = ("token_ids", "positions")
OF_TOKENS = ("doc_ids", *OPTIONAL)

Entries = dict[str, npt.NDArray[Any]]


class NpzSource(Source):
    """A folder of .npz files with one entry for each firing."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._n_latents = int(settings["n_latents"])
        files = find_input_files(settings["path"], ".npz")
        self._spans = order_files([scan_file(path) for path in files], tokens_may_continue=True)
        continued = sum(other.first_token == one.last_token for one, other in pairwise(self._spans))
        n_rows = sum(span.n_rows for span in self._spans) - continued
        super().__init__(files=files, n_rows=n_rows)
        absent = self._spans[-1].last_token - self._spans[0].first_token + 1 - n_rows
        if absent:
            self.notes.append(
                f"{absent} of the token_indices between the first and the last have no entry: tokens on which nothing "
                "fires, or special tokens; they are not counted as tokens"
            )

    def blocks(self) -> Iterator[Block]:
        """The rows, file by file; a token that goes on in the next file is put together."""
        carried: Entries | None = None
        first_row = 0
        for number, span in enumerate(self._spans):
            entries = read_entries(span.path)
            n_carried = 0
            if carried is not None:
                n_carried = len(carried["token_indices"])
                entries = join(carried, entries, span.path)
                carried = None
            following = self._spans[number + 1].first_token if number + 1 < len(self._spans) else None
            if following == span.last_token:
                cut = int(np.searchsorted(entries["token_indices"], span.last_token))
                carried = {name: array[cut:] for name, array in entries.items()}
                entries = {name: array[:cut] for name, array in entries.items()}
            first_row = 0
            for rows in rows_of_entries(entries, span.path, n_latents=self._n_latents, first_entry=-n_carried):
                rows.check(source=str(span.path), first_row=first_row)
                yield Block(str(span.path), first_row, rows)
                first_row += rows.n_tokens


def scan_file(path: Path) -> FileSpan:
    """Which tokens a file holds.

    Raises
    ------
    InputError
        Lacking an array, or tokens out of order.

    """
    tokens = whole_numbers(read_members(path, ["token_indices"])["token_indices"], "token_indices", path)
    steps = np.diff(tokens)
    wrong = np.flatnonzero(steps < 0)
    if wrong.size:
        entry = int(wrong[0]) + 1
        raise InputError(
            f"{path}, entry {entry}: token_indices {tokens[entry]} follows {tokens[entry - 1]}; sort the entries by "
            "token_indices, then latent_indices"
        )
    if not len(tokens):
        return FileSpan(path, 0, -1, -1)
    return FileSpan(path, int(np.count_nonzero(steps)) + 1, int(tokens[0]), int(tokens[-1]))


def read_entries(path: Path) -> Entries:
    """All arrays of a file, of one length.

    Raises
    ------
    InputError
        Lacking an array, of different lengths, or not numbers.

    """
    entries = read_members(path, REQUIRED, optional=OPTIONAL)
    length = len(np.atleast_1d(entries["token_indices"]))
    for name, array in entries.items():
        if array.ndim != 1 or len(array) != length:
            raise InputError(
                f"{path}: {name} has the shape {array.shape}, token_indices {entries['token_indices'].shape}; give one "
                "entry for each firing in every array"
            )
        if name in OF_TOKENS or name == "token_indices":
            entries[name] = whole_numbers(array, name, path)
        elif name == "latent_indices" and array.dtype.kind not in "iu":
            raise InputError(f"{path}: latent_indices holds {array.dtype}, expected integers")
        elif name == "activations" and array.dtype.kind not in "iuf":
            raise InputError(f"{path}: activations holds {array.dtype}, expected float16 or float32")
    return entries


def join(one: Entries, other: Entries, path: Path) -> Entries:
    """Entries of a token's beginning with those of the file in which it goes on.

    Raises
    ------
    InputError
        The files don't hold the same arrays.

    """
    if one.keys() != other.keys():
        differing = sorted(one.keys() ^ other.keys())[0]
        raise InputError(f"{path}: {differing} is in some files and not in others; give it in all or none")
    return {name: np.concatenate([array, other[name]]) for name, array in one.items()}


def rows_of_entries(entries: Entries, path: Path, *, n_latents: int, first_entry: int) -> Iterator[TokenRows]:
    """Entries as rows, in blocks; ``first_entry`` is the number of the first one in the file, for messages.

    Raises
    ------
    InputError
        A token with two documents, positions or ids; an id or value out of range.

    """
    tokens = entries["token_indices"]
    if not len(tokens):
        return
    starts = np.flatnonzero(np.diff(tokens, prepend=tokens[0] - 1))
    bounds = np.append(starts, len(tokens))
    for name in OF_TOKENS:
        if name in entries:
            check_constant(entries[name], bounds, name, path, first_entry)
    for first in range(0, len(starts), BLOCK_ROWS):
        last = min(first + BLOCK_ROWS, len(starts))
        low, high = int(bounds[first]), int(bounds[last])

        def place(entry: int, low: int = low) -> str:
            return f"{path}, entry {first_entry + low + entry} (token_indices {tokens[low + entry]})"

        def of_tokens(name: str, first: int = first, last: int = last) -> npt.NDArray[np.int32]:
            if name not in entries:
                return np.full(last - first, NULL, np.int32)
            return entries[name][starts[first:last]].astype(np.int32)

        yield TokenRows(
            doc_id=entries["doc_ids"][starts[first:last]],
            token_index=tokens[starts[first:last]],
            position_in_doc=of_tokens("positions"),
            token_id=of_tokens("token_ids"),
            offsets=bounds[first : last + 1] - low,
            n_latents=n_latents,
            **entry_columns(
                entries["latent_indices"][low:high], entries["activations"][low:high], n_latents=n_latents, place=place
            ),
        )


def check_constant(
    values: npt.NDArray[np.int64], bounds: npt.NDArray[np.int64], name: str, path: Path, first_entry: int
) -> None:
    """Stop where the entries of one token differ in what belongs to the token, or it is beyond int32.

    Raises
    ------
    InputError
        Naming the entry.

    """
    if name != "doc_ids" and values.max() > np.iinfo(np.int32).max:
        raise InputError(f"{path}: {name} holds {values.max()}, a number beyond int32; renumber it")
    changes = np.diff(values, prepend=values[0]) != 0
    changes[bounds[:-1]] = False
    if changes.any():
        entry = int(np.flatnonzero(changes)[0])
        raise InputError(
            f"{path}, entry {first_entry + entry}: {name} is {values[entry]}, but {values[entry - 1]} in the entry "
            "before, of the same token; give each token one"
        )
