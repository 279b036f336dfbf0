"""Putting imported parts in the place of an earlier import's, and nothing else."""

from __future__ import annotations

import logging
import re
import shutil
from pathlib import Path

from coactivation_manifolds.activations.part_records import PART_NAME, read_part_record
from coactivation_manifolds.disk_errors import storage_errors
from coactivation_manifolds.errors import CoactivationError, ResultsError

SHARD_FOLDER = re.compile(r"shard=([0-9]{6})")
MANIFEST = "manifest.json"

logger = logging.getLogger(__name__)


def shard_folder(folder: Path, shard: int) -> Path:
    """The folder of a shard: shard=000000."""
    return folder / f"shard={shard:06d}"


def shard_folders(folder: Path) -> dict[int, Path]:
    """The shards' folders that are there, by number."""
    if not folder.is_dir():
        return {}
    matches = [(SHARD_FOLDER.fullmatch(path.name), path) for path in folder.iterdir() if path.is_dir()]
    return dict(sorted((int(match[1]), path) for match, path in matches if match))


def parts_in(folder: Path) -> list[Path]:
    """The part files of a shard's folder, sorted."""
    return sorted(path for path in folder.iterdir() if PART_NAME.fullmatch(path.name))


def refuse_harvested(folder: Path) -> None:
    """Stop before an import would take the place of harvested shards, which cost GPU hours.

    Raises
    ------
    ResultsError
        The folder holds parts that no import has made.

    """
    for shard in shard_folders(folder).values():
        for part in parts_in(shard):
            try:
                harvested = not read_part_record(part).extra.get("imported")
            except CoactivationError:
                continue
            if harvested:
                raise ResultsError(
                    f"{part} was harvested from a model, not imported: give the experiment with imported activations "
                    f"another name, or delete {folder} if the harvest is not needed"
                )


def move_into_place(staging: Path, folder: Path, *, n_shards: int) -> None:
    """Replace all shards below ``folder`` by those of ``staging``; shards beyond ``n_shards`` are removed.

    Manifests go first: a folder whose parts are being replaced is not a complete shard.
    """
    with storage_errors(folder):
        for number, old in shard_folders(folder).items():
            if number >= n_shards:
                logger.warning("removing %s: the import now has %d shards", old, n_shards)
            (old / MANIFEST).unlink(missing_ok=True)
            for part in parts_in(old):
                part.unlink()
            if number >= n_shards and not any(old.iterdir()):
                old.rmdir()
        for number in range(n_shards):
            target = shard_folder(folder, number)
            target.mkdir(parents=True, exist_ok=True)
            new = shard_folder(staging, number)
            for part in parts_in(new) if new.is_dir() else []:
                part.replace(target / part.name)
        shutil.rmtree(staging, ignore_errors=True)
