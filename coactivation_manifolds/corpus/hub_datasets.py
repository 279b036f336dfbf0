"""Documents of a data set on the Hugging Face hub, streamed in its order."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from coactivation_manifolds.corpus.local_files import missing_column
from coactivation_manifolds.corpus.records import Record
from coactivation_manifolds.errors import InputError

logger = logging.getLogger(__name__)


def read_hub_dataset(corpus: Mapping[str, Any]) -> Iterator[Record]:
    """The records of one split, streamed: only what is read is downloaded.

    Raises
    ------
    InputError
        The data set, configuration, split or text column does not exist, or the hub can't be reached.

    """
    import datasets

    name = str(corpus["name"])
    if corpus.get("revision") is None:
        logger.warning(
            "corpus.revision is null: %s may change between runs; set it to a commit to fix the corpus", name
        )
    column = str(corpus.get("text_column", "text"))
    try:
        rows = datasets.load_dataset(
            name,
            corpus.get("config_name"),
            split=str(corpus.get("split", "train")),
            revision=corpus.get("revision"),
            streaming=True,
        )
        records = iter(rows)
    except Exception as error:  # the hub's client raises many kinds, all of them about the name or the network
        raise unreachable(name, error) from error
    number = 0
    while True:
        try:
            row = next(records, None)
        except Exception as error:
            raise unreachable(name, error) from error
        if row is None:
            break
        place = f"data set {name}, row {number}"
        if column not in row:
            raise missing_column(place, column, list(row))
        text = row[column]
        if text is not None and not isinstance(text, (str, bytes)):
            raise InputError(f"{place}: {column!r} is a {type(text).__name__}, where text is expected")
        yield Record(text, place)
        number += 1
    if number == 0:
        raise InputError(f"the corpus is empty: data set {name} holds no row in split {corpus.get('split', 'train')!r}")


def unreachable(name: str, error: Exception) -> InputError:
    """The error for a data set that can't be opened or read on."""
    reason = " ".join(str(error).split())[:300] or type(error).__name__
    return InputError(
        f"can't read data set {name} ({reason}); check corpus.name, config_name, split and revision, and that the hub "
        "can be reached from this machine"
    )
