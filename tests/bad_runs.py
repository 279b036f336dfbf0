"""Runs of the workflow that must fail with one line of ours, on the terminal and in the job's log."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from workflow_clone import Clone


@dataclass(frozen=True)
class BadCase:
    """One bad input.

    Attributes
    ----------
    name
        Of the experiment.
    text
        Its file.
    target
        What is asked for, below ``results/{name}/``.
    log
        The log of the job that must fail, below ``logs/{name}/``.
    expected
        Parts of the one message: what is wrong, where, what to do.

    """

    name: str
    text: str
    target: str
    log: str
    expected: tuple[str, ...]


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder, by its path; logs of jobs are not results."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def error_lines(text: str) -> list[str]:
    """Our own error lines: those of a log begin with time and logger."""
    marker = "ERROR coactivation_manifolds: "
    # jobs side by side share the terminal, and Snakemake ends its own line in a write of its own
    apart = text.replace(".error: ", ".\nerror: ")
    lines = [line.split(marker)[-1] for line in apart.splitlines()]
    return [line for line in lines if line.startswith("error: ")]


def check_terminal(output: str, expected: tuple[str, ...]) -> str:
    """One line of ours on the terminal, without a traceback; returns it."""
    assert "Traceback (most recent call last)" not in output, output
    found = list(dict.fromkeys(line for line in error_lines(output) if all(part in line for part in expected)))
    assert len(found) == 1, f"expected one line with {expected} in:\n{output}"
    return found[0]


def check_case(clone: Clone, case: BadCase, output: str) -> None:
    """The same one line on the terminal and at the end of the job's log."""
    told = check_terminal(output, case.expected)
    log = (clone / f"logs/{case.name}" / case.log).read_text(encoding="utf-8")
    assert "Traceback" not in log, log
    assert error_lines(log) == [told]
    assert log.rstrip().endswith(told)
    assert not (clone / f"results/{case.name}" / case.target).exists()


def run_all(clone: Clone, cases: list[BadCase], *arguments: str) -> str:
    """Run all cases in one invocation, which goes on after each failure; returns what the terminal saw."""
    for case in cases:
        clone.write_experiment(case.name, case.text)
    finished = clone.snakemake(*(f"results/{case.name}/{case.target}" for case in cases), *arguments, check=False)
    assert finished.returncode == 1, finished.stdout
    return finished.stdout
