"""Input files of each import format, made from dense matrices, and what an import made of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import scipy.sparse

from coactivation_manifolds.activations.activation_reader import read_manifest, read_manifests, read_shard
from coactivation_manifolds.activations.importers import import_activations, publish_import_shard
from coactivation_manifolds.activations.token_rows import TokenRows, concatenate
from coactivation_manifolds.storage import read_json


def entries_of(rows: TokenRows) -> dict[str, np.ndarray]:
    """The arrays of ``npz_shards``."""
    of_entries = rows.row_of_entries()
    return {
        "token_indices": rows.token_index[of_entries],
        "latent_indices": rows.feature_ids.astype(np.int32),
        "activations": rows.activations,
        "doc_ids": rows.doc_id[of_entries].astype(np.int32),
        "token_ids": rows.token_id[of_entries],
        "positions": rows.position_in_doc[of_entries].astype(np.int16),
    }


def write_npz_shards(folder: Path, rows: TokenRows, entries_per_file: int, **changes: Any) -> None:
    """The rows as npz files of so many entries; ``changes`` replace arrays, None drops one."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = {name: array for name, array in (entries_of(rows) | changes).items() if array is not None}
    for number, start in enumerate(range(0, max(1, rows.n_entries), entries_per_file)):
        part = {name: array[start : start + entries_per_file] for name, array in entries.items()}
        np.savez(folder / f"shard_{number:05d}.npz", **part)


def write_parquet(folder: Path, rows: TokenRows, rows_per_file: int, *, row_group_size: int = 3) -> None:
    """The rows as Parquet files of so many rows."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, start in enumerate(range(0, max(1, rows.n_tokens), rows_per_file)):
        part = rows.rows(start, min(start + rows_per_file, rows.n_tokens))
        pq.write_table(part.to_table(), folder / f"{number:03d}.parquet", row_group_size=row_group_size)


def write_csr(folder: Path, rows: TokenRows, *, kind: str = "csr") -> None:
    """The rows as a sparse matrix with its token table."""
    folder.mkdir(parents=True, exist_ok=True)
    shape = (rows.n_tokens, rows.n_latents)
    values = rows.activations.astype(np.float32)
    matrix = scipy.sparse.csr_array((values, rows.feature_ids.astype(np.int32), rows.offsets), shape=shape)
    scipy.sparse.save_npz(folder / "matrix.npz", matrix.asformat(kind))
    table = rows.to_table().drop_columns(["feature_ids", "activations"])
    table = table.add_column(0, "token_row", [np.arange(rows.n_tokens)])
    pq.write_table(table, folder / "tokens.parquet", row_group_size=4)


def settings_of(kind: str, folder: Path, n_latents: int, **changes: Any) -> dict[str, Any]:
    """The ``activations`` section for files written by the functions above."""
    tokens = str(folder / "tokens.parquet") if kind == "csr" else None
    path = str(folder / "matrix.npz") if kind == "csr" else str(folder)
    return {"format": kind, "path": path, "n_latents": n_latents, "shards": 1, "tokens": tokens} | changes


def run_import(settings: dict[str, Any], folder: Path) -> list[Path]:
    """Import and publish all shards; the manifests."""
    record = folder / "activations/import.json"
    import_activations(settings, record_path=record)
    manifests = []
    for manifest in read_json(record)["shards"]:
        path = folder / f"activations/shard={manifest['shard']:06d}/manifest.json"
        publish_import_shard(manifest["shard"], record_path=record, manifest_path=path)
        assert {key: value for key, value in read_manifest(path).items() if key != "format_version"} == manifest
        manifests.append(path)
    return manifests


def imported_rows(manifests: list[Path]) -> TokenRows:
    """All rows of an import, with the shards' cut checked."""
    found = read_manifests(manifests)
    total, shards = sum(manifest["n_tokens"] for manifest in found), len(found)
    sizes = [(shard + 1) * total // shards - shard * total // shards for shard in range(shards)]
    assert [manifest["n_tokens"] for manifest in found] == sizes
    return concatenate((read_shard(path) for path in manifests), found[0]["n_latents"])
