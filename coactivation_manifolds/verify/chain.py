"""The chain of jobs behind a file, back to the corpus, the model or the files that were imported."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coactivation_manifolds import paths
from coactivation_manifolds.errors import CoactivationError, ResultsError
from coactivation_manifolds.storage import read_json
from coactivation_manifolds.verify.records import JobRecord, Records

VERSION_KEYS = ("version", "figures_version", "geometry_version")


@dataclass(frozen=True)
class Step:
    """One job of a chain.

    Attributes
    ----------
    record
        Of the job.
    alike
        How many jobs of the same rule stand behind the same files: shards.
    given
        What it read that no job of the experiment wrote, by path, with size and hash.

    """

    record: JobRecord
    alike: int
    given: dict[str, Any]


def chain_of(records: Records, relative: str) -> list[Step]:
    """The jobs behind a file, from the one that wrote it back to the first, by when they began.

    Jobs of one rule stand together, as one of them.

    Raises
    ------
    ResultsError
        No record tells how the file was made.

    """
    first = records.of_file(relative)
    if first is None:
        raise ResultsError(
            f"{records.folder / relative}: no file of {records.folder / 'provenance'} tells how it was made; it is "
            "none of the workflow's, or its record was deleted"
        )
    if "inputs" not in first.content:
        raise ResultsError(f"{first.file} names no inputs: it was written by an earlier version of this package")
    by_rule: dict[tuple[str, str], list[JobRecord]] = {}
    for record in behind(records, first):
        experiment = str(record.content.get("wildcards", {}).get("experiment", ""))
        by_rule.setdefault((experiment, record.rule), []).append(record)
    steps = [Step(alike[0], len(alike), given_to(records, alike)) for alike in by_rule.values()]
    return sorted(steps, key=lambda step: str(step.record.content.get("started")), reverse=True)


def behind(records: Records, first: JobRecord) -> Iterator[JobRecord]:
    """A job, then all jobs behind it, the nearer first, each once."""
    seen, waiting = {first.file}, [first]
    while waiting:
        record = waiting.pop(0)
        yield record
        for path in record.inputs:
            source = records.of_file(path)
            if source is not None and source.file not in seen:
                seen.add(source.file)
                waiting.append(source)


def given_to(records: Records, alike: list[JobRecord]) -> dict[str, Any]:
    """What jobs read that no job of the experiment wrote."""
    return {path: read for record in alike for path, read in record.inputs.items() if records.of_file(path) is None}


def params_text(step: Step) -> str:
    """The params of a job in one line: its algorithm version, then what it was set to."""
    params = dict(step.record.content.get("params", {}))
    versions = [f"{key} {params.pop(key)}" for key in VERSION_KEYS if key in params]
    return ", ".join([*versions, *flat(params)])


def flat(params: Any, name: str = "") -> Iterator[str]:
    """Nested params as ``section.key=value``."""
    if isinstance(params, dict):
        for key, value in params.items():
            yield from flat(value, f"{name}.{key}" if name else str(key))
    else:
        yield f"{name}={params}"


def origin(records: Records, step: Step) -> list[str]:
    """Where a chain ends: the corpus and its revision, the model's commit, or what was imported."""
    content, folder = step.record.content, step.record.file.parent.parent
    if step.record.rule == "plan_corpus":
        corpus = content.get("params", {}).get("corpus") or {}
        names = ("source", "name", "subset", "split", "path", "revision")
        return ["corpus: " + ", ".join(f"{name} {corpus[name]}" for name in names if corpus.get(name) is not None)]
    if step.record.rule == "harvest_shard":
        manifest = folder / f"activations/shard={content['wildcards']['shard']}/manifest.json"
        return model_lines(manifest)
    if step.record.rule == "import_activations":
        return ["imported: the activations were made elsewhere"]
    return []


def model_lines(manifest: Path) -> list[str]:
    """The model's commit, as the harvest found it."""
    try:
        commit = read_json(manifest).get("model_commit")
    except CoactivationError:
        return []
    return [f"model commit: {commit}"] if commit else []


def relative_to_experiment(path: Path) -> tuple[Path, str]:
    """The folder of the experiment that a result lies in, and the rest of its path.

    Raises
    ------
    ResultsError
        The path is not one of a results folder with provenance.

    """
    resolved = path.resolve()
    folders = [folder for folder in resolved.parents if (folder / Path(paths.PROVENANCE).name).is_dir()]
    if not folders:
        raise ResultsError(f"{path} lies in no results folder: there is no provenance/ above it")
    folder = folders[-1]  # a control lies within its experiment
    shown = path.parents[len(resolved.relative_to(folder).parts) - 1] if path.parts else folder
    return shown, resolved.relative_to(folder).as_posix()
