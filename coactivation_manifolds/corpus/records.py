"""One record of a corpus, and the check that its text is text."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from coactivation_manifolds.errors import InputError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Record:
    """Content of one document as read, still bytes where the source gives bytes, and where it stands."""

    content: bytes | str | None
    place: str


def readable_text(record: Record, *, policy: str) -> str | None:
    """The text of a record, or None where an unreadable document is skipped.

    Parameters
    ----------
    record
        Bytes that should be UTF-8, or a string (which can hold half surrogates, from JSON escapes), or None: no text.
    policy
        ``error``, ``replace`` (each unreadable byte or half surrogate becomes U+FFFD) or ``skip``.

    Raises
    ------
    InputError
        The text is not UTF-8 and ``policy`` is ``error``.

    """
    if record.content is None:
        return ""
    try:
        if isinstance(record.content, bytes):
            return record.content.decode("utf-8")
        record.content.encode("utf-8")
        return record.content
    except UnicodeError as error:
        if policy == "skip":
            return None
        if policy == "replace":
            if isinstance(record.content, bytes):
                return record.content.decode("utf-8", errors="replace")
            # half surrogates pass through UTF-16, where those that form a pair by chance become one character
            return record.content.encode("utf-16-le", errors="surrogatepass").decode("utf-16-le", errors="replace")
        reason = getattr(error, "reason", str(error))
        where = getattr(error, "start", 0)
        raise InputError(
            f"{record.place}: the document is not UTF-8 ({reason}, at offset {where}); repair it, or set "
            "corpus.invalid_utf8 to replace or skip"
        ) from error
