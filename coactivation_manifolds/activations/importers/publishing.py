"""Committing imported shards one by one, so that every later stage sees them as it sees harvested ones."""

from __future__ import annotations

from pathlib import Path

from coactivation_manifolds.errors import ResultsError
from coactivation_manifolds.storage import PathLike, command_to_restore, read_json, sha256_file, write_json


def publish_import_shard(shard: int, *, record_path: PathLike, manifest_path: PathLike) -> None:
    """Write the manifest of one imported shard, after checking that its parts are there and unchanged.

    Parameters
    ----------
    shard
        Its number.
    record_path
        activations/import.json.
    manifest_path
        The manifest, in the folder of the parts.

    Raises
    ------
    ResultsError
        The import has no such shard, or a part is missing or was changed.

    """
    remedy = (
        f"delete {record_path} and run the same command again, which imports anew: {command_to_restore(record_path)}"
    )
    record = read_json(record_path)
    manifests = {manifest["shard"]: manifest for manifest in record.get("shards", [])}
    if shard not in manifests:
        raise ResultsError(f"{record_path} has no shard {shard} (it has {len(manifests)}); {remedy}")
    for part in manifests[shard]["parts"]:
        path = Path(manifest_path).with_name(part["file"])
        if not path.exists():
            raise ResultsError(f"{path} is missing; {remedy}")
        if sha256_file(path) != part["sha256"]:
            raise ResultsError(f"{path} was changed after it was imported; {remedy}")
    write_json(manifests[shard], manifest_path)
