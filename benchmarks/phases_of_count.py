"""Where the time of a count goes: seconds of its phases, and of counting by how often latents fire."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from queue import SimpleQueue
from time import perf_counter
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
from measuring import take_turns

from coactivation_manifolds.cooccurrence import kernel
from coactivation_manifolds.cooccurrence.floor import Fraction
from coactivation_manifolds.cooccurrence.pair_counts import PairCounts
from coactivation_manifolds.cooccurrence.ranked_postings import RankedPostings, rank_postings
from coactivation_manifolds.cooccurrence.row_counts import NARROW

Array = npt.NDArray[Any]

MOST_FIRINGS = (100, NARROW, 10_000)
"""Of the classes of latents; those that stand in masks are a class of their own."""


def timed_phases(tool: Callable[[], PairCounts]) -> dict[str, float]:
    """Seconds of one count: transposition, counting (what the others leave), sorting of the pairs kept."""
    seconds = {}

    def timed(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **options: Any) -> Any:
            begin = perf_counter()
            result = work(*arguments, **options)
            seconds[name] = perf_counter() - begin
            return result

        return run

    with (
        mock.patch.object(kernel, "rank_postings", timed("transposition", kernel.rank_postings)),
        mock.patch.object(kernel, "unpack_pairs", timed("sorting", kernel.unpack_pairs)),
    ):
        timed("all", tool)()
    seconds["counting"] = seconds.pop("all") - seconds["transposition"] - seconds["sorting"]
    return {name: round(value, 6) for name, value in seconds.items()}


def timed_classes(
    offsets: Array, ids: Array, *, n_latents: int, floor: Fraction, repetitions: int
) -> list[dict[str, Any]]:
    """Seconds of the counting alone, on one core and without pruning, from the latents of each class of firings."""
    with ThreadPoolExecutor(1) as pool:
        postings = rank_postings(offsets, ids, n_latents=n_latents, pool=pool, threads=1)
    masked = postings.first_masked
    bounds = [0, *MOST_FIRINGS, int(postings.totals[masked - 1]) if masked else 0]
    ranks = [min(masked, int(np.searchsorted(postings.totals, bound, side="right"))) for bound in bounds]
    classes = [span for span in pairwise([*ranks[:-1], masked, n_latents]) if span[0] < span[1]]
    tools = {str(span): lambda span=span: counted(postings, span, floor) for span in classes}
    times, pairs = take_turns(tools, repetitions)
    return [
        {
            "latents": last - first,
            "firings": postings.totals[[first, last - 1]].tolist(),
            "masked": first >= masked,
            "visits": int(postings.totals[first:last].sum()),
            "run_increments": int(postings.work[first:last].sum()),
            "pairs": pairs[str((first, last))],
            "seconds": times[str((first, last))],
        }
        for first, last in classes
    ]


def counted(postings: RankedPostings, span: tuple[int, int], floor: Fraction) -> int:
    """Count from the latents of some ranks: how many pairs they keep."""
    chunks = SimpleQueue[tuple[int, int]]()
    chunks.put(span)
    return sum(len(part) for part in kernel._count_chunks(chunks, postings, floor, False))
