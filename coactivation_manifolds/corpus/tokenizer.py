"""The tokenizer: loading it from a folder or the hub, what is recorded of it, and its vocabulary as readable text."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coactivation_manifolds.errors import ConfigError, InputError

logger = logging.getLogger(__name__)


def model_source(model: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Where transformers finds a model, and the keywords to load it with; code from the hub is never run.

    Raises
    ------
    ConfigError
        Neither or both of ``name`` and ``path`` are given.
    InputError
        The local folder does not exist.

    """
    name, path = model.get("name"), model.get("path")
    if (name is None) == (path is None):
        raise ConfigError("give either model.name (on the hub) or model.path (a local folder), one of them")
    if path is not None:
        if not Path(path).is_dir():
            raise InputError(
                f"model.path: the folder {path} does not exist; it must hold a model saved by transformers"
            )
        return str(path), {"local_files_only": True, "trust_remote_code": False}
    return str(name), {"revision": model.get("revision") or "main", "trust_remote_code": False}


def cannot_load(what: str, where: str, error: Exception) -> InputError:
    """The error for a model, tokenizer or configuration that transformers can't load."""
    reason = " ".join(str(error).split())[:300] or type(error).__name__
    return InputError(
        f"can't load the {what} of {where} ({reason}); check model.name, model.path and model.revision, that the hub "
        "can be reached, and that you have access to gated models (huggingface-cli login)"
    )


def load_tokenizer(model: Mapping[str, Any]) -> Any:
    """The tokenizer that belongs to a model.

    Raises
    ------
    InputError
        It can't be loaded.

    """
    from transformers import AutoTokenizer

    return _load("tokenizer", AutoTokenizer, model)


def load_model_config(model: Mapping[str, Any]) -> Any:
    """The text part of a model's configuration.

    Raises
    ------
    InputError
        It can't be loaded.

    """
    from transformers import AutoConfig

    return _load("configuration", AutoConfig, model).get_text_config()


def _load(what: str, loader: Any, model: Mapping[str, Any]) -> Any:
    where, keywords = model_source(model)
    try:
        return loader.from_pretrained(where, **keywords)
    except Exception as error:  # transformers raises OSError, ValueError, KeyError, ... for a wrong name or folder
        raise cannot_load(what, where, error) from error


def check_context_length(context_length: int, model: Mapping[str, Any]) -> None:
    """Stop where contexts are longer than the model can see.

    Raises
    ------
    ConfigError
        With the model's own maximum.

    """
    maximum = getattr(load_model_config(model), "max_position_embeddings", None)
    if isinstance(maximum, int) and context_length > maximum:
        where, _ = model_source(model)
        raise ConfigError(
            f"corpus.context_length is {context_length}, but the model {where} sees at most {maximum} tokens; set it "
            f"to {maximum} or less"
        )


def special_token_ids(tokenizer: Any) -> list[int]:
    """Ids of all special tokens, named or only marked as such, sorted."""
    marked = {int(number) for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    return sorted(marked | {int(number) for number in tokenizer.all_special_ids})


def tokenizer_facts(tokenizer: Any) -> dict[str, Any]:
    """What the harvest and a reader need to know of a tokenizer: special ids, size, and a hash of its definition."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    definition = backend.to_str() if backend is not None else json.dumps(tokenizer.get_vocab(), sort_keys=True)
    return {
        "class": type(tokenizer).__name__,
        "n_tokens": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "special_token_ids": special_token_ids(tokenizer),
        "sha256": hashlib.sha256(definition.encode("utf-8", errors="surrogatepass")).hexdigest(),
    }


def tokenize(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    """Token ids of texts, nothing added, nothing cut."""
    encoded = tokenizer(
        texts,
        add_special_tokens=False,
        truncation=False,
        padding=False,
        return_attention_mask=False,
        verbose=False,
    )
    return [list(ids) for ids in encoded["input_ids"]]


def vocabulary(tokenizer: Any) -> list[str]:
    """Readable text of every token id from 0, with a leading space kept; an id that stands for no token gives ''."""
    names = {int(number): piece for piece, number in tokenizer.get_vocab().items()}
    special = set(special_token_ids(tokenizer))
    backend = getattr(tokenizer, "backend_tokenizer", None)
    decoder = backend.decoder if backend is not None else None
    added = {int(number): str(token) for number, token in tokenizer.added_tokens_decoder.items()}
    texts = []
    for number in range(max(names, default=-1) + 1):
        piece = names.get(number)
        if piece is None:
            texts.append("")
        elif number in special or number in added:
            texts.append(added.get(number, piece))
        else:
            texts.append(piece_text(piece, decoder))
    return texts


ANCHOR = "a"
"""Decoded in front of a piece, since some decoders strip the space of the first one."""


def piece_text(piece: str, decoder: Any) -> str:
    r"""Text of one piece of the vocabulary; bytes that are no whole character are written as ``\xe2\x80``.

    Parameters
    ----------
    piece
        As it stands in the vocabulary, e.g. ``Ġthe`` (byte-level BPE) or ``▁the`` (SentencePiece).
    decoder
        The decoder of the tokenizers library that belongs to it; None for a plain list of words.

    """
    if decoder is None:
        return piece.replace("▁", " ")
    text = str(decoder.decode([ANCHOR, piece])).removeprefix(ANCHOR)
    if "\ufffd" not in text or "\ufffd" in piece:
        return text
    if all(character in BYTE_OF_CHARACTER for character in piece):
        return bytes(BYTE_OF_CHARACTER[character] for character in piece).decode("utf-8", errors="backslashreplace")
    return piece


def byte_alphabet() -> dict[str, int]:
    """The byte that each character of a byte-level vocabulary stands for.

    Byte-level BPE (Radford et al., 2019) writes printable bytes as themselves and the others as the characters from
    U+0100 on, in order.
    """
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    alphabet = {chr(byte): byte for byte in printable}
    others = (byte for byte in range(256) if byte not in set(printable))
    alphabet.update({chr(256 + place): byte for place, byte in enumerate(others)})
    return alphabet


BYTE_OF_CHARACTER = byte_alphabet()
