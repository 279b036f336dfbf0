"""What a part says of itself: its name, and the record in its Parquet footer by which a job resumes."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coactivation_manifolds.errors import ResultsError
from coactivation_manifolds.storage import PathLike, damaged, open_table

PART_KEY = b"coactivation_part"
PART_NAME = re.compile(r"part-([0-9]{5,10})\.parquet")


@dataclass(frozen=True)
class PartRecord:
    """What a part's Parquet footer says of it; token indices are None where it holds no token."""

    number: int
    shard: int
    n_latents: int
    fingerprint: str
    first_batch: int
    last_batch: int
    rows: int
    entries: int
    first_token_index: int | None
    last_token_index: int | None
    n_raised_to_subnormal: int
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """The file's name in the shard's folder."""
        return part_name(self.number)


def part_name(number: int) -> str:
    """The name of a part: part-00000.parquet."""
    return f"part-{number:05d}.parquet"


def fingerprint_hash(fingerprint: Mapping[str, Any]) -> str:
    """SHA-256 of what decides the numbers of a shard, whatever the order of its keys."""
    text = json.dumps(fingerprint, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def read_part_record(path: PathLike) -> PartRecord:
    """The record in a part's footer.

    Raises
    ------
    InputError
        The file is missing, truncated, or no part of ours.
    ResultsError
        It was written by a newer format version.

    """
    with open_table(path) as parquet:
        metadata = parquet.schema_arrow.metadata or {}
        rows = parquet.metadata.num_rows
    try:
        record = PartRecord(**json.loads(metadata[PART_KEY]))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise damaged(path, "its footer has no record of a part") from error
    if record.rows != rows:
        raise damaged(path, f"its footer speaks of {record.rows} rows, it holds {rows}")
    return record


def part_number(path: Path) -> int:
    """The number in a part's name."""
    match = PART_NAME.fullmatch(path.name)
    if match is None:
        raise ResultsError(f"{path} is no part of a shard (part-00000.parquet)")
    return int(match[1])
