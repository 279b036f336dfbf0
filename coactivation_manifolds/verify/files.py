"""Every file of an experiment: there, of its kind, with the bytes that its job wrote, made from what is there now."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coactivation_manifolds import paths
from coactivation_manifolds.errors import CoactivationError
from coactivation_manifolds.experiment.expected_files import STAGES
from coactivation_manifolds.file_kinds import PART
from coactivation_manifolds.storage import read_json, sha256_file
from coactivation_manifolds.verify.contents import check_content
from coactivation_manifolds.verify.records import Records, kind_below
from coactivation_manifolds.verify.repair import Problem, damaged_file

READERS = 4
PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9=_.\-]*")
OUTSIDE = ("provenance",)


@dataclass
class StageState:
    """How many files a stage has, how many of them were compared with a recorded hash, and what is wrong."""

    n_files: int = 0
    n_hashed: int = 0
    problems: list[Problem] = field(default_factory=list)


def stage_order(name: str) -> tuple[int, str]:
    """Sorts stages as they follow one another."""
    return (STAGES.index(name) if name in STAGES else len(STAGES), name)


def verify_files(folder: Path, records: Records) -> dict[str, StageState]:
    """Check every file below an experiment's folder, by stage.

    Every byte is read once, in pieces; a file that no record knows is checked by its form and its own checksums.
    """
    known = dict(recorded_hashes(folder, records))
    stages: dict[str, StageState] = {}
    files = sorted(relative for relative in files_below(folder))
    with ThreadPoolExecutor(READERS) as pool:
        problems = pool.map(lambda relative: check_file(folder, relative, known.get(relative)), files)
        for relative, problem in zip(files, problems, strict=True):
            state = stages.setdefault(stage_of(relative), StageState())
            state.n_files += 1
            state.n_hashed += relative in known
            if problem is not None:
                state.problems.append(problem)
    there = set(files)
    for problem in [*lost_files(folder, known, there, records), *outdated_files(folder, records, there)]:
        relative = problem.path.relative_to(folder).as_posix()
        stages.setdefault(stage_of(relative), StageState()).problems.append(problem)
    for file, what in records.unreadable.items():
        state = stages.setdefault("provenance", StageState())
        state.problems.append(Problem(file, f"{what} (how its files came about is then not known)", (file,)))
    return stages


def files_below(folder: Path) -> Iterator[str]:
    """The files of an experiment that are results: neither hidden (temporary, or Snakemake's) nor provenance."""
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in relative.parts)
        if path.is_file() and not hidden and relative.parent.name not in OUTSIDE:
            yield relative.as_posix()


def stage_of(relative: str) -> str:
    """The stage that a file belongs to: its folder, or ``report``."""
    first, _, rest = relative.partition("/")
    return first if rest else Path(first).stem


def recorded_hashes(folder: Path, records: Records) -> Iterator[tuple[str, str]]:
    """SHA-256 of files by what their jobs recorded: provenance, then manifests and plans for what these list."""
    for relative, record in records.by_output.items():
        yield relative, record.outputs[relative]["sha256"]
    for place in ("", "null/*/"):
        for manifest in sorted(folder.glob(f"{place}activations/shard=*/manifest.json")):
            for part in listed(manifest, "parts"):
                yield manifest.with_name(str(part.get("file"))).relative_to(folder).as_posix(), str(part.get("sha256"))
    plan = folder / Path(*Path(paths.CORPUS_PLAN).parts[2:])
    for shard in listed(plan, "shards") if plan.is_file() else []:
        yield plan.with_name(str(shard.get("file"))).relative_to(folder).as_posix(), str(shard.get("sha256"))


def listed(path: Path, key: str) -> list[Mapping[str, Any]]:
    """What a manifest or a plan lists beside itself; nothing where it is damaged, which is told elsewhere."""
    try:
        found = read_json(path).get(key)
    except CoactivationError:
        return []
    entries = [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []
    return [each for each in entries if isinstance(each.get("file"), str) and PLAIN_NAME.fullmatch(each["file"])]


def check_file(folder: Path, relative: str, sha256: str | None) -> Problem | None:
    """What is wrong with one file by itself."""
    path, found = folder / relative, kind_below(relative)
    kind = None if found is None else found[0]
    try:
        if sha256 is not None and sha256_file(path) != sha256:
            what = "was changed since its job wrote it (its SHA-256 differs)"
            return damaged_file(folder, relative, what)
        if kind is not None or not relative.startswith("trained/"):
            check_content(path, kind, whole=sha256 is None)
    except (CoactivationError, OSError) as error:
        what = " ".join(str(error).split()).removeprefix(f"{path}: ").removeprefix(f"{path} ")
        return damaged_file(folder, relative, what)
    return None


def lost_files(folder: Path, known: Mapping[str, str], there: set[str], records: Records) -> Iterator[Problem]:
    """Files that a job wrote and that are gone."""
    for relative in sorted(set(known) - there):
        what = "is missing, though its job wrote it"
        record = records.by_output.get(relative)
        unwanted = "" if record is None else f" (if it is no longer wanted, delete {record.file})"
        yield damaged_file(folder, relative, f"{what}{unwanted}")


def outdated_files(folder: Path, records: Records, there: set[str]) -> Iterator[Problem]:
    """Files that were made from a file that has been written anew since, in another form; one for each job."""
    written = {relative: record.outputs[relative] for relative, record in records.by_output.items()}
    for record in records:
        stale = [path for path, read in record.inputs.items() if differs(read, written.get(path)) and keeps_up(path)]
        made = [path for path in record.outputs if path in there]
        if stale and made:
            yield damaged_file(folder, made[0], f"was made from another {stale[0]} than is there now")


def differs(read: Mapping[str, Any], written: Mapping[str, Any] | None) -> bool:
    """Whether what a job read is known to be other than what was last written."""
    if written is None:
        return False
    return any(key in written and read[key] != written[key] for key in ("sha256", "sha256_of_sample") if key in read)


def keeps_up(path: str) -> bool:
    """Whether a newer file makes what was made from an older one outdated: not the plan, which may have grown; what
    a shard was harvested from stands in its manifest.
    """
    found = kind_below(path)
    return found is not None and found[0].template not in (paths.CORPUS_PLAN, PART)
