"""Errors that a researcher can act on: each message says what is wrong, where, and what to do.

Every message is one line. The command-line tool turns the class into its exit code; workflow jobs print the line and
exit with 1.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class CoactivationError(Exception):
    """Base of all errors that are about the user's input, files or machine, not about a defect of ours."""

    exit_code = 1


class ConfigError(CoactivationError):
    """The experiment file, a clustering's name or another setting is wrong."""

    exit_code = 2


class InputError(CoactivationError):
    """Data from outside (corpus, model, SAE, imported activations) is missing, damaged or does not fit."""

    exit_code = 3


class ResultsError(CoactivationError):
    """A file under results/ is missing, damaged, of another experiment or of a newer format."""

    exit_code = 4


class GuardRailError(CoactivationError):
    """A check on the run itself failed (reconstruction error, no GPU, numbers out of range)."""

    exit_code = 5


class StorageError(CoactivationError):
    """The disk is full, or a folder can't be written."""

    exit_code = 6


def one_line(message: object, *, length: int = 2_000) -> str:
    r"""A message on one line, as a terminal and a log may show it.

    It can quote names and texts from files of others: what can't be printed becomes its escape (``\x1b``), and what is
    long is cut.
    """
    shown = printable(" ".join(str(message)[: 2 * length].split()))
    return shown if len(shown) <= length else shown[: length - 3] + "..."


def printable(text: str) -> str:
    r"""A text with its control, format and direction characters as escapes: ``\u202e``."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", errors="backslashreplace").decode("ascii") for c in text
    )


def nearest(word: str, known: Iterable[str]) -> str:
    """Say which known word is meant: ``' (did you mean "x"?)'``, or nothing where none is close."""
    matches = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f' (did you mean "{matches[0]}"?)' if matches else ""


@contextmanager
def path_errors(setting: str, given: str) -> Iterator[None]:
    """Turn a path that the system can't even look for (too long, a zero in it, no glob) into an ``InputError``."""
    try:
        yield
    except (OSError, ValueError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{setting}: {given[:200]!r} can't be looked for ({reason}); check the path") from error
