"""The layer between a job and its files (faulty_disk.c), compiled once, and the environment that it is told by."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("faulty_disk.c")
SCRIPTS = ".snakemake/scripts/"
"""In the command line of every job that runs a script: there Snakemake puts them."""

KINDS = ("kill", "eio", "enospc", "short", "torn")


def compile_layer(folder: Path) -> Path | None:
    """The layer as a shared object; None where there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    library = folder / "faulty_disk.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return library


def layer_environment(library: Path, *, folder: Path, kind: str, at: int = 0, of: str = SCRIPTS) -> dict[str, str]:
    """Variables that let the ``at``-th operation of each job on files below ``folder / "results"`` fail.

    Disturbed are processes that have ``of`` in their command line.

    What the job does is noted, one line an operation, in ``folder / "operations.log"``.
    """
    return {
        "LD_PRELOAD": str(library),
        "FAULT_UNDER": f"{folder.resolve()}/results/",
        "FAULT_OF": of,
        "FAULT_KIND": kind,
        "FAULT_AT": str(at),
        "FAULT_LOG": str(folder / "operations.log"),
    }


def operations(folder: Path) -> list[str]:
    """What the jobs did to files, in order: ``fsync``, ``rename`` and so on, each with the file's name."""
    log = folder / "operations.log"
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    return [line.partition(" ")[2] for line in lines]
