"""Thinning of long series for display: no peak is lost. NumPy only, no drawing."""

from typing import Final

import numpy as np

from engine.candles import CandleSeries, FloatArray, IntArray
from engine.timeframe import TIMEFRAMES, get_timeframe_minutes, get_timeframe_ms

# Of each bucket the first, the last, the lowest and the highest point stay.
_KEPT_PER_BUCKET: Final = 4


def drawdown_pct(equity: FloatArray) -> FloatArray:
    """Return how far each mark lies below the highest one so far, in percent, never positive."""
    peak = np.maximum.accumulate(equity)
    ratio = np.divide(equity, peak, out=np.ones_like(equity), where=peak > 0)
    return np.asarray(100 * (ratio - 1))


def extremes(values: FloatArray, *, limit: int) -> IntArray:
    """Return the indexes of at most `limit` points that keep every peak and trough visible.

    The values are cut into buckets of equal length; the first, last, lowest and highest of each
    stay. The first and the last point of all are among them. `limit` is at least 4.
    """
    count = len(values)
    if count <= limit:
        return np.arange(count, dtype=np.int64)
    edges = np.linspace(0, count, limit // _KEPT_PER_BUCKET + 1).astype(np.int64)
    starts, stops = edges[:-1], edges[1:]
    buckets = [values[first:stop] for first, stop in zip(starts, stops, strict=True)]
    lowest = starts + np.array([bucket.argmin() for bucket in buckets], dtype=np.int64)
    highest = starts + np.array([bucket.argmax() for bucket in buckets], dtype=np.int64)
    return np.unique(np.concatenate((starts, lowest, highest, stops - 1)))


def sample_equity(equity: FloatArray, *, limit: int) -> IntArray:
    """Return the indexes to draw of an equity curve: its extremes and its deepest drawdown.

    At most `limit` of them, which is at least 5; the curve has one mark or more.
    """
    # A bucket's lowest equity may come before its peak, so the deepest drawdown is named apart.
    deepest = np.array([np.argmin(drawdown_pct(equity))], dtype=np.int64)
    return np.union1d(extremes(equity, limit=limit - 1), deepest)


def display_candles(candles: CandleSeries, *, limit: int) -> CandleSeries:
    """Return candles coarse enough that at most `limit` remain, or weekly ones."""
    if len(candles) <= limit:
        return candles
    span = int(candles.timestamp[-1] - candles.timestamp[0])
    for timeframe in _coarser(candles.timeframe):
        # Both ends may reach into one candle more than the span alone would fill.
        if span // get_timeframe_ms(timeframe) + 2 <= limit:
            break
    return candles.aggregate(timeframe)


def _coarser(timeframe: str) -> list[str]:
    own = get_timeframe_minutes(timeframe)
    return [t for t in TIMEFRAMES if get_timeframe_minutes(t) % own == 0]
