"""What to type to get a damaged file back."""

from __future__ import annotations

import shlex
from pathlib import Path

from coactivation_manifolds import paths
from coactivation_manifolds.verify.records import NAME, kind_below, target_below

MAKE = "snakemake --profile local"


def below(template: str, experiment: str) -> str:
    """A path of an experiment without further wildcards, below the folder."""
    return template.format(experiment=experiment).removeprefix(f"{NAME}/")


def repair_command(folder: Path, relative: str) -> str:
    """The commands that take a file away and make it anew.

    Parameters
    ----------
    folder
        The experiment's folder.
    relative
        The file, below it.

    """
    found = kind_below(relative)
    if found is None:
        return f"rm {quoted(folder / relative)}"
    kind, wildcards = found
    target = target_below(kind, wildcards)
    gone = [relative] if kind.commit is None else [relative, target]
    imported = below(paths.IMPORT_RECORD, wildcards["experiment"])
    if kind.target == paths.MANIFEST and kind.commit and (folder / imported).exists():
        gone.append(imported)  # the job that publishes a manifest only looks at parts: the import writes them
    if kind.commit == paths.ATLAS:
        gone = [target]
    words = " ".join(quoted(folder / each) for each in gone)
    recursive = "-r " if kind.commit == paths.ATLAS else ""
    return f"rm {recursive}{words} && {make_command(folder, relative)}"


def make_command(folder: Path, relative: str) -> str:
    """The command that makes a file, and with it what it is made from."""
    found = kind_below(relative)
    target = relative if found is None else target_below(*found)
    return f"{MAKE} {quoted(folder / target)}"


def quoted(path: Path) -> str:
    """A path as a shell takes it."""
    return shlex.quote(path.as_posix())
