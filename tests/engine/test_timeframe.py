import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UnknownTimeframe
from engine.timeframe import (
    DAY_MS,
    MINUTE_MS,
    TIMEFRAMES,
    TimeframeAggregator,
    base_of,
    bucket_opens,
    bucket_starts,
    find_gaps,
    floor_to_timeframe,
    get_lower_timeframe,
    get_timeframe_minutes,
    get_timeframe_ms,
    is_timeframe_complete,
)

MONDAY = 1_704_067_200_000


def test_all_timeframes_have_their_length_in_minutes():
    lengths = [1, 3, 5, 15, 30, 60, 120, 240, 360, 720, 1440, 10080]
    assert [get_timeframe_minutes(timeframe) for timeframe in TIMEFRAMES] == lengths


@pytest.mark.parametrize("wrong", ["7m", "", "1M", None, 60])
def test_an_unknown_timeframe_names_those_that_exist(wrong):
    with pytest.raises(UnknownTimeframe, match="use one of 1m, 3m"):
        get_timeframe_minutes(wrong)


def test_the_drill_down_goes_from_4h_to_1m():
    steps = ["4h"]
    while (lower := get_lower_timeframe(steps[-1])) is not None:
        steps.append(lower)
    assert steps == ["4h", "1h", "15m", "5m", "1m"]


def test_weeks_start_on_monday():
    sunday = MONDAY + 6 * DAY_MS
    assert floor_to_timeframe(sunday, "1w") == MONDAY
    assert floor_to_timeframe(MONDAY - 1, "1w") == MONDAY - 7 * DAY_MS


@pytest.mark.parametrize(("minute", "complete"), [(13, False), (14, True), (15, False)])
def test_a_quarter_is_complete_with_its_fifteenth_minute(minute, complete):
    assert is_timeframe_complete(MONDAY + minute * MINUTE_MS, "15m") is complete


def test_a_coarser_base_completes_earlier_in_its_count():
    assert is_timeframe_complete(MONDAY + 10 * MINUTE_MS, "15m", base="5m")


def test_the_smallest_timeframe_is_the_base_of_a_strategy():
    assert base_of(("4h", "15m", "1d")) == "15m"


@given(st.integers(0, 2**41), st.sampled_from(TIMEFRAMES))
def test_a_candle_opens_at_or_before_each_moment_in_it(moment, timeframe):
    opened = floor_to_timeframe(moment, timeframe)
    assert opened <= moment < opened + get_timeframe_ms(timeframe)
    assert floor_to_timeframe(opened, timeframe) == opened
    assert bucket_opens(np.array([moment]), timeframe)[0] == opened


def _times(minutes: list[int]) -> np.ndarray:
    return MONDAY + np.array(minutes) * MINUTE_MS


def test_a_candle_closes_with_its_last_minute():
    aggregator = TimeframeAggregator("5m", "1m")
    aggregator.extend(_times([0, 1, 2, 3, 4]))
    assert aggregator.closing_keys.tolist() == [2 * 5]


def test_a_candle_without_its_last_minute_is_overdue_until_a_later_one_comes():
    aggregator = TimeframeAggregator("5m", "1m")
    aggregator.extend(_times([0, 1, 2]))
    assert aggregator.closing_keys.tolist() == []
    aggregator.extend(_times([0, 1, 2, 11]))
    assert aggregator.closing_keys.tolist() == [2 * 3 + 1]


@given(
    st.sets(st.integers(0, 400), min_size=1),
    st.sampled_from(["3m", "5m", "15m", "1h"]),
    st.data(),
)
def test_growing_in_parts_gives_the_same_as_growing_at_once(minutes, timeframe, data):
    times = _times(sorted(minutes))
    whole = TimeframeAggregator(timeframe, "1m")
    whole.extend(times)
    parts = TimeframeAggregator(timeframe, "1m")
    cuts = data.draw(st.sets(st.integers(1, len(times))))
    for cut in sorted(cuts | {len(times)}):
        parts.extend(times[:cut])
    assert parts.starts.tolist() == whole.starts.tolist()
    assert parts.closing_keys.tolist() == whole.closing_keys.tolist()


@given(
    gaps=st.lists(st.tuples(st.integers(1, 20_000), st.integers(1, 4000)), max_size=8),
    timeframe=st.sampled_from(["3m", "5m", "1h", "1d", "1w"]),
    begin=st.integers(0, 20_000),
    length=st.sampled_from([1, 4095, 4096, 4097, 20_001]),
)
def test_candles_and_gaps_of_long_runs_are_those_that_comparing_finds(
    gaps, timeframe, begin, length
):
    steps = np.ones(length, dtype=np.int64)
    for index, missing in gaps:
        steps[index % length] += missing
    times = MONDAY + (begin + np.cumsum(steps)) * MINUTE_MS
    opens = bucket_opens(times, timeframe)
    changes = [0, *(np.flatnonzero(opens[1:] != opens[:-1]) + 1).tolist()]
    assert bucket_starts(times, timeframe, "1m").tolist() == changes
    assert (
        find_gaps(times, MINUTE_MS).tolist() == np.flatnonzero(np.diff(times) > MINUTE_MS).tolist()
    )


def test_no_candle_has_no_gap():
    assert find_gaps(np.empty(0, dtype=np.int64), MINUTE_MS).tolist() == []
