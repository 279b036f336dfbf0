"""Tokenizers made on the spot, saved as transformers does: words for the planted corpus, byte pairs for real text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from coactivation_manifolds.storage import atomic_path, write_text

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

BOS = "<bos>"
UNKNOWN = "<unk>"
END_OF_TEXT = "<|endoftext|>"


def word_tokenizer(words: Sequence[str]) -> Tokenizer:
    """A tokenizer whose tokens are whole words between spaces, after ``<bos>`` and ``<unk>``."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocabulary = {word: number for number, word in enumerate([BOS, UNKNOWN, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens([BOS, UNKNOWN])
    return tokenizer


def train_byte_pair_tokenizer(texts: Iterable[str], *, vocabulary_size: int) -> Tokenizer:
    """Train a byte-level byte-pair tokenizer as GPT-2's.

    No text is unknown to it; ``<|endoftext|>`` is its only special token and stands in front of a context.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: Path, *, bos: str, unknown: str | None, context_length: int) -> None:
    """Write ``tokenizer.json`` and ``tokenizer_config.json`` as transformers reads them.

    Nothing is put in front of a text by the tokenizer itself: whether a context begins with BOS is the SAE's metadata's
    business.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": bos,
        "eos_token": bos,
        "unk_token": unknown,
        "model_max_length": context_length,
        "clean_up_tokenization_spaces": False,
    }
    with atomic_path(folder / "tokenizer.json") as temporary:
        tokenizer.save(str(temporary))
    write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", folder / "tokenizer_config.json")


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Load a tokenizer saved by ``save_tokenizer``, from disk only."""
    from transformers import PreTrainedTokenizerFast

    tokenizer: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(str(folder), local_files_only=True)
    return tokenizer
