"""A series of one candle is made and checked like any other."""

from dataclasses import replace

import numpy as np
import pytest

from engine.candles import Candle, CandleSeries
from engine.errors import InvalidCandles

GOOD = Candle(1_704_067_200_000, 10.0, 11.0, 9.0, 10.5, 3.0, 7.0, -1.0)
MONDAY = 1_704_067_200_000
COLUMNS = ("timestamp", "open", "high", "low", "close", "volume", "open_interest", "volume_delta")


@pytest.mark.parametrize(
    "candle",
    [
        GOOD,
        replace(GOOD, open_interest=None),
        replace(GOOD, volume_delta=None, open_interest=None),
        replace(GOOD, open=10, high=11, low=9, close=10, volume=0),
    ],
)
def test_one_candle_makes_the_columns_that_it_makes_among_others(candle):
    later = replace(candle, timestamp=candle.timestamp + 60_000)
    one = CandleSeries.from_candles([candle])
    among = CandleSeries.from_candles([candle, later]).part(0, 1)
    for name in COLUMNS:
        mine, theirs = getattr(one, name), getattr(among, name)
        if theirs is None:
            assert mine is None
            continue
        assert mine.dtype == theirs.dtype
        assert not mine.flags.writeable
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"close": float("nan")}, "not a number"),
        ({"volume": float("inf")}, "not a number"),
        ({"low": 0.0}, "not positive"),
        ({"high": 8.0}, "high is below low"),
        ({"high": 10.2}, "outside"),
        ({"low": 10.2}, "outside"),
        ({"volume": -1.0}, "volume is negative"),
        ({"timestamp": MONDAY + 1}, "off the grid"),
    ],
)
def test_one_candle_that_is_wrong_is_refused_with_the_reason(changes, problem):
    with pytest.raises(InvalidCandles, match=problem):
        CandleSeries.from_candles([replace(GOOD, **changes)])


def test_one_candle_of_a_week_begins_on_a_monday():
    assert len(CandleSeries.from_candles([GOOD], "1w")) == 1
    with pytest.raises(InvalidCandles, match="off the grid"):
        CandleSeries.from_candles([replace(GOOD, timestamp=MONDAY + 86_400_000)], "1w")
