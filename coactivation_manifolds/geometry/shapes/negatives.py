"""What a tested cluster is called that has no shape: a mixture or a blob."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.geometry.shapes.irreducibility import measure_irreducibility

LEAST_MIXTURE = 0.35


def name_negative(scores: npt.NDArray[np.float64]) -> str:
    """``mixture`` where a line through the best plane holds much of the points, else ``blob``."""
    found = measure_irreducibility(scores, rng=np.random.default_rng(0))
    return "mixture" if found.mixture >= LEAST_MIXTURE else "blob"
