"""What an experiment with a `training` section learns from: documents, a tokenizer, and where planted, the truth."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from coactivation_manifolds.errors import ConfigError, InputError, nearest
from coactivation_manifolds.schemas import PLANTED_TRUTH
from coactivation_manifolds.storage import PathLike, atomic_path, write_table
from coactivation_manifolds.training.planted_corpus import (
    HARVEST_STREAM,
    RING,
    SIMPLEX,
    TRAINING_STREAM,
    document_texts,
    draw_documents,
    optimal_losses,
    parse_texts,
    planted_processes,
    process_shares,
    truth_table,
)
from coactivation_manifolds.training.python_docs import collect_docstrings, split_documents
from coactivation_manifolds.training.tokenizers import (
    BOS,
    END_OF_TEXT,
    UNKNOWN,
    save_tokenizer,
    train_byte_pair_tokenizer,
    word_tokenizer,
)

log = logging.getLogger(__name__)
RECIPES = ("planted", "python_docs")


def make_training_corpus(
    training: Mapping[str, Any],
    *,
    seed: int,
    training_path: PathLike,
    harvest_path: PathLike,
    tokenizer_folder: Path,
    truth_path: PathLike,
) -> None:
    """Write the documents to train on, those to harvest, the tokenizer, and the planted truth.

    Parameters
    ----------
    training
        The `training` section of an experiment file (config/README.md).
    seed
        Seed of the experiment.
    training_path, harvest_path
        Written: JSONL with a field ``text``; no document is in both.
    tokenizer_folder
        Written: ``tokenizer.json`` and ``tokenizer_config.json``.
    truth_path
        Written: schemas.PLANTED_TRUTH for the harvest documents; empty where nothing is planted.

    Raises
    ------
    ConfigError
        Unknown recipe.
    InputError
        Too little text for the tokens asked for.

    """
    recipe = check_recipe(training)
    files = (training_path, harvest_path, tokenizer_folder, truth_path)
    if recipe == "planted":
        _make_planted(training, seed, *files)
    else:
        _make_python_docs(training, seed, *files)


def check_recipe(training: Mapping[str, Any]) -> str:
    """The recipe's name, checked."""
    recipe = str(training.get("recipe"))
    if recipe not in RECIPES:
        raise ConfigError(f'training.recipe is "{recipe}"{nearest(recipe, RECIPES)}; it may be {" or ".join(RECIPES)}')
    return recipe


def reference_losses(training: Mapping[str, Any], texts: Sequence[str], *, seed: int) -> dict[str, np.ndarray] | None:
    """The losses of a perfect observer, where the source of the text is known exactly.

    Returns
    -------
    dict
        For each group of documents ("ring", "simplex", "background") the rows of ``texts`` in it (int64), and under
        ``losses`` the loss at each word in nats [n_documents, n_words]. None where nothing is planted.

    """
    if check_recipe(training) != "planted":
        return None
    processes = planted_processes(training["planted"], seed=seed)
    documents = parse_texts(texts, processes)
    names = np.array([process.name for process in processes])[documents.process]
    return {
        "ring": np.flatnonzero(names == RING),
        "simplex": np.flatnonzero(names == SIMPLEX),
        "background": np.flatnonzero((names != RING) & (names != SIMPLEX)),
        "losses": optimal_losses(documents, processes, process_shares(training["planted"], processes)),
    }


def write_documents(texts: Iterable[str], path: PathLike) -> None:
    """Write documents as JSONL with a field ``text``, complete or absent."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as handle:
        for text in texts:
            handle.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")


def read_documents(path: PathLike) -> Iterator[str]:
    """The documents of a file written by ``write_documents``."""
    try:
        with Path(path).open(encoding="utf-8") as handle:
            for line in handle:
                yield json.loads(line)["text"]
    except (FileNotFoundError, json.JSONDecodeError, KeyError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is missing or damaged ({error}); delete it and run the same command again") from error


def _make_planted(
    training: Mapping[str, Any],
    seed: int,
    training_path: PathLike,
    harvest_path: PathLike,
    tokenizer_folder: Path,
    truth_path: PathLike,
) -> None:
    settings = training["planted"]
    processes = planted_processes(settings, seed=seed)
    shares = process_shares(settings, processes)
    n_words = int(settings["words_per_document"])
    streams = (
        (training_path, TRAINING_STREAM, int(settings["training_documents"])),
        (harvest_path, HARVEST_STREAM, int(settings["harvest_documents"])),
    )
    for path, stream, n_documents in streams:
        documents = draw_documents(processes, shares, n_documents=n_documents, n_words=n_words, seed=[seed, stream])
        write_documents(document_texts(documents, processes), path)
        log.info("%d documents of %d words to %s", n_documents, n_words, path)
        if stream == HARVEST_STREAM:
            write_table(truth_table(documents, processes), truth_path)
    words = [word for process in processes for word in process.words]
    tokenizer = word_tokenizer(words)
    context = int(training["model"]["context_length"])
    save_tokenizer(tokenizer, tokenizer_folder, bos=BOS, unknown=UNKNOWN, context_length=context)


def _make_python_docs(
    training: Mapping[str, Any],
    seed: int,
    training_path: PathLike,
    harvest_path: PathLike,
    tokenizer_folder: Path,
    truth_path: PathLike,
) -> None:
    settings = training["python_docs"]
    texts = collect_docstrings(settings["packages"], min_characters=int(settings["min_characters"]))
    train, harvest = split_documents(texts, harvest_characters=int(settings["harvest_characters"]), seed=seed)
    log.info("%d documents to train on, %d to harvest", len(train), len(harvest))
    write_documents(train, training_path)
    write_documents(harvest, harvest_path)
    tokenizer = train_byte_pair_tokenizer(train, vocabulary_size=int(settings["vocabulary_size"]))
    context = int(training["model"]["context_length"])
    save_tokenizer(tokenizer, tokenizer_folder, bos=END_OF_TEXT, unknown=None, context_length=context)
    write_table(PLANTED_TRUTH.empty_table(), truth_path)
