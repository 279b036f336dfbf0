"""Like sets taken as one, against comparing all pairs."""

from hypothesis import given, settings
from hypothesis import strategies as st

from coactivation_manifolds.clustering.merge_alike import Merged, merge_alike


def jaccard(one, other):
    return len(set(one) & set(other)) / len(set(one) | set(other))


def by_all_pairs(sets, least):
    groups = []
    for number, members in enumerate(sets):
        likeness = [jaccard(members, sets[group[0]]) for group in groups]
        if likeness and max(likeness) >= least:
            groups[likeness.index(max(likeness))].append(number)
        else:
            groups.append([number])
    return [Merged(group[0], tuple(group)) for group in groups]


@settings(deadline=None, max_examples=200)
@given(
    sets=st.lists(st.sets(st.integers(0, 9), min_size=1, max_size=6).map(sorted), max_size=25),
    least=st.sampled_from([0.3, 0.5, 0.8, 1.0]),
)
def test_equals_comparing_all_pairs(sets, least):
    merged = merge_alike(sets, least_jaccard=least)
    assert merged == by_all_pairs(sets, least)
    assert sorted(number for group in merged for number in group.alike) == list(range(len(sets)))


def test_exactly_at_the_bound_is_alike():
    assert merge_alike([[1, 2, 3, 4], [1, 2, 3, 4, 5]], least_jaccard=0.8) == [Merged(0, (0, 1))]
    assert len(merge_alike([[1, 2, 3, 4], [1, 2, 3, 5]], least_jaccard=0.8)) == 2
