"""From a model's float32 activations to the files' float16: nothing becomes inf, NaN or zero in silence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.errors import CoactivationError, GuardRailError

LARGEST = 65504.0
"""The largest float16. Values of 65520 and more would round to infinity."""

SMALLEST_SUBNORMAL = np.float16(2.0**-24)
"""The smallest positive float16, about 6e-8; every float16 is an integer multiple of it."""

_LARGEST_BITS = 0x7BFF

Float16 = npt.NDArray[np.float16]
Indices = npt.NDArray[np.int64]


def to_float16(
    values: npt.NDArray[Any],
    *,
    describe: Callable[[int], str] | None = None,
    error: type[CoactivationError] = GuardRailError,
) -> tuple[Float16, Indices]:
    """Round activations to float16, to nearest and ties to even.

    A positive value that would round to zero becomes the smallest subnormal (6e-8), so that a latent that fires stays
    firing.

    Parameters
    ----------
    values
        One-dimensional activations of firing latents, any number type.
    describe
        Says where entry ``i`` stands, for the message: ``"part.parquet, row 3"``.
    error
        Class of the error that is raised.

    Returns
    -------
    values, raised
        The float16 values, and the ascending numbers of the entries that were raised to the smallest subnormal.

    Raises
    ------
    CoactivationError
        Of class ``error``: NaN, infinite, zero or negative values, or a value beyond float16's range.

    """
    values = np.asarray(values)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        rounded = values.astype(np.float16, copy=False)
    return settle_float16(rounded, exact=lambda entries: values[entries], describe=describe, error=error)


def settle_float16(
    rounded: Float16,
    *,
    exact: Callable[[Indices], npt.NDArray[Any]],
    describe: Callable[[int], str] | None = None,
    error: type[CoactivationError] = GuardRailError,
) -> tuple[Float16, Indices]:
    """What ``to_float16`` does once values are rounded, wherever that was done.

    Parameters
    ----------
    rounded
        One-dimensional values, rounded to the nearest float16.
    exact
        What entries were before; asked for those alone that are no positive finite float16.
    describe, error
        As in ``to_float16``, which has the results and errors too.

    """
    # positive finite float16 are the bit patterns 1 .. 0x7BFF: one unsigned comparison finds all others
    suspects = np.flatnonzero((rounded.view(np.uint16) - np.uint16(1)) >= np.uint16(_LARGEST_BITS))
    if not suspects.size:
        return rounded, np.zeros(0, np.int64)
    values = exact(suspects)
    tiny = (rounded[suspects] == 0) & (values > 0)
    if not tiny.all():
        first = int(np.argmin(tiny))
        entry = int(suspects[first])
        raise error(_complaint(float(values[first]), describe(entry) if describe else f"entry {entry}"))
    raised = suspects[tiny]
    rounded = rounded.copy()
    rounded[raised] = SMALLEST_SUBNORMAL
    return rounded, raised.astype(np.int64)


def _complaint(value: float, place: str) -> str:
    """What is wrong with one activation, where, and what to do."""
    if np.isnan(value):
        return (
            f"{place}: an activation is NaN; compute the activations in a wider number format, or leave the token out"
        )
    if value == 0:
        return f"{place}: an activation is 0, but only latents that fire are stored; leave the entry out"
    if value < 0:
        return f"{place}: an activation is negative ({value:g}); give the values after the SAE's activation function"
    return (
        f"{place}: the activation {value:g} is beyond float16's range (at most {LARGEST:g}); "
        "scale the activations down (and the decoder rows up), or check the model's and the SAE's number format"
    )
