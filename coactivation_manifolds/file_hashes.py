"""Hashes of files as provenance records them: each file is read through once, by the job that wrote it.

A file is described by its path, its size and its SHA-256; a larger one also by the SHA-256 of a sample of its bytes.
Where a job reads a large file whose description stands in the record of another job, with the same size and sample, the
SHA-256 is taken from there. (Times of change would not do: Snakemake sets them anew when a job has ended.)
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from coactivation_manifolds.errors import CoactivationError
from coactivation_manifolds.file_kinds import kind_of
from coactivation_manifolds.paths import PROVENANCE
from coactivation_manifolds.storage import read_json, sha256_file

BLOCKS, BLOCK_BYTES = 16, 1 << 16
"""A sample: blocks at even distances, the first and the last bytes among them."""

WHOLE_BYTES = 256 << 20
"""Largest file made elsewhere that is hashed whole: a model's weights may be tens of gigabytes on a slow disk."""

HASHING_THREADS = 2
READERS_OF_OTHERS = ("plan_corpus", "import_activations", "describe_sae")
"""Jobs without wildcards that read what was made elsewhere: their records know its hashes."""

Described = dict[str, Any]


def has_sample(size: int) -> bool:
    """Whether a file is larger than its sample would be."""
    return size > BLOCKS * BLOCK_BYTES


def sha256_of_sample(path: Path, size: int) -> str:
    """SHA-256 of 16 blocks of 64 KiB: it tells two large files apart, not every change of one."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        for block in range(BLOCKS):
            handle.seek((size - BLOCK_BYTES) * block // (BLOCKS - 1))
            digest.update(handle.read(BLOCK_BYTES))
    return digest.hexdigest()


def describe_output(path: Path) -> Described:
    """Size and hashes of a file that this job has written."""
    size = path.stat().st_size
    described = {"path": path.as_posix(), "size": size, "sha256": sha256_file(path)}
    return described | ({"sha256_of_sample": sha256_of_sample(path, size)} if has_sample(size) else {})


def describe_outputs(paths: Iterable[str]) -> list[Described]:
    """All files that a job has written, those in its folders included."""
    with ThreadPoolExecutor(HASHING_THREADS) as pool:  # hashing lets go of the interpreter
        return list(pool.map(describe_output, all_files(paths)))


def all_files(paths: Iterable[str]) -> Iterator[Path]:
    """The files among paths, and those below the folders among them; hidden ones are Snakemake's own."""
    for path in map(Path, paths):
        if path.is_dir():
            yield from sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
        elif path.is_file():
            yield path


class KnownFiles:
    """Descriptions of files in the records of earlier jobs."""

    def __init__(self, experiment: str) -> None:
        self._experiment = experiment
        self._by_record: dict[Path, dict[str, Described]] = {}

    def describe_input(self, path: Path) -> Described:
        """Size and hashes of a file that this job has read.

        A large file that no record knows is hashed here: whole, or, beyond ``WHOLE_BYTES``, only its sample.
        """
        size = path.stat().st_size
        found: Described = {"path": path.as_posix(), "size": size}
        if not has_sample(size):
            return found | {"sha256": sha256_file(path)}
        found["sha256_of_sample"] = sha256_of_sample(path, size)
        for record in self._records_of(path.as_posix()):
            known = self._described_in(record).get(path.as_posix(), {})
            if "sha256" in known and known == found | {"sha256": known["sha256"]}:
                return dict(known)
        return found if size > WHOLE_BYTES else found | {"sha256": sha256_file(path)}

    def _records_of(self, path: str) -> list[Path]:
        kind = kind_of(path)
        if kind is None:
            folder = Path(PROVENANCE.format(experiment=self._experiment))
            return [folder / f"{rule}.json" for rule in READERS_OF_OTHERS]
        folder = Path(PROVENANCE.format(experiment=kind[1]["experiment"]))
        return [folder / name for name in kind[0].record_names(kind[1])]

    def _described_in(self, record: Path) -> Mapping[str, Described]:
        """The files that a record speaks of, by path; none where there is no record, or one of an older version."""
        if record not in self._by_record:
            try:
                content = read_json(record)
            except CoactivationError:
                content = {}
            files = [*(content.get("inputs") or []), *(content.get("outputs") or [])]
            self._by_record[record] = {file["path"]: file for file in files if "path" in file}
        return self._by_record[record]
