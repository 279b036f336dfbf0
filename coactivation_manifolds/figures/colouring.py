"""Which colour and marker a point gets: the most frequent tokens by name, the rest grey."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.figures.style import GREY, MARKERS, PALETTE

N_NAMED = 12
"""Kinds with a name in a legend: the palette's eight colours, and four of them again with another marker."""

Ids = npt.NDArray[np.int64]
Look = tuple[str, str]
"""Colour and marker."""


@dataclass(frozen=True)
class Kind:
    """One line of a legend; ``id`` is -1 for lines that gather several kinds."""

    id: int
    name: str
    colour: str
    marker: str
    count: int


@dataclass(frozen=True)
class KindColouring:
    """Points coloured by kind (token, next token, member).

    Attributes
    ----------
    title
        What the colours mean.
    kinds
        Most frequent first; counts are over all points, not over those drawn.
    rest
        Grey lines of the legend: all other kinds together, and points without a kind; empty where there are none.
    of_point
        int64 [n points]: place in ``kinds``, -1 for the rest.

    """

    title: str
    kinds: tuple[Kind, ...]
    rest: tuple[Kind, ...]
    of_point: Ids


@dataclass(frozen=True)
class ValueColouring:
    """Points coloured by a number; ``values`` [n points], -1 where unknown, drawn between ``low`` and ``high``."""

    title: str
    values: Ids
    low: int
    high: int
    is_cut: bool


Colouring = KindColouring | ValueColouring


def colour_by_kind(
    title: str,
    kinds: Ids,
    names: Callable[[Ids], Sequence[str]],
    *,
    none: str = "none",
    n_named: int = N_NAMED,
    like: KindColouring | None = None,
) -> KindColouring:
    """Name the most frequent kinds; ties go to the smaller id.

    Parameters
    ----------
    title
        What the colours mean.
    kinds
        Id of each point's kind; -1 where it has none, which goes to the rest.
    names
        Gives the names of ids.
    none
        What having no kind means, for the legend.
    n_named
        How many kinds get a name; one more where it is the last.
    like
        Another colouring: kinds that have a name there keep their look.

    """
    found, inverse, counts = np.unique(kinds, return_inverse=True, return_counts=True)
    order = np.lexsort((found, -counts))
    order = order[found[order] >= 0]
    named = order[: n_named if len(order) > n_named + 1 else n_named + 1]
    place = np.full(len(found), -1, dtype=np.int64)
    place[named] = np.arange(len(named))
    ids = found[named].tolist()
    looks = choose_looks(ids, {kind.id: (kind.colour, kind.marker) for kind in like.kinds} if like else {})
    lines = tuple(
        Kind(number, name, *look, count)
        for number, name, look, count in zip(ids, names(found[named]), looks, counts[named].tolist(), strict=True)
    )
    of_point = place[inverse]
    return KindColouring(title, lines, _rest(len(order) - len(named), kinds, of_point, none), of_point)


def choose_looks(ids: Sequence[int], kept: Mapping[int, Look]) -> list[Look]:
    """Colour and marker of each kind: the kept ones where there are, else the first that none of these kinds has."""
    taken = {kept[number] for number in ids if number in kept}
    free = iter(look for marker in MARKERS for look in ((colour, marker) for colour in PALETTE) if look not in taken)
    return [kept[number] if number in kept else next(free) for number in ids]


def _rest(n_others: int, kinds: Ids, of_point: Ids, none: str) -> tuple[Kind, ...]:
    without = int((kinds < 0).sum())
    others = int((of_point < 0).sum()) - without
    lines = [Kind(-1, f"{n_others:,} others", GREY, "o", others)] if others else []
    return (*lines, *([Kind(-1, none, GREY, "o", without)] if without else []))


def colour_by_value(title: str, values: Ids) -> ValueColouring:
    """Colour by a number; the scale ends at the 98 % quantile where a long tail would swallow it.

    At least one value is known; -1 stands for an unknown one, which is drawn grey.
    """
    known = values[values >= 0]
    low, high = int(known.min()), int(known.max())
    tail = int(np.quantile(known, 0.98, method="lower"))
    is_cut = high - low > 2 * max(1, tail - low)
    return ValueColouring(title, values, low, max(tail if is_cut else high, low + 1), is_cut)
