"""The planted corpus: documents of one hidden process each, and the exact beliefs after each of their words.

The documents are all that the model, the SAE and the workflow see. The truth goes into a file of its own, which only
the final check reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from coactivation_manifolds.schemas import PLANTED_TRUTH, conform
from coactivation_manifolds.training.planted_processes import (
    BACKGROUND_WORDS,
    FloatArray,
    HiddenMarkovProcess,
    IntArray,
    filled_simplex_process,
    filter_beliefs,
    mess3_process,
    plane_belief,
    ring_process,
    sample_words,
    word_chain,
)

RING = "wind"
SIMPLEX = "mood"
TRAINING_STREAM, HARVEST_STREAM, BACKGROUND_STREAM = 1, 2, 3
Settings = Mapping[str, Any]


@dataclass(frozen=True)
class PlantedDocuments:
    """Documents of planted processes.

    Attributes
    ----------
    process
        Which process each document comes from, int64 [n_documents].
    words
        Indices into that process's words, int64 [n_documents, n_words].

    """

    process: IntArray
    words: IntArray


def planted_processes(settings: Settings, *, seed: int) -> list[HiddenMarkovProcess]:
    """The processes of a corpus: the ring, the simplex, and the background chains, which the seed draws.

    ``settings`` is ``training.planted`` of an experiment file.
    """
    simplex = mess3_process() if settings["simplex"] == "mess3" else filled_simplex_process()
    chains = [
        word_chain(name, words.split(), seed=_chain_seed(seed, number))
        for number, (name, words) in enumerate(BACKGROUND_WORDS.items())
    ]
    return [ring_process(), simplex, *chains]


def _chain_seed(seed: int, number: int) -> int:
    return int(np.random.SeedSequence([seed, BACKGROUND_STREAM, number]).generate_state(1)[0])


def process_shares(settings: Settings, processes: Sequence[HiddenMarkovProcess]) -> FloatArray:
    """The share of documents of each process; the background's share is split evenly over its chains."""
    ring, simplex = float(settings["ring_share"]), float(settings["simplex_share"])
    n_background = len(processes) - 2
    return np.array([ring, simplex, *[(1.0 - ring - simplex) / n_background] * n_background])


def draw_documents(
    processes: Sequence[HiddenMarkovProcess],
    shares: FloatArray,
    *,
    n_documents: int,
    n_words: int,
    seed: Sequence[int],
) -> PlantedDocuments:
    """Draw documents, each from one process chosen by ``shares``; their order is random."""
    chosen = np.random.default_rng([*seed, 0]).choice(len(processes), size=n_documents, p=shares).astype(np.int64)
    words = np.empty((n_documents, n_words), dtype=np.int64)
    for number, process in enumerate(processes):
        rows = np.flatnonzero(chosen == number)
        words[rows] = sample_words(process, n_documents=len(rows), n_words=n_words, seed=[*seed, 1, number])
    return PlantedDocuments(chosen, words)


def document_texts(documents: PlantedDocuments, processes: Sequence[HiddenMarkovProcess]) -> list[str]:
    """The documents as text, words joined by spaces."""
    return [
        " ".join(processes[process].words[word] for word in words)
        for process, words in zip(documents.process.tolist(), documents.words.tolist(), strict=True)
    ]


def parse_texts(texts: Sequence[str], processes: Sequence[HiddenMarkovProcess]) -> PlantedDocuments:
    """The inverse of ``document_texts`` for documents of equal length: the words of processes are disjoint."""
    owner = {word: number for number, process in enumerate(processes) for word in process.words}
    split = [text.split() for text in texts]
    chosen = np.array([owner[words[0]] for words in split], dtype=np.int64)
    lookup = [{word: index for index, word in enumerate(process.words)} for process in processes]
    words = [[lookup[number][word] for word in row] for number, row in zip(chosen.tolist(), split, strict=True)]
    return PlantedDocuments(chosen, np.array(words, dtype=np.int64))


def optimal_losses(
    documents: PlantedDocuments, processes: Sequence[HiddenMarkovProcess], shares: FloatArray
) -> FloatArray:
    """The loss of a perfect observer at each word, in nats, float64 [n_documents, n_words].

    The first word also tells which process the document comes from, since words are disjoint: its loss holds the share.
    """
    losses = np.empty(documents.words.shape)
    for number, process in enumerate(processes):
        rows = np.flatnonzero(documents.process == number)
        losses[rows] = filter_beliefs(process, documents.words[rows])[1]
    losses[:, 0] -= np.log(shares[documents.process])
    return losses


def truth_table(documents: PlantedDocuments, processes: Sequence[HiddenMarkovProcess]) -> pa.Table:
    """The exact belief after each word, as schemas.PLANTED_TRUTH.

    (E cos, E sin) for the ring, (p1, p2, p3) for the simplex; columns that mean nothing for a process are null.
    """
    n_documents, n_words = documents.words.shape
    columns = {name: np.full((n_documents, n_words), np.nan) for name in ("cos", "sin", "p1", "p2", "p3")}
    for number, process in enumerate(processes):
        if process.name not in (RING, SIMPLEX):
            continue
        rows = np.flatnonzero(documents.process == number)
        beliefs = filter_beliefs(process, documents.words[rows])[0]
        values, names = (
            (plane_belief(beliefs), ("cos", "sin")) if process.name == RING else (beliefs, ("p1", "p2", "p3"))
        )
        for column, name in enumerate(names):
            columns[name][rows] = values[..., column]
    names_of = np.array([process.name for process in processes])
    return conform(
        {
            "doc_id": np.repeat(np.arange(n_documents, dtype=np.int64), n_words),
            "position_in_doc": np.tile(np.arange(n_words, dtype=np.int32), n_documents),
            "process": np.repeat(names_of[documents.process], n_words),
            **{name: pa.array(value.ravel(), from_pandas=True) for name, value in columns.items()},
        },
        PLANTED_TRUTH,
    )
