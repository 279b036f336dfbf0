"""``inspect RESULTS``: what is there, how large it is, and whether it is complete."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from coactivation_manifolds.activations.index_files import open_tokens
from coactivation_manifolds.cli.results_folder import config_of_results, find_results, size_text
from coactivation_manifolds.errors import CoactivationError, ResultsError
from coactivation_manifolds.experiment.expected_files import STAGES, expected_files
from coactivation_manifolds.experiment.files import Config
from coactivation_manifolds.storage import open_table, read_array, read_json, sha256_file

FOREIGN_FORMATS = "trained"
"""The folder whose files are transformers' and sae-lens's."""

SHOWN = 5


@dataclass
class Stage:
    """What one stage has and lacks; ``expected`` is None where that isn't known."""

    name: str
    present: list[Path] = field(default_factory=list)
    size: int = 0
    expected: int | None = None
    missing: list[Path] = field(default_factory=list)

    @property
    def state(self) -> str:
        """In one or two words."""
        if self.expected is None:
            return "there"
        if not self.missing:
            return "complete"
        return "missing" if len(self.missing) == self.expected else f"{len(self.missing)} of {self.expected} missing"


def inspect(name: str, *, verify: bool, list_missing: bool) -> int:
    """Print the state of an experiment's results.

    Returns
    -------
    int
        0 where nothing is missing (or it isn't known what should be there), 1 where something is, 4 where a file is
        damaged or of a newer format.

    Raises
    ------
    ResultsError
        There are no such results.

    """
    folder = find_results(name)
    config = config_of_results(folder)
    stages = survey(folder, config if isinstance(config, dict) else None)
    print(table(folder, stages))
    if isinstance(config, str):
        print(f"what a finished run would have is not known: {config}")
    missing = [path for stage in stages for path in stage.missing]
    if missing:
        print(missing_text(folder, missing, list_all=list_missing))
    leftovers = sorted(folder.rglob(".*.tmp"))
    if leftovers:
        print(f"{len(leftovers)} temporary files of killed jobs, safe to delete while nothing runs: {leftovers[0]} ...")
    problems = damaged_files(folder, verify=verify)
    for problem in problems:
        print(f"error: {problem}")
    if problems:
        return ResultsError.exit_code
    return 1 if missing else 0


def survey(folder: Path, config: Config | None) -> list[Stage]:
    """Every stage that has files or should have."""
    stages: dict[str, Stage] = defaultdict(lambda: Stage(""))
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.endswith(".tmp"):
            parts = path.relative_to(folder).parts
            stage = stages[parts[0] if len(parts) > 1 else Path(parts[0]).stem]
            stage.present.append(path)
            stage.size += path.stat().st_size
    if config is not None:
        for name, files in expected_files(config).items():
            here = [folder / Path(*file.parts[2:]) for file in files]
            stages[name].expected = len(here)
            stages[name].missing = [path for path in here if not path.is_file()]
    for name, stage in stages.items():
        stage.name = name
    order = {name: position for position, name in enumerate(STAGES)}
    return sorted(stages.values(), key=lambda stage: (order.get(stage.name, len(order)), stage.name))


def table(folder: Path, stages: list[Stage]) -> str:
    """The state of all stages, one line each."""
    total = sum(stage.size for stage in stages)
    n_files = sum(len(stage.present) for stage in stages)
    lines = [f"{folder}: {n_files:,} files, {size_text(total)}"]
    lines += [
        f"  {stage.name:<13} {len(stage.present):>7,} files  {size_text(stage.size):>10}  {stage.state}"
        for stage in stages
    ]
    return "\n".join(lines)


def missing_text(folder: Path, missing: list[Path], *, list_all: bool) -> str:
    """The missing files, and how they are made."""
    shown = missing if list_all else missing[:SHOWN]
    rest = "" if len(shown) == len(missing) else f"\n  ... and {len(missing) - len(shown):,} more (--missing lists all)"
    return (
        f"{len(missing):,} files are missing; make them with: snakemake --profile local {folder}/report.html\n"
        + "\n".join(f"  {path}" for path in shown)
        + rest
    )


def damaged_files(folder: Path, *, verify: bool) -> list[str]:
    """Files that can't be read, are of a newer format, or differ from their manifest; one line each."""
    problems = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.relative_to(folder).parts[0] == FOREIGN_FORMATS or path.name.startswith("."):
            continue
        try:
            check_file(path, verify=verify)
        except CoactivationError as error:
            problems.append(" ".join(str(error).split()))
    return problems


def check_file(path: Path, *, verify: bool) -> None:
    """Read what says a file's format: a table's footer, a JSON object, an array's header.

    Raises
    ------
    CoactivationError
        Damaged, or of a newer format, or a part that is not as its manifest says.

    """
    if path.suffix == ".parquet":
        open_table(path).close()
    elif path.suffix == ".npy":
        read_array(path, mmap=True)
    elif path.suffix == ".arrow":
        open_tokens(path)
    elif path.suffix == ".json":
        content = read_json(path)
        if path.name == "manifest.json":
            check_parts(path, content, verify=verify)


def check_parts(manifest: Path, content: dict[str, object], *, verify: bool) -> None:
    """Whether a shard's parts are there, and have the bytes that the manifest recorded.

    Raises
    ------
    ResultsError
        A part is missing or changed.

    """
    parts = content.get("parts")
    for part in parts if isinstance(parts, list) else []:
        path = manifest.parent / str(part["file"])
        if not path.is_file():
            raise ResultsError(
                f"{path} is missing, but {manifest} lists it; delete {manifest} and run the same command again"
            )
        if verify and sha256_file(path) != part["sha256"]:
            raise ResultsError(
                f"{path} was changed since it was written (its SHA-256 differs from {manifest}); "
                f"delete it and {manifest}, and run the same command again"
            )
