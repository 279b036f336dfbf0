"""Tables of pairs of latents against counts of a sample of latents, read piece by piece."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from coactivation_manifolds.storage import damaged, open_table

Array = npt.NDArray[np.int64]
BATCH_ROWS = 1 << 18
ABSENT = -1


def iter_columns(path: Path, columns: Sequence[str]) -> Iterator[dict[str, npt.NDArray[np.float64 | np.int64]]]:
    """Some columns of a table, in pieces: integers as int64, others as float64 with NaN for null."""
    with open_table(path) as parquet:
        try:
            for batch in parquet.iter_batches(BATCH_ROWS, columns=list(columns), use_threads=False):
                yield {name: numbers(batch.column(name)) for name in columns}
        except (pa.ArrowInvalid, OSError) as error:
            raise damaged(path, error) from error


def numbers(column: pa.Array) -> npt.NDArray[np.float64 | np.int64]:
    """A column as int64, or as float64 where it holds fractions or nulls."""
    whole = pa.types.is_integer(column.type) and not column.null_count
    found: npt.NDArray[np.float64 | np.int64] = column.cast(pa.int64() if whole else pa.float64()).to_numpy(
        zero_copy_only=False
    )
    return found


def partners(path: Path, sample: Array, n_latents: int, *, value: str | None = None) -> Array:
    """What a table of pairs says of the partners of some latents.

    Parameters
    ----------
    path
        A table with ``feature_a`` and ``feature_b``.
    sample
        Latents.
    n_latents
        Of the experiment.
    value
        The column of counts; without it 1 stands for a pair that is listed.

    Returns
    -------
    array
        int64 [len(sample), n_latents], -1 for pairs that are not listed.

    """
    place_of = np.full(n_latents, ABSENT, np.int64)
    place_of[sample] = np.arange(len(sample))
    found = np.full((len(sample), n_latents), ABSENT, np.int64)
    columns = ["feature_a", "feature_b", *([value] if value else [])]
    for batch in iter_columns(path, columns):
        a, b = batch["feature_a"].astype(np.int64), batch["feature_b"].astype(np.int64)
        stated = batch[value].astype(np.int64) if value else np.ones(len(a), np.int64)
        for one, other in ((a, b), (b, a)):
            places = np.where((one >= 0) & (one < n_latents), place_of[np.clip(one, 0, n_latents - 1)], ABSENT)
            wanted = (places >= 0) & (other < n_latents)
            found[places[wanted], other[wanted]] = stated[wanted]
    return found


def first_difference(sample: Array, stated: Array, derived: Array) -> str | None:
    """The first pair of a sampled latent of which a table says something else than the activations; None if none."""
    different = np.argwhere(stated != derived)
    if not len(different):
        return None
    place, other = different[0].tolist()
    pair = "latents {} and {}".format(*sorted((int(sample[place]), other)))
    says, gives = stated[place, other], derived[place, other]
    more = f" ({len(different):,} such differences in the sample)" if len(different) > 1 else ""
    if says == ABSENT:
        return f"lacks the pair of {pair}, which fire together on {gives:,} tokens{more}"
    if gives == ABSENT:
        return f"lists the pair of {pair}, which does not belong in it{more}"
    return f"says that {pair} fire together on {says:,} tokens, the activations say {gives:,}{more}"
