"""The collecting of candle columns: what would spoil a series is refused, not stored."""

import numpy as np
import pyarrow as pa
import pytest

from data.arrow_columns import to_numpy
from data.candle_columns import ColumnBuffer
from engine.candles import CandleSeries

MINUTE = 60_000


def series(first, count, *, timeframe="1m"):
    times = first + np.arange(count, dtype=np.int64) * MINUTE
    ones = np.ones(count)
    return CandleSeries(timeframe, times, ones, ones, ones, ones, ones)


def test_candles_of_another_timeframe_are_refused_and_those_before_stay():
    buffer = ColumnBuffer("1m", 10)
    buffer.add(series(0, 2))
    with pytest.raises(ValueError, match="candles of 5m among those of 1m"):
        buffer.add(series(5 * MINUTE, 1, timeframe="5m"))

    assert buffer.build().timestamp.tolist() == [0, MINUTE]


@pytest.mark.parametrize("first", [0, MINUTE])
def test_candles_that_do_not_follow_those_before_are_refused(first):
    buffer = ColumnBuffer("1m", 10)
    buffer.add(series(0, 2))
    with pytest.raises(ValueError, match="out of order"):
        buffer.add(series(first, 1))

    assert len(buffer) == 2


def test_no_candles_of_whatever_timeframe_change_nothing():
    buffer = ColumnBuffer("1m", 10)
    buffer.add(series(0, 0, timeframe="5m"))
    buffer.add(series(0, 1))

    assert len(buffer.build()) == 1


def test_a_column_of_text_is_not_taken_for_numbers():
    with pytest.raises(ValueError, match="a column of string is neither int64 nor float64"):
        to_numpy(pa.chunked_array([["1", "2"]]))
