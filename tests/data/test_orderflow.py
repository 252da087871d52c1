"""Open interest without looking ahead, volume delta and its running total."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as some

from data.orderflow import (
    OPEN_INTEREST_DELAY_MS,
    OPEN_INTEREST_STALE_MS,
    align_open_interest,
    approximate_volume_delta,
    cumulative_volume_delta,
)

MINUTE = 60_000
T = 1_700_000_100_000


def times(*values):
    return np.array(values, dtype=np.int64)


def test_a_value_is_known_one_period_after_its_time():
    closes = times(T, T + OPEN_INTEREST_DELAY_MS - 1, T + OPEN_INTEREST_DELAY_MS)

    aligned = align_open_interest(closes, times(T), np.array([7.0]))

    assert np.isnan(aligned[:2]).all()
    assert aligned[2] == 7.0
    assert OPEN_INTEREST_DELAY_MS == 5 * MINUTE


def test_the_latest_known_value_holds_until_the_next_one_is_known():
    closes = T + np.arange(0, 16) * MINUTE

    aligned = align_open_interest(closes, times(T, T + 5 * MINUTE), np.array([1.0, 2.0]))

    assert np.isnan(aligned[:5]).all()
    assert aligned[5:10].tolist() == [1.0] * 5
    assert aligned[10:].tolist() == [2.0] * 6


def test_a_value_that_is_too_old_is_unknown_again():
    known_from = T + OPEN_INTEREST_DELAY_MS
    closes = times(known_from + OPEN_INTEREST_STALE_MS - 1, known_from + OPEN_INTEREST_STALE_MS)

    aligned = align_open_interest(closes, times(T), np.array([7.0]))

    assert aligned[0] == 7.0
    assert np.isnan(aligned[1])


def test_without_values_nothing_is_known():
    aligned = align_open_interest(times(T, T + MINUTE), times(), np.empty(0))

    assert np.isnan(aligned).all()
    assert len(align_open_interest(times(), times(T), np.array([1.0]))) == 0


@given(
    count=some.integers(1, 30),
    period=some.integers(1, 10),
    cut=some.integers(0, 200),
    delay=some.integers(0, 20),
)
def test_later_values_never_change_earlier_candles(count, period, cut, delay):
    value_times = T + np.arange(count) * period * MINUTE
    values = np.arange(count, dtype=float)
    closes = T + np.arange(200) * MINUTE
    published = value_times + delay * MINUTE <= T + cut * MINUTE

    whole = align_open_interest(closes, value_times, values, delay_ms=delay * MINUTE)
    then = align_open_interest(
        closes, value_times[published], values[published], delay_ms=delay * MINUTE
    )

    assert np.array_equal(whole[: cut + 1], then[: cut + 1], equal_nan=True)


def test_the_volume_delta_of_a_candle_follows_its_direction():
    delta = approximate_volume_delta(
        np.array([1.0, 2.0, 3.0]), np.array([2.0, 1.0, 3.0]), np.array([5.0, 6.0, 7.0])
    )

    assert delta.tolist() == [5.0, -6.0, 0.0]


def test_the_cumulative_delta_passes_over_what_is_unknown():
    total = cumulative_volume_delta(np.array([1.0, np.nan, -3.0]))

    assert total.tolist() == [1.0, 1.0, -2.0]
