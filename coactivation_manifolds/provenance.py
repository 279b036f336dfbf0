"""What may differ between equal results: when and where a job ran, on what device, with which versions, and the hashes
of what it read and wrote.

Kept beside the results, in ``results/{experiment}/provenance/``, and an input of no rule, so that it can never decide
whether a job runs again.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from coactivation_manifolds.algorithm_versions import ALGORITHM_VERSION
from coactivation_manifolds.file_hashes import Described, KnownFiles, all_files, describe_outputs
from coactivation_manifolds.paths import PROVENANCE, WILDCARDS
from coactivation_manifolds.storage import write_json

PACKAGE = "coactivation-manifolds"
LOGS = "logs"


class WorkflowJob(Protocol):
    """What a job is told of itself: the ``snakemake`` object of its script has all of it."""

    rule: str
    log: Sequence[str]
    input: Iterable[str]
    output: Iterable[str]
    params: Any
    """A mapping by ``items()``."""
    wildcards: Any
    """A mapping by ``items()``."""


def provenance_file(log: str | os.PathLike[str]) -> Path | None:
    """Where the record of the job with this log belongs.

    ``logs/demo/harvest_shard/000003.log`` gives ``results/demo/provenance/harvest_shard.000003.json``; None for a log
    that is not the workflow's, ``logs/{experiment}/...`` below the working directory.
    """
    path = re.fullmatch(f"{LOGS}/({WILDCARDS['experiment']})/(.+)", Path(log).with_suffix("").as_posix())
    if path is None:
        return None
    return Path(PROVENANCE.format(experiment=path[1])) / f"{path[2].replace('/', '.')}.json"


class FilesRead(NamedTuple):
    """What a job reads, described, and how long that took."""

    inputs: list[Described]
    seconds: float


def check_inputs(job: WorkflowJob) -> FilesRead:
    """Describe what a job is about to read, and stop where a result among it is no longer what its job wrote.

    Raises
    ------
    ResultsError
        Names the file and the command that makes it anew.

    """
    began = time.monotonic()
    known = KnownFiles(str(dict(job.wildcards.items()).get("experiment", "")))
    inputs = [known.describe_input(path) for path in dict.fromkeys(all_files(job.input))]
    for each in inputs:
        known.check_unchanged(each)
    for folder in filter(Path.is_dir, map(Path, job.input)):
        known.check_complete(folder)
    return FilesRead(inputs, time.monotonic() - began)


def write_provenance(
    log: str | os.PathLike[str],
    *,
    started: datetime,
    made_by: WorkflowJob | None = None,
    read: FilesRead | None = None,
) -> None:
    """Record a job that has ended well; nothing for a log that is not the workflow's.

    Parameters
    ----------
    log
        The job's log file.
    started
        When it began, with its time zone.
    made_by
        The job's rule, outputs and params; without it they are not recorded.
    read
        The job's inputs, as ``check_inputs`` found them before it began.

    """
    file = provenance_file(log)
    if file is None:
        return
    what = {} if made_by is None else what_was_made(made_by, read or check_inputs(made_by))
    ended = datetime.now(UTC)
    record = {
        "started": started.astimezone(UTC).isoformat(timespec="seconds"),
        "ended": ended.isoformat(timespec="seconds"),
        "seconds": round((ended - started).total_seconds(), 3),
        "cpu_seconds": round(time.process_time(), 3),
        "peak_memory_mib": peak_memory_mib(),
        "host": platform.node(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "gpus": gpu_names(),
        "workflow_commit": workflow_commit(),
        "versions": dict(versions()),
    }
    write_json(record | what, file)


def what_was_made(job: WorkflowJob, read: FilesRead) -> dict[str, Any]:
    """Rule, wildcards and params of a job, and the hashes of what it read and wrote."""
    began = time.monotonic()
    outputs = describe_outputs(job.output)
    return {
        "rule": job.rule,
        "wildcards": {name: str(value) for name, value in job.wildcards.items()},
        "params": {name: plain(value) for name, value in job.params.items()},
        "inputs": read.inputs,
        "outputs": outputs,
        "hashing_seconds": round(read.seconds + time.monotonic() - began, 3),
    }


def plain(value: Any) -> Any:
    """A param as JSON has it."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def peak_memory_mib() -> float | None:
    """The largest resident memory of this process so far; None where the system has no /proc (getrusage would count a
    parent's memory as well).
    """
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) / 1024, 1)
    return None


def gpu_names() -> list[str]:
    """The GPUs that this process has used; PyTorch is not imported for it."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return []
    return [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]


def workflow_commit() -> str | None:
    """The commit that the workflow's files are at, with ``+`` where they were changed since; None outside git."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=10)
        changed = subprocess.run(
            [*git, "status", "--porcelain", "--untracked-files=no"],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return commit.stdout.strip() + ("+" if changed.stdout.strip() else "")


def versions() -> list[tuple[str, str]]:
    """Python, this package with its algorithm versions, and the packages that it needs at run time."""
    stages = ", ".join(f"{stage} {number}" for stage, number in ALGORITHM_VERSION.items())
    found = [("Python", platform.python_version()), (PACKAGE, _version(PACKAGE)), ("algorithm versions", stages)]
    return [*found, *((name, _version(name)) for name in required_packages())]


def required_packages() -> list[str]:
    """Names of the packages that this one requires, without its extras."""
    try:
        requirements = metadata.requires(PACKAGE) or []
    except metadata.PackageNotFoundError:
        return []
    return [re.split(r"[^A-Za-z0-9._-]", text)[0] for text in requirements if "extra ==" not in text]


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
