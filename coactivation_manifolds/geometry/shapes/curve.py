"""Curve: an open one-dimensional thread, straight or bent, such as a line, an arc or a spiral."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.compiled import compiled
from coactivation_manifolds.geometry.shapes.cloud import have_places, thin, widest_gap

Array = npt.NDArray[np.float64]

N_KNOTS = 12
N_ROUNDS = 3
N_FITTED = 250  # points that knots are fitted to
LEAST_OPENING = 3.0
MOST_CROWDED = 0.27
CROWDED_CLOSED, CROWDED_OPENING = 0.12, 0.025  # crowding allowed at opening 0, and for each unit of opening
LEAST_EXPLAINED = 0.84
WIDEST_GAP = 0.12  # share of the curve's length
LEAST_SPAN = 0.3
APART = 4  # segments between parts of the curve that are not next to each other
MARGIN = 0.8  # of the first start's residual, that the second must stay under
STRAIGHT = 6.5  # opening of a first fit that needs no second: 11 is straight, arcs of 180 degrees have 7 to 9


class Curve(NamedTuple):
    """A fitted principal curve.

    Attributes
    ----------
    statistic
        Share of the variance that the curve explains, in [0, 1]; larger is more of a curve.
    opening
        Distance between the curve's ends over the mean distance of neighbouring knots: about 1 for a ring cut open.
    crowding
        Median of each point's distance from the curve over its distance from the parts of the curve that are not next
        to its own: small for a thread, near 1 where the curve wanders through a filled cloud.
    span
        Distance along the curve between the latents that are farthest apart, by the means of their points weighted by
        activation, over that which holds 95 % of the points: 0 where all latents fire on all of it and only grow
        stronger. 1 where the latents' activations are not known.
    knots
        float64 [12, p], in order along the curve.
    position
        float64 [m], of all points: distance along the curve from its first knot, over the curve's length.

    """

    statistic: float
    opening: float
    crowding: float
    span: float
    knots: Array
    position: Array


def curve_statistic(scores: Array) -> float:
    """Share of the variance that an open curve through the cloud explains: 1 - sum d(x, curve)^2 / sum |x|^2.

    A principal curve (Hastie and Stuetzle 1989, JASA 84) of 12 knots joined by straight lines: knots are means of the
    points nearest them, smoothed with their neighbours; it is started from the order along the first component and,
    unless that leads to a nearly straight curve, from the order round the centre of the first plane, and the better is
    kept: round the centre of a thick line a curve goes up one side and back on the other, which explains a little more.
    Fitted to, and measured on, at most 250 points in equal steps of the points' order.

    Parameters
    ----------
    scores
        float64 [m, p], centred, in principal axes (``make_cloud``).

    """
    return float(_fit(thin(scores, N_FITTED))[0]) if scores.shape[1] else 0.0


def fit_curve(scores: Array, activations: Array | None = None) -> Curve:
    """Fit an open curve; for the statistic see ``curve_statistic``.

    Parameters
    ----------
    scores
        As there.
    activations
        float64 [m, k], of the latents on the same points; None where only the points are known.

    """
    if not scores.shape[1]:
        return Curve(0.0, 0.0, 1.0, 1.0, np.zeros((N_KNOTS, 0)), np.zeros(len(scores)))
    statistic, knots = _fit(thin(scores, N_FITTED))
    steps = np.linalg.norm(np.diff(knots, axis=0), axis=1)
    _, segment, share, crowding = _nearest(scores, knots)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    position = (along[segment] + share * steps[segment]) / along[-1]
    span = _span(position, activations)
    return Curve(float(statistic), float(_opening(knots)), float(np.median(crowding)), span, knots, position)


def is_open(curve: Curve) -> bool:
    """Whether the curve's ends lie apart, as a ring's do not, it is thin, as a filled triangle is not, and it is filled
    along its length, as clumps that lie somewhere are not.

    The more a curve turns back, the thinner it must be: in a filled plane it goes to and fro, with ends not far apart.
    And its latents must share it out between them: where all of them fire on all of it, what changes along it is how
    strongly the cluster fires, which is no shape.
    """
    most_crowded = min(MOST_CROWDED, CROWDED_CLOSED + CROWDED_OPENING * curve.opening)
    thin = curve.crowding <= most_crowded and curve.statistic >= LEAST_EXPLAINED
    filled = widest_gap(curve.position) <= WIDEST_GAP
    return curve.opening >= LEAST_OPENING and thin and filled and curve.span >= LEAST_SPAN


def order_along(curve: Curve, activations: Array) -> tuple[npt.NDArray[np.int64], Array]:
    """Order of the latents along the curve, and their places in [0, 1]: means over points weighted by activation.

    Parameters
    ----------
    curve
        The fit.
    activations
        float [m, k], of the points that the curve was fitted to.

    """
    places = _places(curve.position, np.asarray(activations, dtype=np.float64))
    return np.argsort(places, kind="stable").astype(np.int64), places


def _places(position: Array, activations: Array) -> Array:
    """Mean place of each latent's points, weighted by its activation."""
    return np.asarray((position @ activations) / np.maximum(activations.sum(axis=0), np.finfo(float).tiny))


def _span(position: Array, activations: Array | None) -> float:
    """As in ``Curve``; latents that hardly ever fire have no place."""
    if activations is None:
        return 1.0
    fires = have_places(activations)
    low, high = np.quantile(position, [0.025, 0.975])
    if not fires.any() or high <= low:
        return 0.0
    return float(np.ptp(_places(position, activations[:, fires])) / (high - low))


@compiled
def _fit(scores):  # type: ignore[no-untyped-def]  # typed by numba
    """Share of variance and knots of the better of two starts."""
    p = scores.shape[1]
    total = (scores * scores).sum()
    least, best_knots = np.inf, np.zeros((N_KNOTS, p))
    if total <= 0:
        return 0.0, best_knots
    for start in range(min(2, p)):
        key = scores[:, 0].copy() if start == 0 else _turned(scores)
        knots = _bin_means(scores, key)
        for _ in range(N_ROUNDS):
            _, segment, share, _ = _nearest(scores, knots)
            knots = _bin_means(scores, segment + share)
        missed, _, _, _ = _nearest(scores, knots)
        if start == 0 or missed < MARGIN * least:
            least, best_knots = missed, knots
        if _opening(knots) >= STRAIGHT:
            break
    return max(0.0, 1 - least / total), best_knots


@compiled
def _opening(knots):  # type: ignore[no-untyped-def]  # typed by numba
    """Distance between the ends over the mean distance of neighbours."""
    length = 0.0
    for b in range(len(knots) - 1):
        length += np.sqrt(((knots[b + 1] - knots[b]) ** 2).sum())
    across = np.sqrt(((knots[-1] - knots[0]) ** 2).sum())
    return across * (len(knots) - 1) / max(length, 1e-300)


@compiled
def _turned(scores):  # type: ignore[no-untyped-def]  # typed by numba
    """Angle in the first plane about the middle of its ranges, counted from the emptiest of 24 sectors."""
    n, sectors = len(scores), 24
    x = (scores[:, 0].min() + scores[:, 0].max()) / 2
    y = (scores[:, 1].min() + scores[:, 1].max()) / 2
    turn = np.empty(n)
    counts = np.zeros(sectors)
    for t in range(n):
        turn[t] = (np.arctan2(scores[t, 1] - y, scores[t, 0] - x) / (2 * np.pi)) % 1.0
        counts[min(sectors - 1, int(turn[t] * sectors))] += 1
    least, where = np.inf, 0
    for s in range(sectors):
        run = counts[s - 1] + 2 * counts[s] + counts[(s + 1) % sectors]
        if run < least:
            least, where = run, s
    cut = (where + 0.5) / sectors
    for t in range(n):
        turn[t] = (turn[t] - cut) % 1.0
    return turn


@compiled
def _bin_means(scores, key):  # type: ignore[no-untyped-def]  # typed by numba
    """Knots: means of equally many points in the order of the key, smoothed with their neighbours."""
    n, p = scores.shape
    order = np.argsort(key)
    means = np.zeros((N_KNOTS, p))
    for b in range(N_KNOTS):
        first, last = b * n // N_KNOTS, (b + 1) * n // N_KNOTS
        for place in range(first, last):
            for c in range(p):
                means[b, c] += scores[order[place], c] / (last - first)
    knots = means.copy()
    for b in range(1, N_KNOTS - 1):
        for c in range(p):
            knots[b, c] = means[b, c] / 2 + (means[b - 1, c] + means[b + 1, c]) / 4
    return knots


@compiled
def _nearest(scores, knots):  # type: ignore[no-untyped-def]  # typed by numba
    """Sum of squared distances from the curve; each point's nearest segment, place on it in [0, 1], and crowding.

    The first and last segments go on beyond their ends, since knots are means and stop short of the cloud's ends.
    """
    n, p = scores.shape
    last = len(knots) - 2
    segment, share, crowding = np.empty(n, dtype=np.int64), np.empty(n), np.empty(n)
    away = np.empty(last + 1)
    step = knots[1:] - knots[:-1]
    square = np.empty(last + 1)
    for b in range(last + 1):
        square[b] = max((step[b] * step[b]).sum(), 1e-300)
    missed = 0.0
    for t in range(n):
        least = np.inf
        for b in range(last + 1):
            along = 0.0
            for c in range(p):
                along += (scores[t, c] - knots[b, c]) * step[b, c]
            along /= square[b]
            along = max(along, -1.0 if b == 0 else 0.0)
            along = min(along, 2.0 if b == last else 1.0)
            distance = 0.0
            for c in range(p):
                distance += (scores[t, c] - knots[b, c] - along * step[b, c]) ** 2
            away[b] = distance
            if distance < least:
                least, segment[t], share[t] = distance, b, along
        missed += least
        other = np.inf
        for b in range(last + 1):
            if abs(b - segment[t]) >= APART:
                other = min(other, away[b])
        crowding[t] = np.sqrt(least / max(other, 1e-300))
    return missed, segment, share, crowding
