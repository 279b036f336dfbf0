"""The records of ``provenance/`` as a whole: which job wrote a file, from what, and with which hash."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from coactivation_manifolds.errors import CoactivationError
from coactivation_manifolds.experiment.config import split_name
from coactivation_manifolds.file_kinds import FileKind, kind_of
from coactivation_manifolds.storage import read_json

NAME = PurePosixPath("results/x")
"""Stands for an experiment's folder where a path is matched with the table of kinds: a copy may have any name."""

PLACES = ("provenance", "null/*/provenance")
"""Of an experiment and of its shifted controls."""


@dataclass(frozen=True)
class JobRecord:
    """One file of ``provenance/``; its paths are relative to the experiment's folder where they lie in it.

    Attributes
    ----------
    file
        Where it lies.
    content
        As written.

    """

    file: Path
    content: Mapping[str, Any]

    @property
    def rule(self) -> str:
        """The rule of the job; from the file's name where the record is of an older version."""
        return str(self.content.get("rule") or self.file.name.split(".")[0])

    @cached_property
    def outputs(self) -> dict[str, Mapping[str, Any]]:
        """What was written, by path below the experiment's folder."""
        return {self._relative(each["path"]): each for each in self.content.get("outputs", [])}

    @cached_property
    def inputs(self) -> dict[str, Mapping[str, Any]]:
        """What was read, by path: below the experiment's folder, or as it was named where it lies elsewhere."""
        return {self._relative(each["path"]): each for each in self.content.get("inputs", [])}

    def _relative(self, path: str) -> str:
        source, _ = split_name(str(self.content.get("wildcards", {}).get("experiment", "")))
        return path.removeprefix(f"results/{source}/")


class Records:
    """All records of one experiment and of its shifted controls.

    Attributes
    ----------
    folder
        The experiment's folder.
    unreadable
        Records that can't be read, each with what is wrong with it.

    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.unreadable: dict[Path, str] = {}
        self._by_name: dict[str, JobRecord] = {}
        for place in PLACES:
            for file in sorted(folder.glob(f"{place}/*.json")):
                try:
                    content = read_json(file)
                except CoactivationError as error:
                    self.unreadable[file] = str(error)
                    continue
                if is_sound(content):
                    self._by_name[file.relative_to(folder).as_posix()] = JobRecord(file, content)
                else:
                    self.unreadable[file] = "is damaged: it does not describe a job"

    def __iter__(self) -> Iterator[JobRecord]:
        return iter(self._by_name.values())

    @cached_property
    def by_output(self) -> dict[str, JobRecord]:
        """The record of the job that wrote each file."""
        return {path: record for record in self for path in record.outputs}

    def named(self, place: str, name: str) -> JobRecord | None:
        """The record of this name of the experiment (place ``""``) or of a control (``null/shift_s0/``)."""
        return self._by_name.get(f"{place}provenance/{name}")

    def of_file(self, relative: str) -> JobRecord | None:
        """The record of the job that wrote a file, also of one that the job did not declare."""
        if relative in self.by_output:
            return self.by_output[relative]
        found = kind_below(relative)
        if found is None:
            return None
        kind, wildcards = found
        place = place_of(wildcards["experiment"])
        named = (self.named(place, name) for name in kind.record_names(wildcards))
        return next((record for record in named if record is not None), None)


def is_sound(content: Mapping[str, Any]) -> bool:
    """Whether a record has what is read of it; one of an older version names neither inputs nor outputs."""
    files = [content.get("inputs", []), content.get("outputs", [])]
    parts = [content.get("wildcards", {}), content.get("params", {}), content.get("versions", {})]
    return (
        all(isinstance(part, Mapping) for part in parts)
        and all(isinstance(each, list) and all(map(is_described, each)) for each in files)
        and all("sha256" in each and not PurePosixPath(each["path"]).is_absolute() for each in files[1])
    )


def is_described(file: Any) -> bool:
    """Whether an input or output has a path that climbs nowhere, a size, and a hash."""
    return (
        isinstance(file, Mapping)
        and isinstance(file.get("path"), str)
        and isinstance(file.get("size"), int)
        and any(isinstance(file.get(key), str) for key in ("sha256", "sha256_of_sample"))
        and ".." not in PurePosixPath(file["path"]).parts
    )


def kind_below(relative: str) -> tuple[FileKind, Mapping[str, str]] | None:
    """The kind of a file by its path below an experiment's folder."""
    return kind_of(str(NAME / relative))


def place_of(experiment: str) -> str:
    """Where an experiment's files begin below its folder: nowhere further in, or a control's folder."""
    _, _, control = experiment.partition("/")
    return f"{control}/" if control else ""


def target_below(kind: FileKind, wildcards: Mapping[str, str]) -> str:
    """What Snakemake is asked for to make a file, below the experiment's folder."""
    return kind.target.format(**wildcards).removeprefix(f"{NAME}/")
