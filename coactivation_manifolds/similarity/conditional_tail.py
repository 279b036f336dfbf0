"""How often two latents fire together by chance, given how often each fires and how many latents fire on each token.

Tokens are independent; on a token of class k the two latents fire in one of four ways, with the probabilities of
``fixed_counts``. The count n_ab is then taken given both sums n_a and n_b: its variance by regression on them, its tail
by the double saddlepoint approximation (Skovgaard, J. Appl. Probab. 24, 1987, 875), with Daniels's second correction
for whole numbers (Int. Stat. Rev. 55, 1987, section 6). For one class and large counts this is the hypergeometric law.
"""

from __future__ import annotations

import numpy as np

from coactivation_manifolds.compiled import compiled

MAX_STEPS, MAX_HALVINGS = 100, 40
PRECISION, LONGEST_STEP, NEAR_ENOUGH = 1e-8, 5.0, 0.05
ROUNDING, TINY = 1e-14, 1e-300
NO_CHOICE = 1e-9
"""A share of variance that is rounding."""
NEAR_MEAN = 0.2
"""|w| under which the tail's formula loses digits, and the tail is interpolated."""
SIDE_STEP = 0.4
"""In standard deviations of n_ab."""


@compiled
def measure_pairs(first, second, n_a, n_b, n_ab, weights, inclusion, step, spread, tokens, edges, found):  # type: ignore[no-untyped-def]  # typed by numba
    """Write E[n_ab], its variance given n_a and n_b, and the tail's w and u below and above the point asked for.

    Parameters
    ----------
    first, second
        Rows of the two latents, intp [pairs].
    n_a, n_b, n_ab
        Counts less the tokens on which all latents fire, int64 [pairs].
    weights, inclusion, step, spread, tokens
        Of ``fixed_counts.FixedCounts``.
    edges
        The tail takes classes edges[i] to edges[i + 1] - 1 together, none without tokens, int64 [groups + 1].
    found
        Written, float64 [pairs, 6]: mean, variance, w, u, w, u; the same twice where far from the mean.

    """
    classes, groups = len(tokens), len(edges) - 1
    both = np.zeros(classes)
    table = np.zeros((4, groups))
    size = np.zeros(groups)
    for pair in range(len(first)):
        a, b = first[pair], second[pair]
        _joint(weights[a] * weights[b], inclusion[a], inclusion[b], step, spread, both)
        mean, variance, determinant = _group(inclusion[a], inclusion[b], both, tokens, edges, table, size)
        found[pair, 0], found[pair, 1] = mean, variance
        if variance <= 0.0:
            continue
        target = n_ab[pair] - 0.5
        w, u = _saddlepoint(table, size, n_a[pair], n_b[pair], target, determinant)
        found[pair, 2], found[pair, 3], found[pair, 4], found[pair, 5] = w, u, w, u
        if abs(w) < NEAR_MEAN:
            aside = SIDE_STEP * np.sqrt(variance)
            found[pair, 2], found[pair, 3] = _saddlepoint(
                table, size, n_a[pair], n_b[pair], target - aside, determinant
            )
            found[pair, 4], found[pair, 5] = _saddlepoint(
                table, size, n_a[pair], n_b[pair], target + aside, determinant
            )


@compiled
def _joint(product, p_a, p_b, step, spread, both):  # type: ignore[no-untyped-def]  # typed by numba
    """P(both fire | k) = x_a x_b e_(k-2) / e_k (1 - P(either fires | k - 2)).

    Upwards where the factor is at most 1, downwards above, where that is stable, from an approximation at the top
    (Hajek, Ann. Math. Stat. 35, 1964, 1491).
    """
    top = len(both) - 1
    both[: min(2, top + 1)] = 0.0
    turn = 2
    while turn <= top:
        factor = product * step[turn] * step[turn - 1]
        if factor > 1.0:
            break
        neither = 1.0 - p_a[turn - 2] - p_b[turn - 2] + both[turn - 2]
        both[turn] = min(max(factor * neither, 0.0), min(p_a[turn], p_b[turn]))
        turn += 1
    for k in range(top, turn - 1, -1):
        if k + 2 <= top:
            value = both[k + 2] / (product * step[k + 2] * step[k + 1]) - 1.0 + p_a[k] + p_b[k]
        else:
            less = p_a[k] * (1.0 - p_a[k]) * p_b[k] * (1.0 - p_b[k]) / max(spread[k], TINY)
            value = p_a[k] * p_b[k] - less
        both[k] = min(max(value, p_a[k] + p_b[k] - 1.0, 0.0), min(p_a[k], p_b[k]))


@compiled
def _group(p_a, p_b, both, tokens, edges, table, size):  # type: ignore[no-untyped-def]  # typed by numba
    """Fill the 2 x 2 tables of the groups (both, a only, b only, neither) and their sizes; return the mean of n_ab, its
    variance given n_a and n_b (0 where these leave it no choice), and the determinant of n_a's and n_b's covariance.
    """
    mean, c_ss, c_sa, c_sb, c_aa, c_bb, c_ab = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for group in range(len(size)):
        total, t_ab, t_a, t_b = 0.0, 0.0, 0.0, 0.0
        for k in range(edges[group], edges[group + 1]):
            n, a, b, ab = float(tokens[k]), p_a[k], p_b[k], both[k]
            total += n
            t_ab += n * ab
            t_a += n * (a - ab)
            t_b += n * (b - ab)
            c_ss += n * ab * (1.0 - ab)
            c_sa += n * ab * (1.0 - a)
            c_sb += n * ab * (1.0 - b)
            c_aa += n * a * (1.0 - a)
            c_bb += n * b * (1.0 - b)
            c_ab += n * (ab - a * b)
        mean += t_ab
        size[group] = total
        table[0, group], table[1, group], table[2, group] = t_ab / total, t_a / total, t_b / total
        table[3, group] = max(0.0, 1.0 - (t_ab + t_a + t_b) / total)
    determinant = c_aa * c_bb - c_ab * c_ab
    if determinant <= NO_CHOICE * c_aa * c_bb:
        return mean, 0.0, 0.0
    explained = (c_sa * c_sa * c_bb - 2.0 * c_sa * c_sb * c_ab + c_sb * c_sb * c_aa) / determinant
    variance = c_ss - explained
    if variance <= NO_CHOICE * c_ss:
        variance = 0.0
    return mean, variance, determinant


@compiled
def _saddlepoint(table, size, n_a, n_b, target, determinant):  # type: ignore[no-untyped-def]  # typed by numba
    """W and u of the tail P(n_ab >= target + 1/2 | n_a, n_b).

    The saddlepoint, the tilts (x, y, z) of a alone, b alone and both, is the minimum of the convex function
    K(x, y, z) - (n_a - target) x - (n_b - target) y - target z, where K is the sum over tokens of
    ln(P_neither + P_a e^x + P_b e^y + P_both e^z). By Newton steps, shortened while far off.
    """
    wanted = np.array([n_a - target, n_b - target, target])
    tilt, proposal, sums, newton = np.zeros(3), np.zeros(3), np.zeros(3), np.zeros(3)
    hessian = np.zeros((3, 3))
    _derivatives(table, size, tilt, sums, hessian)
    # where all is rare this is already the answer; elsewhere it can be worse than no tilt
    for i in range(3):
        proposal[i] = np.log(wanted[i] / sums[i])
    value = 0.0
    if _objective(table, size, wanted, proposal) < value:
        value = _objective(table, size, wanted, proposal)
        tilt[:] = proposal
    for _ in range(MAX_STEPS):
        _derivatives(table, size, tilt, sums, hessian)
        if np.all(np.abs(sums - wanted) <= PRECISION * wanted):
            break
        decrease = _newton(hessian, sums - wanted, newton)
        length = min(1.0, LONGEST_STEP / np.max(np.abs(newton)))
        moved = length == 1.0 and decrease < NEAR_ENOUGH
        if moved:
            tilt -= newton
        else:
            for _halving in range(MAX_HALVINGS):
                proposal[:] = tilt - length * newton
                reached = _objective(table, size, wanted, proposal)
                moved = reached <= value - 1e-4 * length * decrease
                if moved:
                    break
                length *= 0.5
            if not moved:
                break
            tilt[:], value = proposal, reached
    value = min(_objective(table, size, wanted, tilt), 0.0)
    spread = (
        hessian[0, 0] * (hessian[1, 1] * hessian[2, 2] - hessian[1, 2] ** 2)
        - hessian[0, 1] * (hessian[0, 1] * hessian[2, 2] - hessian[1, 2] * hessian[0, 2])
        + hessian[0, 2] * (hessian[0, 1] * hessian[1, 2] - hessian[1, 1] * hessian[0, 2])
    )
    log_odds_ratio = tilt[2] - tilt[0] - tilt[1]
    w = np.sqrt(-2.0 * value)
    if log_odds_ratio < 0.0:
        w = -w
    return w, 2.0 * np.sinh(0.5 * log_odds_ratio) * np.sqrt(max(spread, TINY) / determinant)


@compiled
def _objective(table, size, wanted, tilt):  # type: ignore[no-untyped-def]  # typed by numba
    both, only_a, only_b = np.exp(tilt[2]), np.exp(tilt[0]), np.exp(tilt[1])
    total = -wanted[0] * tilt[0] - wanted[1] * tilt[1] - wanted[2] * tilt[2]
    for group in range(len(size)):
        tilted = table[0, group] * both + table[1, group] * only_a + table[2, group] * only_b + table[3, group]
        total += size[group] * np.log(tilted)
    return total


@compiled
def _derivatives(table, size, tilt, sums, hessian):  # type: ignore[no-untyped-def]  # typed by numba
    """Gradient and Hessian of K: the tilted expectations of the three counts, and their covariances."""
    both, only_a, only_b = np.exp(tilt[2]), np.exp(tilt[0]), np.exp(tilt[1])
    sum_a, sum_b, sum_z = 0.0, 0.0, 0.0
    h_aa, h_bb, h_zz, h_ab, h_az, h_bz = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for group in range(len(size)):
        q_z, q_a, q_b = table[0, group] * both, table[1, group] * only_a, table[2, group] * only_b
        scale = 1.0 / (q_z + q_a + q_b + table[3, group])
        q_z, q_a, q_b = q_z * scale, q_a * scale, q_b * scale
        n_a, n_b, n_z = size[group] * q_a, size[group] * q_b, size[group] * q_z
        sum_a += n_a
        sum_b += n_b
        sum_z += n_z
        h_aa += n_a * (1.0 - q_a)
        h_bb += n_b * (1.0 - q_b)
        h_zz += n_z * (1.0 - q_z)
        h_ab -= n_a * q_b
        h_az -= n_a * q_z
        h_bz -= n_b * q_z
    sums[0], sums[1], sums[2] = sum_a, sum_b, sum_z
    hessian[0, 0], hessian[1, 1], hessian[2, 2] = h_aa, h_bb, h_zz
    hessian[0, 1], hessian[0, 2], hessian[1, 2] = h_ab, h_az, h_bz


@compiled
def _newton(hessian, gradient, step):  # type: ignore[no-untyped-def]  # typed by numba
    """Write Hessian^-1 gradient, by Cholesky's factors; return how much a linear model falls along it."""
    l_00 = np.sqrt(max(hessian[0, 0], TINY))
    l_10, l_20 = hessian[0, 1] / l_00, hessian[0, 2] / l_00
    l_11 = np.sqrt(max(hessian[1, 1] - l_10 * l_10, ROUNDING * hessian[1, 1] + TINY))
    l_21 = (hessian[1, 2] - l_20 * l_10) / l_11
    l_22 = np.sqrt(max(hessian[2, 2] - l_20 * l_20 - l_21 * l_21, ROUNDING * hessian[2, 2] + TINY))
    f_0 = gradient[0] / l_00
    f_1 = (gradient[1] - l_10 * f_0) / l_11
    f_2 = (gradient[2] - l_20 * f_0 - l_21 * f_1) / l_22
    step[2] = f_2 / l_22
    step[1] = (f_1 - l_21 * step[2]) / l_11
    step[0] = (f_0 - l_10 * step[1] - l_20 * step[2]) / l_00
    return gradient[0] * step[0] + gradient[1] * step[1] + gradient[2] * step[2]
