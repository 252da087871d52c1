import math
import pickle
import weakref

import numpy as np
import pytest

from engine.candles import Candle, CandleSeries, format_time
from engine.errors import InvalidCandles

MINUTE = 60_000
MONDAY = 1_704_067_200_000


def _series(**changes):
    columns = {
        "timestamp": MONDAY + np.arange(3) * MINUTE,
        "open": [10.0, 11.0, 12.0],
        "high": [11.0, 12.0, 13.0],
        "low": [9.0, 10.0, 11.0],
        "close": [11.0, 12.0, 11.0],
        "volume": [1.0, 2.0, 3.0],
    }
    return CandleSeries("1m", **{**columns, **changes})


def test_a_candle_tells_its_direction_range_and_body():
    candle = Candle(0, open=10, high=15, low=8, close=13, volume=1)
    assert (candle.is_bullish, candle.is_bearish, candle.range, candle.body) == (True, False, 7, 3)


def test_a_flat_candle_is_neither_bullish_nor_bearish():
    candle = Candle(0, 10, 10, 10, 10, 0)
    assert not candle.is_bullish
    assert not candle.is_bearish


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"close": [11.0, math.nan, 11.0]}, "not a number"),
        ({"volume": [1.0, math.inf, 1.0]}, "not a number"),
        ({"low": [9.0, 0.0, 11.0]}, "not positive"),
        ({"high": [11.0, 9.0, 13.0]}, "high is below low"),
        ({"close": [11.0, 12.5, 11.0]}, "outside of low..high"),
        ({"volume": [1.0, -2.0, 3.0]}, "volume is negative"),
        ({"timestamp": MONDAY + np.array([0, 1, 1]) * MINUTE}, "appears twice"),
        ({"timestamp": MONDAY + np.array([0, 2, 1]) * MINUTE}, "out of order"),
        ({"timestamp": MONDAY + np.array([0, MINUTE + 1, 2 * MINUTE])}, "off the grid"),
        ({"close": [11.0, 12.0]}, "different lengths"),
    ],
)
def test_unusable_candles_are_refused_with_the_rule_they_break(changes, rule):
    with pytest.raises(InvalidCandles, match=rule):
        _series(**changes)


def test_the_refusal_names_the_first_offender_and_the_count():
    with pytest.raises(InvalidCandles, match=r"1 of 3 candles, first at 2024-01-01T00:01:00Z"):
        _series(low=[9.0, 0.0, 11.0])


def test_columns_can_not_be_changed():
    series = _series()
    with pytest.raises(ValueError, match="read-only"):
        series.close[0] = 1.0


def test_the_callers_own_array_stays_writable():
    close = np.array([11.0, 12.0, 11.0])
    _series(close=close)
    close[0] = 10.5


def test_between_excludes_the_end():
    part = _series().between(MONDAY + MINUTE, MONDAY + 2 * MINUTE)
    assert part.timestamp.tolist() == [MONDAY + MINUTE]


def test_single_candles_survive_the_way_into_columns_and_back():
    rows = [Candle(MONDAY, 1, 2, 1, 2, 5, volume_delta=1.5), Candle(MONDAY + MINUTE, 2, 2, 2, 2, 0)]
    assert list(CandleSeries.from_candles(rows)) == rows


def test_gaps_name_the_first_and_last_missing_candle():
    series = _series(timestamp=MONDAY + np.array([0, 1, 5]) * MINUTE)
    (gap,) = series.gaps()
    assert (gap.first, gap.last, gap.missing) == (MONDAY + 2 * MINUTE, MONDAY + 4 * MINUTE, 3)


def test_aggregation_takes_first_open_highest_lowest_last_close_and_the_sum(walk):
    series = walk(60)
    (hour,) = list(series.aggregate("1h"))
    assert hour.open == series.open[0]
    assert hour.high == series.high.max()
    assert hour.low == series.low.min()
    assert hour.close == series.close[-1]
    assert hour.volume == pytest.approx(series.volume.sum())
    assert hour.volume_delta == pytest.approx(series.volume_delta.sum())


def test_an_aggregated_halt_leaves_no_candle_and_shortens_its_neighbours(walk):
    series = walk(60, skip=range(10, 31)).aggregate("15m")
    assert ((series.timestamp - MONDAY) // MINUTE).tolist() == [0, 30, 45]


def test_an_empty_series_aggregates_to_an_empty_one():
    assert len(CandleSeries.empty().aggregate("1h")) == 0


def test_times_are_shown_as_iso_utc():
    assert format_time(MONDAY) == "2024-01-01T00:00:00Z"


def test_what_is_computed_of_candles_is_kept_until_it_is_given_up(walk):
    series, made = walk(10), []
    for _ in range(2):
        assert series.derived("count", lambda: made.append(1) or len(series)) == 10
    assert len(made) == 1
    series.forget_derived()
    series.derived("count", lambda: made.append(1))
    assert len(made) == 2


def test_a_series_sent_to_another_process_is_the_same_and_takes_nothing_computed_along(walk):
    series = walk(10)
    series.derived("a lambda", lambda: lambda: None)  # can't be pickled
    sent = pickle.loads(pickle.dumps(series))
    assert list(sent) == list(series)
    assert sent.timeframe == series.timeframe
    with pytest.raises(ValueError, match="read-only"):
        sent.close[0] = 1.0


def test_all_candles_of_a_series_are_the_series_itself(walk):
    series = walk(10)
    assert series.part(0, 10) is series
    assert series.between(None, None) is series
    assert series.part(0, 9) is not series


def test_candles_are_given_up_with_the_last_that_holds_them_whatever_is_kept_with_them(walk):
    held = [walk(10)]
    assert held[0].derived("whole", lambda: held[0].part(0, 10)) is held[0]
    column = weakref.ref(held[0].close)
    held.clear()
    assert column() is None


def test_no_more_is_kept_with_candles_than_a_run_needs(walk):
    series, made = walk(10), []
    for number in range(1000):
        assert series.derived(number, lambda number=number: made.append(number) or number) == number
    for number in range(990, 1000):
        series.derived(number, lambda: made.append("again"))
    assert made == list(range(1000))
    series.derived(0, lambda: made.append("again"))
    assert made[-1] == "again"
