"""``explain FILE``: how a result came about, back to the corpus or the import."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from coactivation_manifolds.errors import ResultsError
from coactivation_manifolds.storage import sha256_file
from coactivation_manifolds.verify.chain import Step, chain_of, origin, params_text, relative_to_experiment
from coactivation_manifolds.verify.records import Records

SHOWN = 400
FILES_SHOWN = 5
HASH_DIGITS = 12


def explain(name: str, *, as_json: bool) -> int:
    """Print the chain of jobs behind a result.

    Raises
    ------
    ResultsError
        There is no such file, or no record tells how it was made.

    """
    path = Path(name)
    if not path.exists():
        raise ResultsError(f"{path} does not exist; give a file below results/, e.g. results/demo/report.html")
    folder, relative = relative_to_experiment(path)
    if path.is_dir():
        relative = first_below(folder, path, relative)
    records = Records(folder)
    steps = chain_of(records, relative)
    if as_json:
        print(json.dumps([dict(step.record.content) | {"jobs": step.alike} for step in steps], indent=1))
        return 0
    print(f"{folder / relative}{state_of(folder, relative, records)}")
    for step in steps:
        for line in step_lines(records, step):
            print(line)
    return 0


def first_below(folder: Path, path: Path, relative: str) -> str:
    """A file of a folder of results, all of which come from one job."""
    for file in sorted(path.rglob("*")):
        if file.is_file() and not file.name.startswith("."):
            return f"{relative}/{file.relative_to(path).as_posix()}"
    raise ResultsError(f"{path} holds no files; ask for a file below {folder}")


def state_of(folder: Path, relative: str, records: Records) -> str:
    """Whether the file is still what its job wrote."""
    record = records.by_output.get(relative)
    if record is None:
        return ""
    same = sha256_file(folder / relative) == record.outputs[relative]["sha256"]
    return ": as its job wrote it" if same else ": CHANGED since its job wrote it (coactivation-manifolds verify)"


def step_lines(records: Records, step: Step) -> list[str]:
    """A job: rule, when, where, with what code, params, and what it was given."""
    content = step.record.content
    wildcards = [value for name, value in content.get("wildcards", {}).items() if name != "experiment"]
    jobs = f" and {step.alike - 1:,} more like it" if step.alike > 1 else ""
    machine = ", ".join([str(content.get("host")), *(content.get("gpus") or ["CPU"])])
    lines = [
        " ".join([step.record.rule, *wildcards]) + jobs,
        f"  {content.get('started')} to {content.get('ended')} on {machine}",
        f"  code {commit_text(content.get('workflow_commit'))}, {version_text(content.get('versions', {}))}",
        f"  {shortened(params_text(step))}",
        f"  read {counted(len(step.record.inputs))}, wrote {counted(len(step.record.outputs))}",
    ]
    given = [f"  given: {path} ({hash_text(read)})" for path, read in step.given.items()]
    more = [f"  given: {len(given) - FILES_SHOWN:,} more files (--json has all)"] if len(given) > FILES_SHOWN else []
    return [*lines, *given[:FILES_SHOWN], *more, *(f"  {line}" for line in origin(records, step))]


def counted(n_files: int) -> str:
    """A number of files in words."""
    return "1 file" if n_files == 1 else f"{n_files:,} files"


def commit_text(commit: Any) -> str:
    """The commit, and whether files were changed since."""
    if not commit:
        return "outside git"
    return f"{str(commit).rstrip('+')}{' with changes' if str(commit).endswith('+') else ''}"


def version_text(versions: dict[str, str]) -> str:
    """The package and Python; the record has all."""
    return f"coactivation-manifolds {versions.get('coactivation-manifolds')}, Python {versions.get('Python')}"


def hash_text(read: dict[str, Any]) -> str:
    """The size and the hash of a file that was given."""
    size = f"{read['size']:,} bytes"
    if "sha256" in read:
        return f"{size}, SHA-256 {read['sha256'][:HASH_DIGITS]}…"
    return f"{size}, SHA-256 of a sample {read['sha256_of_sample'][:HASH_DIGITS]}…"


def shortened(text: str) -> str:
    """At most so much of a line."""
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… (--json has all)"
