"""Writing a shard: parts committed one by one, the manifest last, so that a killed job goes on where it stopped."""

from __future__ import annotations

import errno
import json
import logging
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from coactivation_manifolds.activations.float16_values import to_float16
from coactivation_manifolds.activations.part_records import (
    PART_KEY,
    PART_NAME,
    PartRecord,
    fingerprint_hash,
    part_name,
    part_number,
    read_part_record,
)
from coactivation_manifolds.activations.token_rows import TokenRows
from coactivation_manifolds.disk_errors import storage_errors
from coactivation_manifolds.errors import CoactivationError, GuardRailError, ResultsError
from coactivation_manifolds.schemas import ACTIVATIONS_DICTIONARY, ACTIVATIONS_STATISTICS, activations_schema
from coactivation_manifolds.scratch import on_scratch
from coactivation_manifolds.storage import PathLike, check_pages, open_table_writer, sha256_file, write_json
from coactivation_manifolds.temporaries import flush_to_disk, temporary_file

__all__ = ["PartRecord", "ShardWriter", "fingerprint_hash", "read_part_record", "to_float16"]

ROWS_PER_GROUP = 8_192
HASHED_AT_ONCE = 2

logger = logging.getLogger(__name__)


class ShardWriter:
    """Writes one shard's parts into ``folder`` and, when all are there, its manifest.

    Two writers on one shard do no harm: a part is committed by ``link``, which fails where the part exists, and the
    slower writer drops its copy.

    Parameters
    ----------
    folder
        The shard's folder, made where it does not exist.
    shard
        Number of the shard.
    n_latents
        Number of latents of the SAE; decides the type of the ids.
    fingerprint
        Everything that decides the numbers, as JSON; parts of another fingerprint are not taken over.

    """

    def __init__(self, folder: PathLike, *, shard: int, n_latents: int, fingerprint: Mapping[str, Any]) -> None:
        self.folder = Path(folder)
        self.shard = shard
        self.n_latents = n_latents
        self.fingerprint = dict(fingerprint)
        self._hash = fingerprint_hash(fingerprint)

    def completed_parts(self, expected_rows: Mapping[int, int] | None = None) -> dict[int, PartRecord]:
        """The parts that an earlier attempt left, by number; those that don't belong here are deleted, with a warning.

        Parameters
        ----------
        expected_rows
            How many rows each part must hold by the plan; parts with another number, and parts that the plan does not
            have, are deleted too (a shard that was cut short by a smaller corpus).

        """
        found = {}
        for path in self._part_files():
            try:
                record = read_part_record(path)
                reason = self._why_unwanted(record, path, expected_rows)
                check_pages(path)
            except CoactivationError as error:
                reason = str(error)
            if reason is not None:
                logger.warning("discarding %s: %s", path, reason)
                path.unlink(missing_ok=True)
                continue
            found[record.number] = record
        return dict(sorted(found.items()))

    def write_part(
        self,
        number: int,
        rows: TokenRows,
        *,
        first_batch: int,
        last_batch: int,
        extra: Mapping[str, Any] | None = None,
    ) -> PartRecord:
        """Check and commit one part.

        Parameters
        ----------
        number
            Its place in the shard, from 0.
        rows
            The tokens.
        first_batch, last_batch
            The batches of the plan that it holds, both included.
        extra
            Anything else that a resumed job needs to know of the part, as JSON.

        Returns
        -------
        PartRecord
            Of the part that stands in the folder: this one, or the one that another job committed first.

        Raises
        ------
        GuardRailError
            The rows are not sorted, hold NaN, or an id out of range.
        ResultsError
            Another job has committed a part of another fingerprint.
        StorageError
            Disk full, or the folder can't be written.

        """
        rows.check(source=f"shard {self.shard}, part {number}", error=GuardRailError)
        record = PartRecord(
            number=number,
            shard=self.shard,
            n_latents=self.n_latents,
            fingerprint=self._hash,
            first_batch=first_batch,
            last_batch=last_batch,
            rows=rows.n_tokens,
            entries=rows.n_entries,
            first_token_index=int(rows.token_index[0]) if rows.n_tokens else None,
            last_token_index=int(rows.token_index[-1]) if rows.n_tokens else None,
            n_raised_to_subnormal=rows.n_raised_to_subnormal,
            extra=dict(extra or {}),
        )
        final = self.folder / record.file
        with storage_errors(final):
            self.folder.mkdir(parents=True, exist_ok=True)
            with temporary_file(final) as temporary:
                metadata = {PART_KEY.decode(): json.dumps(asdict(record), sort_keys=True)}
                with (
                    on_scratch(temporary) as written,
                    open_table_writer(
                        written,
                        activations_schema(self.n_latents),
                        metadata=metadata,
                        dictionary_columns=ACTIVATIONS_DICTIONARY,
                        statistics_columns=ACTIVATIONS_STATISTICS,
                    ) as writer,
                ):
                    writer.write_table(rows.to_table(), row_group_size=ROWS_PER_GROUP)
                if commit_by_link(temporary, final):
                    return record
        logger.warning("%s was committed by another job meanwhile; this job's copy is dropped", final)
        standing = read_part_record(final)
        reason = self._why_unwanted(standing, final, None)
        if reason is not None:
            raise ResultsError(
                f"{final}: {reason}; two runs with different settings write this shard: stop one of them"
            )
        return standing

    def manifest(self, *, expected_parts: int, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The manifest's content, from the parts that are there.

        Raises
        ------
        ResultsError
            A part is missing, belongs to another run, or the tokens of the parts are not in order.

        """
        parts = []
        last_token = -1
        records = [self._expected_part(number) for number in range(expected_parts)]
        with ThreadPoolExecutor(HASHED_AT_ONCE) as pool:
            hashes = list(pool.map(lambda record: sha256_file(self.folder / record.file), records))
        for record, sha256 in zip(records, hashes, strict=True):
            if record.first_token_index is not None and record.last_token_index is not None:
                if record.first_token_index <= last_token:
                    raise ResultsError(
                        f"{self.folder / record.file} begins with token {record.first_token_index}, but the part "
                        f"before ends with {last_token}; delete the folder's parts and run the same command again"
                    )
                last_token = record.last_token_index
            parts.append(
                {
                    "file": record.file,
                    "rows": record.rows,
                    "entries": record.entries,
                    "sha256": sha256,
                    "first_batch": record.first_batch,
                    "last_batch": record.last_batch,
                }
            )
        firsts = [record.first_token_index for record in records if record.first_token_index is not None]
        content = {
            "shard": self.shard,
            "n_latents": self.n_latents,
            "n_tokens": sum(record.rows for record in records),
            "n_entries": sum(record.entries for record in records),
            "first_token_index": firsts[0] if firsts else None,
            "last_token_index": last_token if firsts else None,
            "n_raised_to_subnormal": sum(record.n_raised_to_subnormal for record in records),
            "fingerprint": self.fingerprint,
            "parts": parts,
            "guard_rails": None,
            "notes": [],
        }
        return content | dict(extra or {})

    def commit(
        self, manifest_path: PathLike, *, expected_parts: int, extra: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Write the manifest: the shard is complete. Leftovers of other attempts are removed.

        Parameters
        ----------
        manifest_path
            The manifest, in the folder of the parts.
        expected_parts
            How many parts the shard has by the plan.
        extra
            Further keys, e.g. ``guard_rails`` and ``notes``.

        Raises
        ------
        ResultsError
            A part is missing, belongs to another run, or the tokens of the parts are not in order.

        """
        content = self.manifest(expected_parts=expected_parts, extra=extra)
        for path in self._part_files():
            if part_number(path) >= expected_parts:
                logger.warning("discarding %s: the shard has %d parts", path, expected_parts)
                path.unlink(missing_ok=True)
        for path in self.folder.glob(".part-*.tmp"):
            path.unlink(missing_ok=True)
        write_json(content, manifest_path)
        return content

    def _part_files(self) -> list[Path]:
        """The parts in the folder, by number."""
        if not self.folder.is_dir():
            return []
        return sorted((path for path in self.folder.iterdir() if PART_NAME.fullmatch(path.name)), key=part_number)

    def _expected_part(self, number: int) -> PartRecord:
        """The record of a part that must be there."""
        path = self.folder / part_name(number)
        if not path.exists():
            raise ResultsError(f"{path} is missing, so the shard can't be completed; run the same command again")
        record = read_part_record(path)
        reason = self._why_unwanted(record, path, None)
        if reason is not None:
            raise ResultsError(f"{path}: {reason}; delete it and run the same command again")
        return record

    def _why_unwanted(self, record: PartRecord, path: Path, expected_rows: Mapping[int, int] | None) -> str | None:
        """Why a readable part does not belong to this shard and run; None where it does."""
        if record.fingerprint != self._hash or record.n_latents != self.n_latents:
            return "it was made with other settings, model, SAE or corpus"
        if record.shard != self.shard or record.file != path.name:
            return f"it says that it is part {record.number} of shard {record.shard}"
        if expected_rows is not None and expected_rows.get(record.number) != record.rows:
            return f"it holds {record.rows} tokens, the plan has {expected_rows.get(record.number, 'no such part')}"
        return None


def commit_by_link(temporary: Path, final: Path) -> bool:
    """Flush a finished file to disk and give it its name unless that name is taken; say whether it was given."""
    try:
        flush_to_disk(temporary)
        os.link(temporary, final)
    except FileExistsError:
        return False
    except FileNotFoundError:
        # the job that completed the shard removed our temporary file
        if final.exists():
            return False
        raise
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
            raise
        # no hard links on this file system: both jobs would write the same bytes, so replacing does no harm
        temporary.replace(final)
    return True
