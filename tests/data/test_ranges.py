"""Ranges of open times: what is left of some without others."""

from hypothesis import given
from hypothesis import strategies as st

from data.ranges import subtract, unite

ranges = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 15)).map(lambda pair: (pair[0], sum(pair))),
    max_size=12,
)


def members(of):
    return {number for start, end in of for number in range(start, end)}


@given(ranges, ranges)
def test_what_is_left_is_every_time_that_is_not_known(some, known):
    some = unite(some)

    left = subtract(some, known)

    assert members(left) == members(some) - members(known)
    assert all(start < end for start, end in left)
    assert left == sorted(left)


def test_many_known_ranges_are_subtracted_in_one_pass():
    count = 200_000
    some = [(3 * number, 3 * number + 2) for number in range(count)]

    assert subtract(some, some) == []
    assert subtract(some, some[::2]) == some[1::2]
    assert subtract([(0, 3 * count)], some) == [(start + 2, start + 3) for start, _ in some]


def test_a_range_without_a_moment_is_none():
    assert unite([(5, 5), (7, 7), (5, 6), (8, 9), (3, 3)]) == [(5, 6), (8, 9)]
