"""Cutting ranges into windows, and checking what came back."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from data.errors import ExchangeUnavailable
from data.pages import cut_windows, join_candles, join_near, merge_pages, read_page
from data.venues.base import CandleColumns

MINUTE = 60_000
START = 1_735_689_600_000  # 2025-01-01
NOW = START + 10 * 24 * 60 * MINUTE


def columns_at(times, **changed):
    count = len(times)
    values = {name: np.full(count, 100.0) for name in ("open", "high", "low", "close")}
    values |= {"volume": np.full(count, 5.0), "volume_delta": np.full(count, 1.0)}
    for name, (index, value) in changed.items():
        values[name][index] = value
    return CandleColumns(np.array(times, dtype=np.int64), **values)


def minutes(*numbers):
    return [START + number * MINUTE for number in numbers]


WINDOW = (START, START + 5 * MINUTE)


def test_a_page_holds_the_candles_of_its_window():
    page = read_page(columns_at(minutes(0, 1, 2, 3, 4)), WINDOW, "1m", now=NOW)

    assert page.candles.timestamp.tolist() == minutes(0, 1, 2, 3, 4)
    assert page.candles.volume_delta.tolist() == [1.0] * 5
    assert page.holes() == []
    assert page.problem is None


def test_what_is_missing_in_a_page_is_a_hole():
    page = read_page(columns_at(minutes(1, 3)), WINDOW, "1m", now=NOW)

    holes = [minutes(0, 1), minutes(2, 3), minutes(4, 5)]
    assert page.holes() == [tuple(hole) for hole in holes]


def test_the_candle_behind_the_window_is_not_part_of_it():
    for later in (1, 100 * MINUTE):
        page = read_page(columns_at(minutes(3, 4, 5)), WINDOW, "1m", now=WINDOW[1] + later)

        assert page.candles.timestamp.tolist() == minutes(3, 4)


@pytest.mark.parametrize(
    ("after_close_ms", "has_later_candle", "is_final"),
    [(0, True, True), (1, False, False), (59_999, False, False), (60_000, False, True)],
)
def test_the_last_candle_is_final_if_a_later_one_or_a_minute_shows_it(
    after_close_ms, has_later_candle, is_final
):
    times = minutes(3, 4, 5) if has_later_candle else minutes(3, 4)
    page = read_page(columns_at(times), WINDOW, "1m", now=WINDOW[1] + after_close_ms)

    assert page.candles.timestamp.tolist() == (minutes(3, 4) if is_final else minutes(3))


@pytest.mark.parametrize(
    ("times", "rule"),
    [
        ([t // 1000 for t in minutes(0, 1, 2)], "3 of 3 candles outside of the asked window"),
        ([t * 1000 for t in minutes(0)], "1 of 1 candles outside"),
        (minutes(-1, 0, 1), "1 of 3 candles outside"),
        (minutes(0, 7), "1 of 2 candles outside"),
        ([START + 1], "off the grid of 1m"),
        (minutes(1, 0), "out of order or twice"),
        (minutes(1, 1), "out of order or twice"),
    ],
)
def test_an_answer_to_another_question_is_refused_whole(times, rule):
    with pytest.raises(ExchangeUnavailable) as caught:
        read_page(columns_at(times), WINDOW, "1m", now=NOW)

    message = str(caught.value)
    assert rule in message
    assert "when asked for 2025-01-01T00:00:00Z to 2025-01-01T00:05:00Z" in message
    assert "nothing of it is stored" in message


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"open": (2, 101.0)}, "open or close lies outside"),
        ({"low": (2, 101.0)}, "high is below low"),
        ({"low": (2, 0.0)}, "price is not positive"),
        ({"close": (2, np.nan)}, "price or volume is not a number"),
        ({"high": (2, np.inf)}, "price or volume is not a number"),
        ({"volume": (2, -1.0)}, "volume is negative"),
        ({"volume_delta": (2, np.nan)}, "taker volume is not a number"),
    ],
)
def test_a_candle_that_can_not_be_traded_on_is_left_out_and_named(changed, rule):
    page = read_page(columns_at(minutes(0, 1, 2, 3, 4), **changed), WINDOW, "1m", now=NOW)

    assert page.candles.timestamp.tolist() == minutes(0, 1, 3, 4)
    assert page.refused.tolist() == minutes(2)
    assert page.holes() == []
    assert rule in page.problem
    assert "2025-01-01T00:02:00Z" in page.problem


def test_two_answers_complete_each_other():
    first = read_page(columns_at(minutes(0, 1), open=(1, np.nan)), WINDOW, "1m", now=NOW)
    second = read_page(columns_at(minutes(1, 2)), (START, START + 3 * MINUTE), "1m", now=NOW)

    both = merge_pages(first, second)

    assert both.window == WINDOW
    assert both.candles.timestamp.tolist() == minutes(0, 1, 2)
    assert both.refused.tolist() == []
    assert both.holes() == [tuple(minutes(3, 5))]


@given(
    start=some.integers(0, 100_000),
    length=some.integers(1, 200_000),
    size=some.integers(1, 5000),
    timeframe=some.sampled_from(["1m", "5m", "1h"]),
)
def test_windows_cover_a_range_without_overlap(start, length, size, timeframe):
    step = {"1m": 1, "5m": 5, "1h": 60}[timeframe] * MINUTE
    begin = START + start * step
    end = begin + min(length, 50 * size) * step

    windows = list(cut_windows([(begin, end)], timeframe, size))

    assert windows[0][0] == begin
    assert windows[-1][1] == end
    assert all(left[1] == right[0] for left, right in pairwise(windows))
    assert all(0 < stop - first <= size * step for first, stop in windows)


def test_windows_of_fine_candles_end_with_the_month():
    february = 1_738_368_000_000
    windows = list(cut_windows([(START, february + MINUTE)], "1m", 1000))

    assert (february, february + MINUTE) == windows[-1]


def test_windows_of_coarse_candles_reach_over_months():
    year = 365 * 24 * 60 * MINUTE

    assert len(list(cut_windows([(START, START + year)], "1d", 1000))) == 1


def test_ranges_that_lie_close_are_joined():
    assert join_near([(0, 10), (15, 20), (40, 50)], 5) == [(0, 20), (40, 50)]
    assert join_near([], 5) == []


def test_pages_are_joined_with_the_taker_volume_or_what_stands_for_it():
    pages = [
        read_page(
            columns_at(minutes(*numbers), close=(0, 101.0), high=(0, 101.0)), WINDOW, "1m", now=NOW
        )
        for numbers in ((0, 1), (3, 4))
    ]
    parts = [pages[0].candles, pages[0].candles.part(0, 0), pages[1].candles]

    taker = join_candles(parts, "1m", has_taker_volume=True)
    other = join_candles(parts, "1m", has_taker_volume=False)

    assert taker.timestamp.tolist() == other.timestamp.tolist() == minutes(0, 1, 3, 4)
    assert taker.volume_delta.tolist() == [1.0] * 4
    assert other.volume_delta.tolist() == [5.0, 0.0, 5.0, 0.0]
    assert len(join_candles([], "1m", has_taker_volume=False)) == 0
