"""Stored files that were damaged or deleted: who finds it, what is said, and whether the command that is told mends it.

The time of change stays as it was, as with a disk that loses bits: otherwise Snakemake itself would make everything
anew that was made from the file.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fault_runs import CLEAR, LOST, RECOVERED, Outcome
from victims import Victim, one_clear_error
from workflow_clone import ROOT

from coactivation_manifolds import paths
from coactivation_manifolds.file_kinds import PART, FileKind, kind_of
from coactivation_manifolds.verify.records import Records, kind_below, target_below

RECORD = "provenance record"
SUFFIXES = {
    ".parquet": "Parquet table",
    ".npy": "array",
    ".npz": "archive of arrays",
    ".arrow": "Arrow file",
    ".json": "JSON",
    ".png": "figure",
    ".html": "page",
}


@dataclass(frozen=True)
class DamageCase:
    """One stored file to damage.

    Attributes
    ----------
    victim
        A copy of its own.
    path
        The file, relative to the victim's folder.
    chance
        Seeded.

    """

    victim: Victim
    path: str
    chance: random.Random

    @property
    def file(self) -> Path:
        """Where it lies."""
        return self.victim.folder / self.path

    @property
    def experiment(self) -> Path:
        """The experiment's folder, relative to the victim's."""
        return Path(*Path(self.path).parts[:2])


def flip(case: DamageCase) -> None:
    """One bit of one byte, anywhere in the file."""
    content = bytearray(case.file.read_bytes())
    content[case.chance.randrange(len(content))] ^= 1 << case.chance.randrange(8)
    put_silently(case.file, bytes(content))


def cut(case: DamageCase) -> None:
    """The file ends early, anywhere; it may be empty."""
    content = case.file.read_bytes()
    put_silently(case.file, content[: case.chance.randrange(len(content))])


def delete(case: DamageCase) -> None:
    """The file is gone."""
    case.file.unlink()


DAMAGES: dict[str, Callable[[DamageCase], None]] = {
    "one bit flipped": flip,
    "truncated": cut,
    "deleted": delete,
}


def put_silently(path: Path, content: bytes) -> None:
    """Replace a file's bytes, and keep its time of change."""
    status = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def kinds_of(victim: Victim, chance: random.Random) -> list[tuple[str, str]]:
    """One path of each kind of file that the victim has, and the kind in words: its template below the experiment."""
    found: dict[str, list[str]] = {}
    for path in victim.undisturbed:
        kind = kind_of(path)
        if kind is not None:
            found.setdefault(kind[0].template.removeprefix(f"{paths.ROOT}/"), []).append(path)
    records = [path.relative_to(victim.folder).as_posix() for path in victim.folder.glob("results/*/provenance/*.json")]
    return [(chance.choice(each), name) for name, each in [*found.items(), (RECORD, sorted(records))] if each]


def suffix_in_words(path: str) -> str:
    """The form of a file."""
    return RECORD if "/provenance/" in path else SUFFIXES.get(Path(path).suffix, "other")


def damage_and_look(case: DamageCase, damage: Callable[[DamageCase], None]) -> Outcome:
    """Damage a file; `verify` must name it; a job that reads it must stop or do without; the repair must mend it."""
    records = Records(case.victim.folder / case.experiment)
    readers = list(targets_of_readers(case, records))
    damage(case)
    if suffix_in_words(case.path) == RECORD:
        return look_at_record(case)
    unseen = look_with_verify(case)
    if unseen is not None:
        return unseen
    if not readers:
        return repaired(case, CLEAR)
    outputs, targets = case.chance.choice(readers)
    case.victim.remove(outputs)
    status, said = case.victim.run(*targets)
    wrong = [path for path in case.victim.differing() if path != case.path]
    if wrong:
        return Outcome(LOST, f"{case.path} damaged, and {wrong[0]} made from it: {said[-1500:]}")
    if status == 0 and case.file.exists() and case.path in case.victim.differing():
        return repaired(case, RECOVERED)
    if status == 0:
        return all_is_right(case, "the next run", Outcome(RECOVERED))
    told = one_clear_error(said)
    if told is None or case.path not in told:
        return Outcome(LOST, f"{case.path} damaged, no clear error: {said[-3000:]}")
    command = re.search(r": (rm .+)$", told)
    if command is None:
        return Outcome(LOST, f"no command: {told}")
    subprocess.run(command[1], shell=True, cwd=case.victim.folder, check=False)
    status, said = case.victim.run(*targets)
    if status:
        return Outcome(LOST, f"after {command[1]}: {said[-3000:]}")
    return all_is_right(case, command[1], Outcome(CLEAR, "by a job"))


def all_is_right(case: DamageCase, after: str, outcome: Outcome) -> Outcome:
    """The outcome, if every byte is right once what nobody has asked for yet is asked for, too.

    An import that is done anew takes all manifests away; only those that are needed are published again.
    """
    missing = case.victim.missing()
    if missing:
        case.victim.run(*missing)
    wrong = [*case.victim.differing(), *case.victim.missing()]
    return Outcome(LOST, f"wrong or missing after {after}: {wrong[0]}") if wrong else outcome


def targets_of_readers(case: DamageCase, records: Records) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Outputs and targets of each job that reads a file."""
    relative = Path(case.path).relative_to(case.experiment).as_posix()
    found = kind_below(relative)
    if found is None:
        return
    kind, wildcards = found
    read = {relative}
    if kind.template in (PART, paths.CORPUS_SHARD):
        read = {target_below(kind, wildcards)}  # undeclared: whoever reads what vouches for it reads the file
    for record in records:
        first = next(iter(record.outputs), None)
        made = None if first is None else kind_below(first)
        if made is None or not read & set(record.inputs) or not reads_inside(kind, made[0], wildcards, made[1]):
            continue
        target = str(case.experiment / target_below(*made))
        outputs = (target,) if made[0].is_in_folder else tuple(str(case.experiment / path) for path in record.outputs)
        yield outputs, (target,)


def reads_inside(
    kind: FileKind, made: FileKind, wildcards: Mapping[str, str], made_wildcards: Mapping[str, str]
) -> bool:
    """Whether a job that has a manifest or a plan as its input opens the file that it vouches for."""
    if kind.template == PART:
        return made.template in (paths.SHARD_COUNTS, paths.INDEX_OFFSETS)
    if kind.template == paths.CORPUS_SHARD:
        return made.template == paths.MANIFEST and wildcards["shard"] == made_wildcards["shard"]
    return True


def look_with_verify(case: DamageCase) -> Outcome | None:
    """None where `verify` finds the damage; otherwise what it said."""
    status, said = case.victim.tool("verify", str(case.experiment))
    named = any(line.startswith(f"error: {case.path}: ") for line in said.splitlines())
    right = status == 4 and named and "Traceback" not in said
    return None if right else Outcome(LOST, f"verify does not see that {case.path} is damaged: {said[-1500:]}")


def look_at_record(case: DamageCase) -> Outcome:
    """No result is made from a record: `verify` names it, or what it tells of another file, or nothing is wrong."""
    status, said = case.victim.tool("verify", str(case.experiment))
    if "Traceback" in said:
        return Outcome(LOST, said[-1500:])
    return repaired(case, CLEAR) if status == 4 else Outcome(RECOVERED, "no result depends on it")


def repaired(case: DamageCase, what: str) -> Outcome:
    """Mend by what `verify` prints for all files at once or for the only one; then every byte is right."""
    _, said = case.victim.tool("verify", str(case.experiment))
    commands = re.findall(r"^all at once: (.+)$", said, re.MULTILINE) or re.findall(
        r"^  repair: (.+)$", said, re.MULTILINE
    )
    if not commands:
        return Outcome(LOST, f"no repair for {case.path}: {said[-1500:]}")
    command = commands[0].replace("snakemake", f"{sys.executable} -m snakemake --cores 2")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    finished = subprocess.run(
        command, shell=True, cwd=case.victim.folder, env=environment, capture_output=True, text=True
    )
    if finished.returncode:
        return Outcome(LOST, f"after {commands[0]}: {(finished.stdout + finished.stderr)[-3000:]}")
    return all_is_right(case, commands[0], Outcome(what, "by verify"))
