"""What is wrong with a file, and what to type to get it back."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from coactivation_manifolds import paths
from coactivation_manifolds.file_kinds import FILES
from coactivation_manifolds.verify.records import NAME, kind_below, target_below

MAKE = "snakemake --profile local"


@dataclass(frozen=True)
class Problem:
    """Something wrong.

    Attributes
    ----------
    path
        The file.
    what
        What is wrong with it, in words.
    gone
        What must be deleted, so that it is made anew.
    target
        What Snakemake is then asked for; None where no rule makes the file.
    step
        The place of its kind among all, in the order of making: what is mended first may mend the next.

    """

    path: Path
    what: str
    gone: tuple[Path, ...] = ()
    target: Path | None = None
    step: int = len(FILES)

    @property
    def repair(self) -> str:
        """The command that mends it."""
        return repair_command([self])


def repair_command(problems: Iterable[Problem]) -> str:
    """One command line that mends all of some problems."""
    found = list(problems)
    gone = dict.fromkeys(path for problem in found for path in problem.gone)
    targets = dict.fromkeys(problem.target for problem in found if problem.target is not None)
    recursive = "-r " if any(path.is_dir() for path in gone) else ""
    remove = [f"rm {recursive}{words(gone)}"] if gone else []
    make = [f"{MAKE} {words(targets)}"] if targets else []
    return " && ".join([*remove, *make]) or "as said there"


def words(files: Iterable[Path]) -> str:
    """Paths as a shell takes them."""
    return " ".join(shlex.quote(path.as_posix()) for path in files)


def damaged_file(folder: Path, relative: str, what: str) -> Problem:
    """A file that must be made anew.

    Parameters
    ----------
    folder
        The experiment's folder.
    relative
        The file, below it.
    what
        What is wrong with it.

    """
    path, found = folder / relative, kind_below(relative)
    if found is None:
        return Problem(path, what, (path,))
    kind, wildcards = found
    target = folder / target_below(kind, wildcards)
    gone = [target] if kind.is_in_folder else [path, target]
    imported = folder / paths.IMPORT_RECORD.format(experiment=wildcards["experiment"]).removeprefix(f"{NAME}/")
    if kind.target == paths.MANIFEST and kind.commit:
        gone.append(imported)  # the job that publishes a manifest only looks at parts: the import writes them
    return Problem(path, what, tuple(each for each in dict.fromkeys(gone) if each.exists()), target, FILES.index(kind))
