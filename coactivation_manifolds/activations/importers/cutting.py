"""Importing: one pass over the input, checked, cut into equal shards of parts, moved into place when all is right."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from coactivation_manifolds.activations.activation_writer import ShardWriter, fingerprint_hash
from coactivation_manifolds.activations.importers.csr_source import CsrSource
from coactivation_manifolds.activations.importers.npz_source import NpzSource
from coactivation_manifolds.activations.importers.parquet_source import ParquetSource
from coactivation_manifolds.activations.importers.placing import move_into_place, refuse_harvested, shard_folder
from coactivation_manifolds.activations.importers.source import Block, Source
from coactivation_manifolds.activations.row_checks import check_columns
from coactivation_manifolds.activations.token_rows import TokenRows, concatenate
from coactivation_manifolds.algorithm_versions import ALGORITHM_VERSION
from coactivation_manifolds.errors import ConfigError, InputError, nearest, one_line
from coactivation_manifolds.storage import PathLike, sha256_file, write_json, write_table

PART_ROWS = 8_192
"""Tokens in a part."""

STAGING = ".importing"
"""Folder beside the shards in which an import grows until all input was found right."""

SOURCES: dict[str, type[ParquetSource] | type[CsrSource] | type[NpzSource]] = {
    "parquet": ParquetSource,
    "csr": CsrSource,
    "npz_shards": NpzSource,
}

logger = logging.getLogger(__name__)


def import_activations(
    settings: Mapping[str, Any], *, record_path: PathLike, vocab_path: PathLike | None = None
) -> None:
    """Check given activations, cut their rows in token_index order into equal shards, and write their parts.

    The parts lie in ``shard=000000/`` and so on beside the record; manifests are written by
    ``publish_import_shard``. Until the whole input was read and found right, nothing of an earlier import is touched.

    Parameters
    ----------
    settings
        The ``activations`` section: format, path, n_latents, and optionally shards (1) and tokens.
    record_path
        activations/import.json: what was read and the content of each shard's manifest.
    vocab_path
        metadata/vocab.parquet: texts of token ids, none where the input tells none; null writes no file.

    Raises
    ------
    ConfigError
        Unknown format.
    InputError
        Something is wrong with the input; the message names file and row.
    ResultsError
        The folder holds harvested shards.

    """
    folder = Path(record_path).parent
    refuse_harvested(folder)
    source = open_source(settings)
    files = [{"name": path.name, "sha256": sha256_file(path)} for path in source.files]
    fingerprint = describe_input(files, settings)
    staging = folder / STAGING
    try:
        manifests = cut_into_shards(source, settings, fingerprint, staging)
    except InputError:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    for note in source.notes:
        logger.warning("%s", one_line(note))
    move_into_place(staging, folder, n_shards=len(manifests))
    if vocab_path is not None:
        write_table(source.vocabulary, vocab_path)
    record = {
        "format": settings["format"],
        "n_latents": int(settings["n_latents"]),
        "n_tokens": source.n_rows,
        "n_entries": sum(manifest["n_entries"] for manifest in manifests),
        "files": files,
        "notes": source.notes,
        "fingerprint": fingerprint,
        "shards": manifests,
    }
    write_json(record, record_path)
    logger.info("%d tokens with %d entries in %d shards", record["n_tokens"], record["n_entries"], len(manifests))


def open_source(settings: Mapping[str, Any]) -> Source:
    """The reader of the format that the settings name.

    Raises
    ------
    ConfigError
        Unknown format.

    """
    name = str(settings["format"])
    if name not in SOURCES:
        raise ConfigError(
            f'activations.format: "{name}" is unknown{nearest(name, SOURCES)}; known: {", ".join(SOURCES)}'
        )
    if settings.get("tokens") and name != "csr":
        raise ConfigError("activations.tokens is for the format csr; the other formats hold the tokens themselves")
    return SOURCES[name](settings)


def describe_input(files: Sequence[Mapping[str, str]], settings: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the parts: the files by content, and how they are cut."""
    return {
        "imported": settings["format"],
        "n_latents": int(settings["n_latents"]),
        "shards": int(settings.get("shards") or 1),
        "input_sha256": fingerprint_hash({"files": files}),
        "part_rows": PART_ROWS,
        "version": ALGORITHM_VERSION["import"],
    }


def cut_into_shards(
    source: Source, settings: Mapping[str, Any], fingerprint: Mapping[str, Any], staging: Path
) -> list[dict[str, Any]]:
    """Write all parts below ``staging``, taking over those that an earlier attempt left; the manifests' contents."""
    n_latents, n_shards = int(settings["n_latents"]), int(settings.get("shards") or 1)
    stream = RowStream(in_order(source.blocks()), n_latents)
    manifests = []
    for shard in range(n_shards):
        n_rows = (shard + 1) * source.n_rows // n_shards - shard * source.n_rows // n_shards
        expected = {number: min(PART_ROWS, n_rows - start) for number, start in enumerate(range(0, n_rows, PART_ROWS))}
        writer = ShardWriter(shard_folder(staging, shard), shard=shard, n_latents=n_latents, fingerprint=fingerprint)
        done = writer.completed_parts(expected)
        for number, size in expected.items():
            rows = stream.take(size)
            if number not in done:
                writer.write_part(number, rows, first_batch=number, last_batch=number, extra={"imported": True})
        manifests.append(writer.manifest(expected_parts=len(expected)))
        logger.info("shard %d of %d: %d tokens", shard + 1, n_shards, n_rows)
    stream.finish()
    return manifests


def in_order(blocks: Iterator[Block]) -> Iterator[TokenRows]:
    """The rows of blocks, after checking that each block goes on where the one before ended.

    Raises
    ------
    InputError
        token_index, doc_id or position_in_doc fall from one block to the next.

    """
    last: TokenRows | None = None
    for block in blocks:
        if not block.rows.n_tokens:
            continue
        first = without_entries(block.rows.rows(0, 1))
        if last is not None:
            pair = concatenate([last, first], first.n_latents)
            check_columns(pair, source=block.file, first_row=block.first_row - 1, error=InputError)
        last = without_entries(block.rows.rows(block.rows.n_tokens - 1, block.rows.n_tokens))
        yield block.rows


def without_entries(rows: TokenRows) -> TokenRows:
    """The tokens alone, as if nothing fired on them."""
    return replace(
        rows,
        offsets=np.zeros(rows.n_tokens + 1, np.int64),
        feature_ids=rows.feature_ids[:0],
        activations=rows.activations[:0],
        raised=rows.raised[:0],
    )


class RowStream:
    """Rows taken from blocks of any size in pieces of any other size."""

    def __init__(self, blocks: Iterator[TokenRows], n_latents: int) -> None:
        self._blocks = blocks
        self._n_latents = n_latents
        self._held: list[TokenRows] = []

    def take(self, n_rows: int) -> TokenRows:
        """The next ``n_rows`` rows.

        Raises
        ------
        InputError
            There are fewer: the files changed since they were counted.

        """
        while sum(rows.n_tokens for rows in self._held) < n_rows:
            block = next(self._blocks, None)
            if block is None:
                raise InputError(
                    "activations.path: the files hold fewer rows than a moment ago; don't write to them now"
                )
            self._held.append(block)
        rows = concatenate(self._held, self._n_latents)
        self._held = [rows.rows(n_rows, rows.n_tokens)] if n_rows < rows.n_tokens else []
        return rows.rows(0, n_rows)

    def finish(self) -> None:
        """Read to the end.

        Raises
        ------
        InputError
            There are rows left: the files changed since they were counted.

        """
        if self._held or next(self._blocks, None) is not None:
            raise InputError("activations.path: the files hold more rows than a moment ago; don't write to them now")
