"""Tokens as a person can read them: white space, control and direction characters visible, in figures and on pages."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from coactivation_manifolds.storage import PathLike, read_table

SPACE = "␣"
_NAMED = {"\n": "⏎", "\t": "⇥", "\r": "\\r", "\x00": "\\0", "\u00a0": "\\u00a0"}
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"}
_COMBINING = {"Mn", "Me", "Mc"}
LONGEST = 200
"""Characters of a token's name: a vocabulary may hold texts of any length, and figures and pages cut further."""

EMPTY = "(empty)"
NONE = "(none)"


def readable(text: str | None, *, max_length: int | None = None) -> str:
    r"""Make a token's text visible and harmless on one line.

    Spaces at either end, and runs of them, become ``␣``; a newline ``⏎``, a tab ``⇥``; other control, format and
    direction characters their escape (``\u202e``); a combining mark at the start sits on ``◌``. Nothing is escaped for
    HTML here. ``max_length`` cuts longer texts, with an ellipsis.
    """
    if text is None:
        return NONE
    if text == "":
        return EMPTY
    if max_length is not None and len(text) > 4 * max_length:
        text = text[: 4 * max_length]
    shown = _all_visible(_mark_spaces(text))
    if unicodedata.category(shown[0]) in _COMBINING:
        shown = "◌" + shown
    if max_length is not None and len(shown) > max_length:
        shown = shown[: max_length - 1] + "…"
    return shown


def running(text: str, *, max_length: int = 60) -> str:
    """A token within running text: its spaces stay spaces, all else is as in ``readable``."""
    if len(text) > 4 * max_length:
        text = text[: 4 * max_length]
    shown = _all_visible(text)
    return shown if len(shown) <= max_length else shown[: max_length - 1] + "…"


def _mark_spaces(text: str) -> str:
    inner = text.strip(" ")
    before, after = len(text) - len(text.lstrip(" ")), len(text) - len(text.rstrip(" "))
    if not inner:
        return SPACE * len(text)
    while "  " in inner:
        inner = inner.replace("  ", SPACE * 2)
    return SPACE * before + inner + SPACE * after


def _all_visible(text: str) -> str:
    # what Python calls printable is what is in none of the invisible categories
    return text if text.isprintable() else "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if character == " ":
        return character
    if character in _NAMED:
        return _NAMED[character]
    if unicodedata.category(character) not in _INVISIBLE:
        return character
    return _escape(character)


def _escape(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\u{{{code:x}}}"


def drawable(text: str | None, *, max_length: int | None = None) -> str:
    """``readable``, with characters that the figures' font lacks as escapes, so that none becomes an empty box."""
    from coactivation_manifolds.figures.lettering import font_characters  # pages need no font

    known = font_characters()
    shown = "".join(c if ord(c) in known else _escape(c) for c in readable(text, max_length=max_length))
    if max_length is not None and len(shown) > max_length + 4:
        shown = shown[: max_length + 3] + "…"
    return shown


class TokenNames:
    """Texts of token ids, and the token that each latent fires on most.

    Both may be unknown for imported activations: names are then ``token 17``, and latents have none.
    """

    def __init__(self, vocab: pa.Table | None = None, latent_tokens: pa.Table | None = None) -> None:
        self._texts: pa.ChunkedArray | None = None
        self._ids: npt.NDArray[np.int64] = np.empty(0, np.int64)
        if vocab is not None and vocab.num_rows:
            ids = vocab.column("token_id").to_numpy().astype(np.int64)
            order = np.argsort(ids, kind="stable")
            self._ids = ids[order]
            # cut before they are copied about: nothing shown needs more of a text
            texts = pc.utf8_slice_codeunits(vocab.column("text"), 0, 4 * LONGEST)
            self._texts = texts.take(pa.array(order))
        self._latent_tokens = latent_tokens

    @classmethod
    def read(cls, vocab_path: PathLike | None, latent_tokens_path: PathLike | None) -> TokenNames:
        """Read ``vocab.parquet`` and ``latent_tokens.parquet``, where there are any."""
        vocab = read_table(vocab_path, columns=["token_id", "text"]) if vocab_path else None
        columns = ["feature_id", "rank", "token_id"]
        return cls(vocab, read_table(latent_tokens_path, columns=columns) if latent_tokens_path else None)

    @property
    def has_text(self) -> bool:
        """Whether the text of tokens is known."""
        return self._texts is not None

    @cached_property
    def hold_spaces(self) -> bool:
        """Whether tokens bring the spaces between words along; a plain list of words does not."""
        if self._texts is None:
            return False
        ends = pc.or_(pc.starts_with(self._texts, " "), pc.ends_with(self._texts, " "))
        return bool(pc.any(ends).as_py())

    def texts(self, token_ids: Sequence[int] | npt.NDArray[np.integer]) -> list[str | None]:
        """The text of each token id; None for ids below 0 (none) and where no text is known."""
        ids = np.asarray(token_ids, dtype=np.int64)
        if self._texts is None or len(self._ids) == 0 or len(ids) == 0:
            return [None] * len(ids)
        place = np.minimum(np.searchsorted(self._ids, ids), len(self._ids) - 1)
        known = (self._ids[place] == ids) & (ids >= 0)
        taken: list[str | None] = self._texts.take(pa.array(np.where(known, place, 0))).to_pylist()
        return [text if ok else None for text, ok in zip(taken, known.tolist(), strict=True)]

    def names(self, token_ids: Sequence[int] | npt.NDArray[np.integer]) -> list[str]:
        """A name to show for each token id: its readable text, ``token 17`` where that is unknown."""
        ids = np.asarray(token_ids, dtype=np.int64).tolist()
        texts = self.texts(ids)
        return [
            NONE if i < 0 else readable(text, max_length=LONGEST) if text is not None else f"token {i}"
            for i, text in zip(ids, texts, strict=True)
        ]

    def strongest(self, latents: Iterable[int]) -> list[str | None]:
        """The token that each latent fires on most, readable; None where unknown."""
        wanted = np.fromiter(latents, dtype=np.int64)
        features, tokens = self._best
        if len(features) == 0 or len(wanted) == 0:
            return [None] * len(wanted)
        place = np.minimum(np.searchsorted(features, wanted), len(features) - 1)
        known = features[place] == wanted
        names = self.names(np.where(known, tokens[place], -1))
        return [name if ok else None for name, ok in zip(names, known.tolist(), strict=True)]

    @cached_property
    def _best(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Latents, ascending, and the token id of lowest rank of each (-1 for none)."""
        if self._latent_tokens is None:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        table = self._latent_tokens
        features = table.column("feature_id").to_numpy().astype(np.int64)
        ranks = table.column("rank").to_numpy().astype(np.int64)
        tokens = pc.fill_null(table.column("token_id"), -1).to_numpy().astype(np.int64)
        # one key, since the stable sort passes once over what is in order already, as the file is
        order = np.argsort(features * (int(ranks.max(initial=0)) + 1) + ranks, kind="stable")
        found, first = np.unique(features[order], return_index=True)
        return found, tokens[order][first]
