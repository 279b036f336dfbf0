"""Sets of latents that are much the same, found at several values of a sweep, taken as one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple


class Merged(NamedTuple):
    """A set that stands for others.

    Attributes
    ----------
    chosen
        Its number among the sets.
    alike
        Numbers of the sets that it stands for, itself first.

    """

    chosen: int
    alike: tuple[int, ...]


def merge_alike(sets: Sequence[Sequence[int]], *, least_jaccard: float) -> list[Merged]:
    """Let the first of several like sets stand for them.

    In the order given, a set either joins the one before it that it is most like (Jaccard of members at least
    ``least_jaccard``; of equals the first), or comes to stand for itself. So no two that stand for themselves are
    alike, and each set is alike to the one that stands for it; two sets that one stands for need not be.

    Parameters
    ----------
    sets
        Members of each set, each once; the order is the caller's preference.
    least_jaccard
        In (0, 1].

    """
    groups: list[list[int]] = []
    groups_with: dict[int, list[int]] = {}
    for number, members in enumerate(sets):
        shared = Counter(group for member in members for group in groups_with.get(member, ()))
        jaccard = {
            group: count / (len(members) + len(sets[groups[group][0]]) - count) for group, count in shared.items()
        }
        best = max(jaccard, key=lambda group: (jaccard[group], -group), default=None)
        if best is not None and jaccard[best] >= least_jaccard:
            groups[best].append(number)
            continue
        for member in members:
            groups_with.setdefault(member, []).append(len(groups))
        groups.append([number])
    return [Merged(group[0], tuple(group)) for group in groups]
