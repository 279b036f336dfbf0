"""Parts of a shard: the model computes a batch while the one before is fetched and the part before is written."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.activations.activation_writer import PartRecord, ShardWriter
from coactivation_manifolds.activations.batch_plan import BatchPlan
from coactivation_manifolds.activations.float16_values import SMALLEST_SUBNORMAL, settle_float16
from coactivation_manifolds.activations.token_rows import TokenRows, concatenate
from coactivation_manifolds.in_order import InOrder
from coactivation_manifolds.progress import Progress

if TYPE_CHECKING:
    from coactivation_manifolds.models.encoding import LatentReader
    from coactivation_manifolds.models.sparse_latents import Latents

logger = logging.getLogger(__name__)

PARTS_AHEAD = 2
"""Parts in memory that are being written or wait for it."""


def harvest_parts(
    parts: Sequence[int],
    plan: BatchPlan,
    reader: LatentReader,
    writer: ShardWriter,
    *,
    max_fvu: float,
    commit: str | None,
) -> dict[int, PartRecord]:
    """Compute and commit the parts that are missing, in order; the first one carries the guard rails.

    A kill loses the parts that are not committed: those that wait for the writer, and the one that is computed.
    """
    n_tokens = plan.tokens.n_tokens
    to_do = sum(plan.tokens_of_part(part) for part in parts)
    latents = reader.read((batch, plan.contexts(batch)) for part in parts for batch in plan.batches(part))
    with (
        Progress(n_tokens, label=f"shard {writer.shard}", done=n_tokens - to_do) as progress,
        InOrder[PartRecord](unfinished=PARTS_AHEAD) as background,
    ):
        for part in parts:
            extra: dict[str, Any] = {}
            if part == 0:
                guard_rails = first_batch(plan.contexts(0), reader, max_fvu=max_fvu)
                extra |= {"guard_rails": guard_rails, "model_commit": commit}
            blocks = {}
            for batch in plan.batches(part):
                blocks[batch] = found = next(latents)
                first, last = plan.token_range(batch)
                progress.update(tokens=last - first, rows=found.n_tokens, entries=len(found.values))
            extra["halved_batches"] = [
                {"batch": batch, "contexts_at_once": reader.halved[batch]} for batch in blocks if batch in reader.halved
            ]
            background.submit(partial(write_part, part, blocks, plan, writer, extra=extra))
        return {record.number: record for record in background.results()}


def write_part(
    part: int, blocks: Mapping[int, Latents], plan: BatchPlan, writer: ShardWriter, *, extra: Mapping[str, Any]
) -> PartRecord:
    """Make rows of a part's batches, in their order, and commit them."""
    rows = [batch_rows(plan, batch, latents, writer.n_latents) for batch, latents in blocks.items()]
    batches = plan.batches(part)
    return writer.write_part(
        part,
        concatenate(rows, writer.n_latents),
        first_batch=batches[0],
        last_batch=batches[-1],
        extra=extra,
    )


def first_batch(
    contexts: Sequence[npt.NDArray[np.integer]], reader: LatentReader, *, max_fvu: float
) -> dict[str, Any] | None:
    """Measure FVU and L0 on the first batch and stop where they are out of bounds; None where it has no rows."""
    import torch

    from coactivation_manifolds.models.guard_rails import GuardRails, check, measure
    from coactivation_manifolds.models.sparse_latents import check_finite

    def work(stretch: Sequence[npt.NDArray[np.integer]]) -> GuardRails | None:
        x = reader.inputs(stretch)
        check_finite(bool(torch.isfinite(x).all()), reader.loaded.hook_name)
        return measure(x, reader.loaded) if len(x) else None

    measured = next((found for found in reader.in_stretches(contexts, work, batch=0) if found is not None), None)
    if measured is None:
        logger.warning("the first batch holds special tokens only, so the SAE's fit could not be checked")
        return None
    check(measured, max_fvu=max_fvu, hook_name=reader.loaded.hook_name)
    return measured.as_dict()


def batch_rows(plan: BatchPlan, batch: int, latents: Latents, n_latents: int) -> TokenRows:
    """The rows of one batch: its kept tokens with their latents.

    Raises
    ------
    GuardRailError
        A value that float16 can't hold; the message names token and latent.

    """
    tokens = plan.tokens
    kept = plan.kept_tokens(batch)

    def place(entry: int) -> str:
        row = int(np.searchsorted(latents.offsets, entry, side="right")) - 1
        return f"token_index {tokens.token_index[kept[row]]}, latent {latents.feature_ids[entry]}"

    def before_rounding(entries: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        # all fired; only the first one beyond float16 is named
        return np.where(latents.values[entries] == 0, float(SMALLEST_SUBNORMAL), latents.beyond)

    values, raised = settle_float16(latents.values, exact=before_rounding, describe=place)
    return TokenRows(
        doc_id=tokens.doc_id[kept],
        token_index=tokens.token_index[kept],
        position_in_doc=tokens.position_in_doc[kept],
        token_id=tokens.token_id[kept],
        offsets=latents.offsets,
        feature_ids=latents.feature_ids,
        activations=values,
        n_latents=n_latents,
        raised=raised,
    )
