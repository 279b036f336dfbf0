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

from coactivation_manifolds.errors import CoactivationError, ResultsError
from coactivation_manifolds.file_kinds import kind_of
from coactivation_manifolds.paths import PROVENANCE
from coactivation_manifolds.storage import command_to_restore, read_json, sha256_file

BLOCKS, BLOCK_BYTES = 16, 1 << 16
"""A sample: blocks at even distances, the first and the last bytes among them."""

WHOLE_BYTES = 256 << 20
"""Largest file made elsewhere that is hashed whole: a model's weights may be tens of gigabytes on a slow disk."""

CHECKED_BYTES = 16 << 20
"""Largest file without checksums of its own that is hashed whole before a job reads it: the firings of two million
latents, and every JSON file."""

HAS_CHECKSUMS = ".parquet"

HASHING_THREADS = 2
READERS_OF_OTHERS = ("plan_corpus", "import_activations", "describe_sae")
"""Jobs without wildcards that read what was made elsewhere: their records know its hashes."""

INDEX = "index.html"
"""In every folder that one job makes as a whole."""

HASHES = ("size", "sha256", "sha256_of_sample")
"""Keys of a description that tell whether two files are the same."""

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


def described(files: Any) -> dict[str, Described]:
    """The files that a record lists, by path; a record of an older version, or a damaged one, may list none."""
    listed = files if isinstance(files, list) else []
    return {file["path"]: file for file in listed if isinstance(file, dict) and "path" in file}


def what_to_delete(path: str) -> str:
    """What must go, so that a result is made anew: the folder where its job declares one as a whole."""
    kind = kind_of(path)
    if kind is None or not kind[0].is_in_folder:
        return path
    return kind[0].target.format(**kind[1])


class KnownFiles:
    """Descriptions of files in the records of earlier jobs."""

    def __init__(self, experiment: str) -> None:
        self._experiment = experiment
        self._by_record: dict[Path, tuple[Mapping[str, Described], Mapping[str, Described]]] = {}

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
            read, written = self._files_of(record)
            known = {**read, **written}.get(path.as_posix(), {})
            if "sha256" in known and known == found | {"sha256": known["sha256"]}:
                return dict(known)
        return found if size > WHOLE_BYTES else found | {"sha256": sha256_file(path)}

    def check_unchanged(self, found: Described) -> None:
        """Stop at a result that is no longer what its job wrote, so that no number is made from it.

        Files of up to 1 MiB are compared whole, up to 16 MiB also those that carry no checksums, of larger ones size
        and sample. A file that no record speaks of passes: it was made elsewhere, or by an earlier version.

        Parameters
        ----------
        found
            What ``describe_input`` gave.

        Raises
        ------
        ResultsError
            The file is another than every record of it says.

        """
        records = [] if kind_of(found["path"]) is None else self._records_of(found["path"])
        if has_sample(found["size"]) and found["size"] <= CHECKED_BYTES and not found["path"].endswith(HAS_CHECKSUMS):
            found = found | {"sha256": sha256_file(found["path"])}  # what was found may be what the record says
        if not self._contradict(records, found):
            return
        self._look_anew(records)
        if self._contradict(records, found):
            raise ResultsError(
                f"{found['path']} was changed after its job had written it (its bytes are not those that "
                f"{records[0].parent} records): delete it and run the same command again: "
                f"{command_to_restore(what_to_delete(found['path']))}"
            )

    def check_complete(self, folder: Path) -> None:
        """Stop at a folder that one job made as a whole and from which a file is gone since.

        Raises
        ------
        ResultsError
            Names the file, and the command that makes the folder anew.

        """
        records = self._records_of((folder / INDEX).as_posix())
        gone = self._gone(records, folder)
        if gone is not None:
            self._look_anew(records)
            gone = self._gone(records, folder)
        if gone is not None:
            raise ResultsError(
                f"{gone} is gone, though its job had written it ({records[0].parent} records it): delete the folder "
                f"and run the same command again: {command_to_restore(folder)}"
            )

    def _gone(self, records: Iterable[Path], folder: Path) -> str | None:
        """The first file below a folder that a record lists and that is not there."""
        written = {path for record in records for path in self._files_of(record)[1]}
        below = (path for path in sorted(written) if path.startswith(f"{folder.as_posix()}/"))
        return next((path for path in below if not Path(path).exists()), None)

    def _look_anew(self, records: Iterable[Path]) -> None:
        """Read records again: a network file system may still show earlier ones; looking into their folder brings the
        newest.
        """
        for folder in {record.parent for record in records}:
            list(folder.glob("*"))
        self._by_record.clear()

    def _contradict(self, records: Iterable[Path], found: Described) -> bool:
        """Whether there is a record of a file, and none that agrees."""
        told = [self._files_of(record)[1].get(found["path"]) for record in records]
        known = [each for each in told if each is not None]
        return bool(known) and not any(
            all(found[key] == each[key] for key in HASHES if key in found and key in each) for each in known
        )

    def _records_of(self, path: str) -> list[Path]:
        kind = kind_of(path)
        if kind is None:
            folder = Path(PROVENANCE.format(experiment=self._experiment))
            return [folder / f"{rule}.json" for rule in READERS_OF_OTHERS]
        folder = Path(PROVENANCE.format(experiment=kind[1]["experiment"]))
        return [folder / name for name in kind[0].record_names(kind[1])]

    def _files_of(self, record: Path) -> tuple[Mapping[str, Described], Mapping[str, Described]]:
        """What a job read and what it wrote, by path; none where there is no record, or one of an older version."""
        if record not in self._by_record:
            try:
                content = read_json(record)
            except CoactivationError:
                content = {}
            self._by_record[record] = (described(content.get("inputs")), described(content.get("outputs")))
        return self._by_record[record]
