"""One folder for a paper's supplement: tables, figures, configuration, provenance, and the hashes of them all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from coactivation_manifolds import paths
from coactivation_manifolds.disk_errors import storage_errors
from coactivation_manifolds.errors import ConfigError, ResultsError
from coactivation_manifolds.provenance import versions, workflow_commit
from coactivation_manifolds.storage import write_json, write_text
from coactivation_manifolds.temporaries import temporary_folder
from coactivation_manifolds.verify.files import files_below
from coactivation_manifolds.verify.records import Records, kind_below
from coactivation_manifolds.verify.repair import damaged_file

MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
PIECE_BYTES = 1 << 20


def export_results(
    folder: Path, target: Path, *, experiment: str, config_files: Mapping[str, Path], edges: bool
) -> dict[str, Any]:
    """Copy what a supplement needs, and write ``manifest.json`` and ``SHA256SUMS`` beside it.

    The folder appears under its name when it is complete.

    Parameters
    ----------
    folder
        The experiment's results.
    target
        The folder to make; it must not exist, or be empty.
    experiment
        Its name.
    config_files
        Files of the configuration, by the name that they get below ``config/``.
    edges
        Also take ``similarity/edges.parquet``, which may be gigabytes.

    Returns
    -------
    dict
        The content of ``manifest.json``.

    Raises
    ------
    ConfigError
        The target is in use, or lies among the results.
    ResultsError
        There is nothing to export, or a file was changed since its job wrote it.

    """
    check_target(folder, target)
    records = Records(folder)
    results = sorted(exported(folder, edges=edges))
    if not results:
        raise ResultsError(f"{folder} has no tables or figures yet; make them with: snakemake {folder}/report.html")
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    with storage_errors(target), temporary_folder(target) as growing:
        listed = [copied(folder, relative, growing, records) for relative in results]
        for name, source in config_files.items():
            listed.append(copy_file(source, growing, f"config/{name}"))
        listed.sort(key=lambda each: str(each["path"]))
        content: dict[str, Any] = {
            "experiment": experiment,
            "workflow_commit": workflow_commit(),
            "versions": dict(versions()),
            "files": listed,
        }
        write_json(content, growing / MANIFEST)
        lines = [f"{each['sha256']}  {each['path']}\n" for each in listed]
        write_text("".join(lines), growing / SUMS)
        if target.is_dir():
            target.rmdir()
        growing.rename(target)
    return content


def check_target(folder: Path, target: Path) -> None:
    """Stop where the target would overwrite something, or lie where only the workflow writes."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigError(f"{target} exists and is not empty; choose another folder")
    results = folder.resolve().parent if folder.resolve().parent.name == "results" else folder.resolve()
    if target.resolve().is_relative_to(results):
        raise ConfigError(f"{target} lies in {results}, where only the workflow writes; choose another folder")


def exported(folder: Path, *, edges: bool) -> Iterator[str]:
    """The results that are taken along: those that the table of kinds names, and the records of provenance."""
    for relative in files_below(folder):
        found = kind_below(relative)
        wanted = found is not None and found[0].exported
        if wanted and (edges or found is None or found[0].template != paths.EDGES):
            yield relative
    for place in ("provenance", "null/*/provenance"):
        yield from (path.relative_to(folder).as_posix() for path in folder.glob(f"{place}/*.json"))


def copied(folder: Path, relative: str, target: Path, records: Records) -> dict[str, Any]:
    """Copy one result, after comparing it with the hash that its job recorded.

    Raises
    ------
    ResultsError
        It was changed since, or is a link that leads out of the results.

    """
    if not (folder / relative).resolve().is_relative_to(folder.resolve()):
        raise ResultsError(
            f"{folder / relative} leads to a file outside of {folder}, which may be anything; put the file itself there"
        )
    entry = copy_file(folder / relative, target, relative)
    record = records.by_output.get(relative)
    if record is not None and record.outputs[relative]["sha256"] != entry["sha256"]:
        what = "was changed since its job wrote it"
        raise ResultsError(
            f"{folder / relative} {what}; make it anew with: {damaged_file(folder, relative, what).repair}"
        )
    return entry


def copy_file(source: Path, target: Path, name: str) -> dict[str, Any]:
    """Copy a file in pieces, and describe the copy: path, bytes, SHA-256."""
    place = target / name
    place.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as reader, place.open("wb") as writer:
        while piece := reader.read(PIECE_BYTES):
            digest.update(piece)
            writer.write(piece)
            size += len(piece)
    return {"path": name, "bytes": size, "sha256": digest.hexdigest()}
