"""The candle lengths the simulated exchange offers, and the joining of candles into longer ones.

Weeks start on Monday 00:00 UTC, three-day candles count from 1970. No clock lives here.
"""

import numpy as np

from data.simulator.errors import UnknownIntervalError
from data.simulator.noise import Integers
from data.simulator.path import DAY_MS, MINUTE_MS, CandleUnits

HOUR_MS = 3_600_000
WEEK_MS = 7 * DAY_MS
_MONDAY_MS = 4 * DAY_MS  # 1970-01-05, the first Monday

_LENGTHS = {
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": HOUR_MS,
    "2h": 2 * HOUR_MS,
    "4h": 4 * HOUR_MS,
    "6h": 6 * HOUR_MS,
    "8h": 8 * HOUR_MS,
    "12h": 12 * HOUR_MS,
    "1d": DAY_MS,
    "3d": 3 * DAY_MS,
    "1w": WEEK_MS,
}


def interval_names() -> tuple[str, ...]:
    """Return every candle length, the shortest first."""
    return tuple(_LENGTHS)


def interval_ms(interval: str) -> int:
    """Return a candle length in ms; UnknownIntervalError if it is not offered."""
    if interval not in _LENGTHS:
        offered = " ".join(_LENGTHS)
        raise UnknownIntervalError(f"no candles of length {interval!r}; offered: {offered}")
    return _LENGTHS[interval]


def open_time_of(time_ms: int, length_ms: int) -> int:
    """Return the open time of the candle that `time_ms` falls into."""
    offset = _MONDAY_MS if length_ms == WEEK_MS else 0
    return (time_ms - offset) // length_ms * length_ms + offset


def next_open_time(time_ms: int, length_ms: int) -> int:
    """Return the first open time at or after `time_ms`."""
    return open_time_of(time_ms + length_ms - 1, length_ms)


def join_candles(candles: CandleUnits, length_ms: int) -> CandleUnits:
    """Return the candles joined into longer ones of `length_ms`, an incomplete one included."""
    if len(candles) == 0:
        return candles
    offset = _MONDAY_MS if length_ms == WEEK_MS else 0
    opens: Integers = (candles["timestamp"] - offset) // length_ms * length_ms + offset
    starts = np.flatnonzero(np.concatenate(([True], opens[1:] != opens[:-1])))
    ends = np.concatenate((starts[1:], [len(candles)])) - 1
    joined = np.zeros(len(starts), candles.dtype)
    joined["timestamp"] = opens[starts]
    joined["open"] = candles["open"][starts]
    joined["close"] = candles["close"][ends]
    joined["high"] = np.maximum.reduceat(candles["high"], starts)
    joined["low"] = np.minimum.reduceat(candles["low"], starts)
    for name in ("volume", "quote_volume", "trades", "taker_buy_base", "taker_buy_quote"):
        joined[name] = np.add.reduceat(candles[name], starts)
    return joined
