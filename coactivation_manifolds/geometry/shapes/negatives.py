"""What a tested cluster is called that has no shape: a mixture or a blob.

Clouds of both look alike in a plane (the mixture index of Engels et al. is 0.2 to 0.4 for either once strengths
vary), so the name goes by which latents fire together: a mixture's fall into two parts that keep out of each other's
way.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

MOST_SHARED = 0.88


def name_negative(activations: npt.ArrayLike) -> str:
    """``mixture`` where latents of two parts fire together less than 0.88 times as often as independent ones, else
    ``blob``.

    Latents are independent where one fires as often beside another as without it, so a TopK code, in which latents
    compete, is called a mixture more easily.

    Parameters
    ----------
    activations
        float [n, k] >= 0, the cluster's points.

    """
    return "mixture" if shared_firing(activations) <= MOST_SHARED else "blob"


def shared_firing(activations: npt.ArrayLike) -> float:
    """Joint firing of the two parts that a cluster falls into, over that of independent latents; 1 for a single part.

    The parts are the latents of positive and of negative weight in the leading eigenvector of the matrix of phi
    coefficients (its diagonal 0), as networks are cut in two (Newman 2006, PNAS 103). The value is the mean, over pairs
    of one latent of each, of P(a, b) / (P(a) P(b)) among the points.

    Parameters
    ----------
    activations
        float [n, k] >= 0.

    """
    fires = (np.asarray(activations) > 0).astype(np.float64)
    fires = fires[:, (fires.min(axis=0) == 0) & (fires.max(axis=0) == 1)]
    if fires.shape[1] < 2:
        return 1.0
    alone = fires.mean(axis=0)
    expected = np.outer(alone, alone)
    joint = fires.T @ fires / len(fires)
    phi = (joint - expected) / np.sqrt(np.outer(alone * (1 - alone), alone * (1 - alone)))
    np.fill_diagonal(phi, 0.0)
    first = np.linalg.eigh(phi)[1][:, -1] > 0
    if first.all() or not first.any():
        return 1.0
    return float((joint / expected)[np.ix_(first, ~first)].mean())
