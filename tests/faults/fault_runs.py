"""Faults of the machine while one stage's job runs: what is left, and what the next run makes of it."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from disk_layer import SCRIPTS, layer_environment, operations
from victims import Stage, Victim, kill_session, one_clear_error

RECOVERED = "recovered"
"""The next run ended, and every result is byte for byte that of the undisturbed run."""
UNHARMED = "unharmed"
"""The disturbed run itself ended well, with the same bytes."""
CLEAR = "clear error"
"""The next run stopped with one line; after the command that it gives, the bytes are the same."""
UNCLEAR = "unclear"
"""Nothing is lost, but the disturbed run said so in a traceback, or not at all."""
LOST = "lost"
"""A wrong or missing result, a file that looks complete and is not, or a temporary file that stays."""

DAY_S = 86_400
FROM_TOMORROW_TO_NOW = "find . -newermt now -exec touch -h -d '1 minute ago' {} +"
"""What docs/troubleshooting.md says to do: all get one and the same time, so that none is newer than another."""

PAGE = 4096
LARGE_BYTES = 64 << 20
WITHOUT_ROOTS_RIGHTS = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")


@dataclass(frozen=True)
class Outcome:
    """What became of one fault run, and, where it did not go well, what was said."""

    what: str
    said: str = ""


class NotPossibleError(Exception):
    """This machine can't make this fault: no root, no C compiler."""


@dataclass(frozen=True)
class Case:
    """One stage to disturb.

    Attributes
    ----------
    victim
        A copy of its own.
    stage
        Whose job is disturbed.
    chance
        Seeded.
    layer
        The shared object between jobs and files; None where it can't be made.
    n_operations, seconds
        What the job did to files, and how long the whole run took, undisturbed.
    scripts
        The job as Snakemake had started it, to be run alone; none where Snakemake runs it.

    """

    victim: Victim
    stage: Stage
    chance: random.Random
    layer: Path | None
    n_operations: int
    seconds: float
    scripts: tuple[tuple[str, str], ...] = ()

    def begin(self) -> None:
        """Take away what the stage's job makes."""
        self.victim.remove(self.stage.made)

    def run(self, **options: object) -> tuple[int, str]:
        """Ask for what the stage makes, or run its job alone."""
        if self.scripts:
            return self.victim.run_scripts(self.scripts, **options)  # type: ignore[arg-type]  # both check what they take
        return self.victim.run(*self.stage.targets, **options)  # type: ignore[arg-type]  # as above

    def run_below_layer(self, kind: str) -> tuple[int, str]:
        """The same, with one operation of the job failing."""
        if self.layer is None:
            raise NotPossibleError("needs a C compiler")
        at = self.chance.randint(1, max(1, self.n_operations))
        return self.run(**layer_environment(self.layer, folder=self.victim.folder, kind=kind, at=at))


def next_run(case: Case, *, before: str = RECOVERED) -> Outcome:
    """Look at what a fault has left, run again, and compare."""
    partial = case.victim.differing()
    if partial:
        return Outcome(LOST, f"looked complete and was not: {partial[0]}")
    status, said = case.run()
    if status:
        return Outcome(LOST, f"the next run failed: {said[-1500:]}")
    wrong = [*case.victim.differing(), *case.victim.missing(), *case.victim.temporaries()]
    return Outcome(LOST, f"wrong, missing or left over after the next run: {wrong[0]}") if wrong else Outcome(before)


def after_error(case: Case, status: int, said: str) -> Outcome:
    """What a run that met an error of the machine must have done: ended well, or with one line; then the next run."""
    if status == 0:
        return next_run(case, before=UNHARMED)
    outcome = next_run(case)
    clear = one_clear_error(said) is not None
    return outcome if clear or outcome.what == LOST else Outcome(UNCLEAR, said[-3000:])


def kill_job(case: Case) -> Outcome:
    """SIGKILL of the job, just before one of its operations on files."""
    case.begin()
    status, _ = case.run_below_layer("kill")
    return next_run(case, before=UNHARMED if status == 0 else RECOVERED)


def kill_run(case: Case) -> Outcome:
    """SIGKILL of snakemake and all its jobs at a random time; then --unlock, as a person or `make` does."""
    case.begin()
    process = case.victim.start(*case.stage.targets)
    time.sleep(case.chance.uniform(0.3, 1.0) * case.seconds)
    ended = process.poll() == 0
    if process.poll() is None:
        kill_session(process)
    else:
        process.communicate()
    case.victim.run("--unlock")
    return next_run(case, before=UNHARMED if ended else RECOVERED)


def fail_once(case: Case) -> Outcome:
    """One operation (create, write, flush, rename, link) fails with EIO."""
    case.begin()
    return after_error(case, *case.run_below_layer("eio"))


def fail_torn(case: Case) -> Outcome:
    """One write takes half, then everything fails with EIO."""
    case.begin()
    return after_error(case, *case.run_below_layer("torn"))


def write_short(case: Case) -> Outcome:
    """Every write from one on takes half of what it is given, without an error."""
    case.begin()
    return after_error(case, *case.run_below_layer("short"))


def fill_by_layer(case: Case) -> Outcome:
    """Every write from one on fails with ENOSPC."""
    case.begin()
    return after_error(case, *case.run_below_layer("enospc"))


def fill_disk(case: Case) -> Outcome:
    """A file system in memory with less room than the job needs, by a random amount."""
    results = case.victim.folder / "results"
    written = [path for pattern in case.stage.made for path in case.victim.folder.glob(pattern)]
    files = [file for path in written for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file()]
    room = sum(-(-file.stat().st_size // PAGE) * PAGE for file in files)
    case.begin()
    with mounted_in_memory(results) as set_size:
        held = os.statvfs(results)
        taken = (held.f_blocks - held.f_bfree) * held.f_bsize
        set_size(taken + case.chance.randrange(0, room + 1, PAGE))
        status, said = case.run()
        set_size(LARGE_BYTES)
        return after_error(case, status, said)


@contextmanager
def mounted_in_memory(folder: Path) -> Iterator[Callable[[int], None]]:
    """Put a folder on a file system in memory, whose size can be set."""
    aside = folder.with_name("aside")
    folder.rename(aside)
    folder.mkdir()
    mount(folder, "-t", "tmpfs", "-o", f"size={LARGE_BYTES}", "tmpfs")
    try:
        shutil.copytree(aside, folder, symlinks=True, dirs_exist_ok=True)

        def set_size(size: int) -> None:
            mount(folder, "-o", f"remount,size={size}")

        yield set_size
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def mount(folder: Path, *options: str) -> None:
    """Mount something at a folder, or say that this machine can't."""
    if os.geteuid() or subprocess.run(["mount", *options, str(folder)], capture_output=True).returncode:
        raise NotPossibleError("needs root and the right to mount")


def two_coordinators(case: Case) -> Outcome:
    """Two snakemakes at once on the same results; half of the time both with --nolock, so that both do the job."""
    case.begin()
    options = ["--nolock"] if case.chance.random() < 0.5 else []
    both = [case.victim.start(*case.stage.targets, *options)]
    time.sleep(case.chance.uniform(0, 0.3))
    both.append(case.victim.start(*case.stage.targets, *options))
    ended = [(process.communicate()[0], process.returncode) for process in both]
    if not options and all(status for _, status in ended):
        return Outcome(LOST, f"neither ended well: {ended[0][0][-1500:]}")
    return next_run(case, before=UNHARMED if all(status == 0 for _, status in ended) else RECOVERED)


def clock_back(case: Case) -> Outcome:
    """Everything there is from tomorrow, as after the clock went back by a day; half of the time after a killed job."""
    case.begin()
    if case.chance.random() < 0.5 and case.layer is not None:
        case.run_below_layer("kill")
    for path in sorted(case.victim.folder.rglob("*"), reverse=True):
        if not path.is_symlink():
            status = path.stat()
            later = DAY_S * 10**9
            os.utime(path, ns=(status.st_atime_ns + later, status.st_mtime_ns + later))
    status, said = case.run()
    if status == 0:
        return next_run(case)
    if "has older modification time" not in said or "Traceback" in said:
        return Outcome(LOST, said[-1500:])
    subprocess.run(FROM_TOMORROW_TO_NOW, shell=True, cwd=case.victim.folder, check=True)
    return next_run(case, before=CLEAR)


def read_only(case: Case) -> Outcome:
    """Results on a read-only mount, or with modes that forbid writing for a user without root's rights."""
    case.begin()
    results, before = case.victim.folder / "results", case.victim.results()
    if case.chance.random() < 0.5:
        mount(results, "--bind", str(results))
        try:
            mount(results, "-o", "remount,ro,bind")
            status, said = case.run()
        finally:
            subprocess.run(["umount", str(results)], check=True)
    else:
        prefix = () if os.geteuid() else WITHOUT_ROOTS_RIGHTS
        folders = [results, *(path for path in results.rglob("*") if path.is_dir())]
        for folder in folders:
            folder.chmod(0o555)
        try:
            status, said = case.run(prefix=prefix)
        finally:
            for folder in folders:
                folder.chmod(0o755)
    if status == 0 or case.victim.results() != before:
        return Outcome(LOST, f"results were changed though they were read-only: {said[-1500:]}")
    return after_error(case, status, said)


FAULTS: dict[str, Callable[[Case], Outcome]] = {
    "SIGKILL of the job": kill_job,
    "SIGKILL of snakemake and its jobs": kill_run,
    "disk full (small tmpfs)": fill_disk,
    "disk full (ENOSPC from one write on)": fill_by_layer,
    "I/O error of one operation": fail_once,
    "torn write, then I/O errors": fail_torn,
    "short writes": write_short,
    "two coordinators at once": two_coordinators,
    "clock back by a day": clock_back,
    "read-only results": read_only,
}


JOB_FAULTS = (kill_job, fill_disk, fill_by_layer, fail_once, fail_torn, write_short)
"""Those that a job can meet alone, without Snakemake: nothing is cleared away between it and the next attempt."""

ALONE = ", job alone"
FAULTS |= {f"{name}{ALONE}": fault for name, fault in FAULTS.items() if fault in JOB_FAULTS}


class Measured(NamedTuple):
    """A stage's run without a fault: operations on files, seconds, and its jobs as Snakemake started them."""

    n_operations: int
    seconds: float
    scripts: tuple[tuple[str, str], ...]


def measure(victim: Victim, stage: Stage, layer: Path | None) -> Measured:
    """Run a stage once more without a fault; it must give the same bytes."""
    victim.remove(stage.made)
    told = {} if layer is None else layer_environment(layer, folder=victim.folder, kind="none")
    began = time.monotonic()
    status, said = victim.run("--skip-script-cleanup", "--", *stage.targets, **told)
    seconds = time.monotonic() - began
    wrong = [*victim.differing(), *victim.missing()]
    if status or wrong:
        raise RuntimeError(f"{stage.name} is not the same without a fault: {wrong[:1]} {said[-1500:]}")
    scripts = sorted((victim.folder / SCRIPTS).glob("*.py"), key=lambda path: path.stat().st_mtime_ns)
    found = tuple((path.name, path.read_text(encoding="utf-8")) for path in scripts)
    return Measured(len(operations(victim.folder)), seconds, found)
