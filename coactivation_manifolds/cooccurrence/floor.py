"""Thresholds on similarities as fractions of integers, so that a tie is a tie whatever the floats say."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.errors import ConfigError
from coactivation_manifolds.experiment.bounds import MAX_DECIMALS

Fraction = tuple[int, int]


def exact_fraction(value: float | str | Decimal, *, name: str) -> Fraction:
    """A threshold in [0, 1] as the reduced fraction of its decimal form: 0.07 gives (7, 100).

    Parameters
    ----------
    value
        As in the experiment file; a float stands for its shortest decimal form.
    name
        The setting's name, for the message.

    Raises
    ------
    ConfigError
        Not a number in [0, 1], or more than nine decimals.

    """
    try:
        decimal = Decimal(str(value))
    except InvalidOperation as error:
        raise ConfigError(f"{name} = {value!r} is no number; give a decimal between 0 and 1") from error
    if not decimal.is_finite() or not 0 <= decimal <= 1:
        raise ConfigError(f"{name} = {value} is outside [0, 1]")
    if decimal != round(decimal, MAX_DECIMALS):
        raise ConfigError(f"{name} = {value} has more than {MAX_DECIMALS} decimals; round it")
    return decimal.as_integer_ratio()


def reaches(
    n_ab: npt.NDArray[Any], n_a: npt.NDArray[Any], n_b: npt.NDArray[Any], fraction: Fraction
) -> npt.NDArray[np.bool_]:
    """Whether each pair's Jaccard n_ab / (n_a + n_b - n_ab) is at least p / q, tested as n_ab q >= p union.

    Pairs that never fire together reach no threshold, not even 0.
    """
    p, q = fraction
    joint = np.asarray(n_ab, np.int64)
    union = np.asarray(n_a, np.int64) + np.asarray(n_b, np.int64) - joint
    enough: npt.NDArray[np.bool_] = (joint > 0) & (joint * q >= p * union)
    return enough
