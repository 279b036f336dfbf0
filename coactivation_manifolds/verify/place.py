"""One experiment's files as the deep checks see them: the experiment's own, or those of one of its controls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from coactivation_manifolds import paths
from coactivation_manifolds.file_kinds import FileKind
from coactivation_manifolds.verify.files import files_below
from coactivation_manifolds.verify.records import Records, kind_below, place_of
from coactivation_manifolds.verify.repair import Problem, damaged_file


@dataclass(frozen=True)
class Place:
    """Where files lie, and how they were made.

    Attributes
    ----------
    folder
        The experiment's folder.
    inner
        ``""``, or the control's place below it: ``null/shift_s0/``.
    records
        Of the experiment and its controls.

    """

    folder: Path
    inner: str
    records: Records

    @property
    def name(self) -> str:
        """The place in words."""
        return self.inner.rstrip("/") or "the experiment"

    def path(self, template: str, **wildcards: str | int) -> Path:
        """The file of a template."""
        filled = paths.fill(template, experiment="x", **wildcards)
        return self.folder / self.inner / Path(*filled.parts[2:])

    @cached_property
    def _files(self) -> list[tuple[Path, FileKind, Mapping[str, str]]]:
        kinds = ((relative, kind_below(relative)) for relative in sorted(files_below(self.folder)))
        found = [(self.folder / relative, *kind) for relative, kind in kinds if kind is not None]
        return [each for each in found if place_of(each[2]["experiment"]) == self.inner]

    def all_of(self, template: str) -> list[tuple[Path, Mapping[str, str]]]:
        """The files of a template that are there, with their wildcards, in the order of their names."""
        return [(path, wildcards) for path, kind, wildcards in self._files if kind.template == template]

    def tables_with(self, *columns: str) -> list[tuple[Path, Mapping[str, str]]]:
        """The tables that are there whose kind has these columns."""
        return [
            (path, wildcards)
            for path, kind, wildcards in self._files
            if any(set(columns) <= set(schema.names) for schema in kind.schemas)
        ]

    @cached_property
    def manifests(self) -> list[tuple[str, Path]]:
        """Name and manifest of each shard, in order; those that the edges were not made of are left over."""
        found = [(wildcards["shard"], path) for path, wildcards in self.all_of(paths.MANIFEST)]
        edges = self.records.of_file(f"{self.inner}{Path(*Path(paths.EDGES).parts[2:])}")
        read = [kind_below(path) for path in edges.inputs] if edges is not None else []
        used = {kind[1]["shard"] for kind in read if kind is not None and kind[0].template == paths.SHARD_MARGINALS}
        return [(shard, path) for shard, path in found if not used or shard in used]

    def problem(self, path: Path, what: str) -> Problem:
        """Something wrong with a file."""
        return damaged_file(self.folder, path.relative_to(self.folder).as_posix(), what)

    def params_of(self, path: Path) -> Mapping[str, Any] | None:
        """The params of the job that wrote a file; None where that isn't recorded."""
        record = self.records.of_file(path.relative_to(self.folder).as_posix())
        found = None if record is None else record.content.get("params")
        return found if isinstance(found, Mapping) else None

    def settings_of(self, clustering: str) -> Mapping[str, Any] | None:
        """What decides which tokens are a cluster's points, as a job of this clustering's geometry recorded it."""
        for record in self.records:
            wildcards, params = record.content.get("wildcards", {}), record.content.get("params", {})
            settings = params.get("settings")
            here = (
                place_of(str(wildcards.get("experiment"))) == self.inner and wildcards.get("clustering") == clustering
            )
            if here and isinstance(settings, Mapping) and {"min_active", "positions"} <= set(settings):
                return settings
        return None


def places_of(folder: Path, records: Records) -> list[Place]:
    """The experiment and each of its controls."""
    controls = sorted(path for path in folder.glob("null/shift_s*") if path.is_dir())
    inner = ["", *(f"{path.relative_to(folder).as_posix()}/" for path in controls)]
    return [Place(folder, each, records) for each in inner]
