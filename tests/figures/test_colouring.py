"""Which kinds get a name and a colour."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from coactivation_manifolds.figures.colouring import N_NAMED, colour_by_kind, colour_by_value
from coactivation_manifolds.figures.style import GREY


def names(ids):
    return [f"k{i}" for i in ids.tolist()]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(-1, 30), min_size=1, max_size=300))
def test_most_frequent_are_named_and_counts_add_up(values):
    kinds = np.array(values)
    colouring = colour_by_kind("token", kinds, names, none="no token")
    assert sum(line.count for line in (*colouring.kinds, *colouring.rest)) == len(kinds)
    assert len(colouring.kinds) <= N_NAMED + 1
    assert len({(kind.colour, kind.marker) for kind in colouring.kinds}) == len(colouring.kinds)
    for place, kind in enumerate(colouring.kinds):
        here = colouring.of_point == place
        assert here.sum() == kind.count
        assert {f"k{i}" for i in kinds[here].tolist()} == {kind.name}
    counts = [kind.count for kind in colouring.kinds]
    assert counts == sorted(counts, reverse=True)
    left = np.unique(kinds[(colouring.of_point < 0) & (kinds >= 0)], return_counts=True)[1]
    assert left.size == 0 or left.max() <= counts[-1]
    assert left.size != 1  # a single one left would get its name
    assert all(line.colour == GREY for line in colouring.rest)
    assert any(line.name == "no token" for line in colouring.rest) == (-1 in values)


def test_ties_go_to_the_smaller_id():
    kinds = np.repeat(np.arange(20), 3)
    colouring = colour_by_kind("token", kinds, names)
    assert [kind.name for kind in colouring.kinds] == [f"k{i}" for i in range(N_NAMED)]
    assert [(line.name, line.count) for line in colouring.rest] == [("8 others", 24)]


def test_values_with_a_long_tail_are_cut():
    values = np.concatenate([np.arange(1_000) % 50, [10_000]])
    cut = colour_by_value("position", values)
    assert cut.is_cut
    assert cut.high == 49
    whole = colour_by_value("position", np.arange(64))
    assert (whole.low, whole.high, whole.is_cut) == (0, 63, False)
    flat = colour_by_value("position", np.full(9, 4))
    assert (flat.low, flat.high) == (4, 5)


def test_kinds_keep_their_look_from_another_colouring():
    first = colour_by_kind("token", np.repeat([3, 5, 8], [9, 6, 3]), names)
    second = colour_by_kind("next token", np.repeat([8, 7, 3, 1], [9, 6, 3, 2]), names, like=first)
    looks = {kind.id: (kind.colour, kind.marker) for kind in first.kinds}
    found = {kind.id: (kind.colour, kind.marker) for kind in second.kinds}
    assert found[8] == looks[8]
    assert found[3] == looks[3]
    assert len(set(found.values())) == 4
