"""Costs of units of work from measured jobs, where a few runs cannot tell all units apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from coactivation_manifolds.estimate.stages import Units

TRUST_IN_EARLIER = 0.07
"""Weight of an earlier cost beside a measured job: a job is measured to about 5 %, and earlier costs, scaled to the
speed of this machine, hold to about a factor of 1.7."""


def fit_costs(jobs: Sequence[tuple[Units, float]], *, earlier: Units) -> Units:
    """Costs c >= 0 that explain jobs as sums of units times costs, and stay near earlier ones where jobs do not tell.

    Least squares of the relative errors: sum over jobs of (c . u / y - 1)^2 + w^2 sum over units of (c / (g c0) - 1)^2,
    g the middle ratio of measured to earlier costs (a slower machine is slower in everything), solved by nonnegative
    least squares (Lawson and Hanson, Solving Least Squares Problems, chapter 23).

    Parameters
    ----------
    jobs
        Units of work u and what was measured y > 0.
    earlier
        Costs c0 by unit. Only these units are looked at: which can matter for what is known better than measured.
        Where there are none at all, those of the jobs.

    """
    from scipy.optimize import nnls

    jobs = [(units, measured) for units, measured in jobs if measured > 0]
    names = [name for name, cost in earlier.items() if cost > 0]
    names = names or list(dict.fromkeys(unit for units, _ in jobs for unit, amount in units.items() if amount > 0))
    if not jobs or not names:
        return dict(earlier)
    share = np.array([[units.get(name, 0.0) / measured for name in names] for units, measured in jobs])
    known = np.array([earlier.get(name, 0.0) for name in names])
    before = share @ known
    known *= float(np.median(1 / before[before > 0])) if (before > 0).any() else 1.0
    scale = np.where(known > 0, known, 1 / np.maximum(share.max(axis=0), 1e-300))
    rows = np.vstack([share * scale, TRUST_IN_EARLIER * np.eye(len(names))])
    wanted = np.concatenate([np.ones(len(jobs)), TRUST_IN_EARLIER * (known > 0)])
    costs, _ = nnls(rows, wanted)
    return {name: float(cost) for name, cost in zip(names, costs * scale, strict=True)}
