"""Documents of a corpus, numbered in its order: from the Hugging Face hub, or from JSONL, text or Parquet files.

A document's number is its place in the source, so empty and skipped documents leave a gap, and the numbers don't depend
on what is done with the others. Local files are read in the order of their paths; one ``.txt`` file is one document.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coactivation_manifolds.corpus.hub_datasets import read_hub_dataset
from coactivation_manifolds.corpus.local_files import find_files, read_jsonl, read_parquet, read_text_file
from coactivation_manifolds.corpus.records import Record, readable_text
from coactivation_manifolds.errors import ConfigError, InputError, nearest

logger = logging.getLogger(__name__)

FileReader = Callable[[Path, str], Iterator[Record]]
LOCAL_READERS: dict[str, FileReader] = {"jsonl": read_jsonl, "text": read_text_file, "parquet": read_parquet}
SOURCES = ("huggingface", *LOCAL_READERS)


@dataclass(frozen=True)
class Document:
    """One document: its number in corpus order and its text."""

    doc_id: int
    text: str


def read_documents(corpus: Mapping[str, Any]) -> Iterator[Document]:
    """The documents of a corpus, one by one, never all in memory.

    A null text is an empty document.

    Parameters
    ----------
    corpus
        The ``corpus`` section of an experiment file.

    Raises
    ------
    ConfigError
        No source is given, or the keys that it needs are missing.
    InputError
        A file, a data set or the text column is missing, a record can't be read, or a document is not UTF-8 (where
        ``invalid_utf8`` is ``error``). The message names file and line or row.

    """
    policy = str(corpus.get("invalid_utf8", "error"))
    n_skipped = 0
    for doc_id, record in enumerate(read_records(corpus)):
        text = readable_text(record, policy=policy)
        if text is None:
            n_skipped += 1
            continue
        yield Document(doc_id, text)
    if n_skipped:
        logger.warning("%d documents were skipped because they are not UTF-8 (corpus.invalid_utf8: skip)", n_skipped)


def read_records(corpus: Mapping[str, Any]) -> Iterator[Record]:
    """The records of a corpus as they lie in the source, text not yet checked."""
    source = corpus.get("source")
    if source not in SOURCES:
        hint = nearest(str(source), SOURCES) if source else ""
        raise ConfigError(f"corpus.source is {source!r}{hint}; it must be one of {', '.join(SOURCES)}")
    if source == "huggingface":
        if not corpus.get("name"):
            raise ConfigError("corpus.name is missing: corpus.source huggingface needs the name of a data set")
        yield from read_hub_dataset(corpus)
        return
    if not corpus.get("path"):
        raise ConfigError(f"corpus.path is missing: corpus.source {source} needs a file, a folder or a glob")
    empty = True
    for file in find_files(str(corpus["path"]), source=source):
        for record in LOCAL_READERS[source](file, str(corpus.get("text_column", "text"))):
            empty = False
            yield record
    if empty:
        raise InputError(f"the corpus is empty: {corpus['path']} holds no document; check corpus.path")
