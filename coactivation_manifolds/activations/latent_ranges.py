"""Cutting the latents into ranges whose postings fit into memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]


def latent_ranges(counts: Counts, entries: int) -> Iterator[tuple[int, int]]:
    """Ranges [first, last) of latents with at most so many postings together, or one latent alone."""
    first, held = 0, 0
    for latent, count in enumerate(counts.tolist()):
        if held and held + count > entries:
            yield first, latent
            first, held = latent, 0
        held += count
    yield first, len(counts)
