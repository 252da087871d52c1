"""Thinning of long series for display: no peak is lost. NumPy only, no drawing."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from engine.candles import CandleSeries, FloatArray, IntArray
from engine.timeframe import DAY_MS, MINUTE_MS, TIMEFRAMES, get_timeframe_ms

# Of each bucket the first, the last, the lowest and the highest point stay.
_KEPT_PER_BUCKET: Final = 4

# Every step is at most two and a half times the one before, so that charts are never too coarse.
_STEPS_MS: Final = tuple(
    [get_timeframe_ms(timeframe) for timeframe in TIMEFRAMES[:-1]]
    + [days * DAY_MS for days in (2, 4, 7, 14, 28)]
)

# The epoch was a Thursday; weeks start on Monday, four days later.
_MONDAY_MS: Final = 4 * DAY_MS


@dataclass(frozen=True, slots=True)
class DisplayCandles:
    """Candles as they are drawn, each of `step_ms`; times are open times in ms UTC."""

    step_ms: int
    timestamp: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray

    def __len__(self) -> int:
        return len(self.timestamp)

    @property
    def label(self) -> str:
        """The length of a candle as people write it, such as 15m, 4h or 2d."""
        minutes = self.step_ms // MINUTE_MS
        for unit, size in (("w", 10_080), ("d", 1440), ("h", 60)):
            if minutes % size == 0:
                return f"{minutes // size}{unit}"
        return f"{minutes}m"


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


def display_candles(candles: CandleSeries, *, limit: int) -> DisplayCandles:
    """Return candles coarse enough that at most `limit` remain, where four-week ones are enough."""
    step = candles.step_ms
    span = int(candles.timestamp[-1] - candles.timestamp[0]) if len(candles) else 0
    if len(candles) > limit:
        # Both ends may reach into one candle more than the span alone would fill.
        coarser = [coarse for coarse in _STEPS_MS if coarse % step == 0]
        step = next((coarse for coarse in coarser if span // coarse + 2 <= limit), coarser[-1])
    return _aggregated(candles, step)


def _aggregated(candles: CandleSeries, step: int) -> DisplayCandles:
    opens = (candles.timestamp - _MONDAY_MS) // step * step + _MONDAY_MS
    firsts = np.flatnonzero(np.diff(opens, prepend=-1))
    lasts = np.append(firsts[1:], len(opens))[: len(firsts)] - 1
    empty = not len(opens)
    return DisplayCandles(
        step_ms=step,
        timestamp=opens[firsts],
        open=candles.open[firsts],
        high=candles.high if empty else np.maximum.reduceat(candles.high, firsts),
        low=candles.low if empty else np.minimum.reduceat(candles.low, firsts),
        close=candles.close[lasts],
    )
