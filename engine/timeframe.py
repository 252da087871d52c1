"""Timeframes: their lengths, their grid, and where coarser candles begin and close. No I/O."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from engine.errors import UnknownTimeframe

MINUTE_MS: Final = 60_000
DAY_MS: Final = 24 * 60 * MINUTE_MS

_MINUTES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "1m": 1,
        "3m": 3,
        "5m": 5,
        "15m": 15,
        "30m": 30,
        "1h": 60,
        "2h": 120,
        "4h": 240,
        "6h": 360,
        "12h": 720,
        "1d": 1440,
        "1w": 10080,
    }
)
TIMEFRAMES: Final[tuple[str, ...]] = tuple(_MINUTES)

# A candle that reaches both stop and target is drilled down along this ladder.
_LADDER: Final = ("1d", "4h", "1h", "15m", "5m", "1m")

# The epoch was a Thursday; weeks start on Monday 00:00 UTC, four days later.
_MONDAY_MS: Final = 4 * DAY_MS

# So many candles at a time are checked for gaps by their first and last one.
_GAP_PART: Final = 4096


def get_timeframe_minutes(timeframe: str) -> int:
    """Return the length of a timeframe in minutes.

    Raises:
        UnknownTimeframe: the timeframe isn't one of `TIMEFRAMES`.
    """
    try:
        return _MINUTES[timeframe]
    except (KeyError, TypeError):
        known = ", ".join(TIMEFRAMES)
        raise UnknownTimeframe(f"unknown timeframe {timeframe!r}: use one of {known}") from None


def get_timeframe_ms(timeframe: str) -> int:
    """Return the length of a timeframe in milliseconds."""
    return get_timeframe_minutes(timeframe) * MINUTE_MS


def get_lower_timeframe(timeframe: str) -> str | None:
    """Return the next finer timeframe of the drill-down (4h, 1h, 15m, 5m, 1m), None below 1m."""
    minutes = get_timeframe_minutes(timeframe)
    return next((step for step in _LADDER if _MINUTES[step] < minutes), None)


def floor_to_timeframe(timestamp: int, timeframe: str) -> int:
    """Return the open time (ms) of the candle that holds a moment."""
    step = get_timeframe_ms(timeframe)
    offset = _MONDAY_MS if timeframe == "1w" else 0
    return (timestamp - offset) // step * step + offset


def is_timeframe_complete(timestamp: int, timeframe: str, base: str = "1m") -> bool:
    """Tell whether the base candle that opens at `timestamp` (ms) is the last of its candle."""
    close_time = timestamp + get_timeframe_ms(base)
    return floor_to_timeframe(close_time, timeframe) == close_time


def bucket_opens(timestamp: npt.NDArray[np.int64], timeframe: str) -> npt.NDArray[np.int64]:
    """Return, for open times (ms) of base candles, the open time of the coarser candle of each."""
    step = get_timeframe_ms(timeframe)
    offset = _MONDAY_MS if timeframe == "1w" else 0
    return (timestamp - offset) // step * step + offset


def bucket_starts(
    timestamp: npt.NDArray[np.int64], timeframe: str, base: str
) -> npt.NDArray[np.int64]:
    """Return the index of the first base candle of each coarser candle; needs one or more.

    `timestamp` are open times (ms) of base candles in order, once each and on their grid.
    """
    step = get_timeframe_ms(timeframe)
    if len(timestamp) < _GAP_PART or timestamp[-1] - timestamp[0] >= len(timestamp) * step:
        opens = bucket_opens(timestamp, timeframe)
        return np.concatenate(([0], np.flatnonzero(opens[1:] != opens[:-1]) + 1))
    first, last = bucket_opens(timestamp[[0, -1]], timeframe).tolist()
    starts = _count_candles(timestamp, np.arange(first, last + 1, step), get_timeframe_ms(base))
    has_candles = np.append(starts[1:], len(timestamp)) > starts
    return np.asarray(starts[has_candles])


def _count_candles(
    timestamp: npt.NDArray[np.int64], moments: npt.NDArray[np.int64], step: int
) -> npt.NDArray[np.int64]:
    """Return how many candles open before each moment: what a search would find, by counting."""
    begins = np.concatenate(([0], find_gaps(timestamp, step) + 1))
    ends = np.append(begins[1:], len(timestamp))
    part = np.maximum(np.searchsorted(timestamp[begins], moments, side="right") - 1, 0)
    since = np.maximum(-((timestamp[begins[part]] - moments) // step), 0)
    return np.asarray(np.minimum(begins[part] + since, ends[part]))


def find_gaps(timestamp: npt.NDArray[np.int64], step: int) -> npt.NDArray[np.int64]:
    """Return the index of each candle that isn't followed by the next one of its grid.

    `timestamp` are open times in order and once each, `step` ms apart or a multiple of it. Only
    parts that take too long to pass are looked into.
    """
    if not len(timestamp):
        return np.empty(0, dtype=np.int64)
    edges = np.append(np.arange(0, len(timestamp) - 1, _GAP_PART), len(timestamp) - 1)
    longer = np.diff(timestamp[edges]) > np.diff(edges) * step
    parts = [
        np.flatnonzero(np.diff(timestamp[first : last + 1]) > step) + first
        for first, last in zip(edges[:-1][longer], edges[1:][longer], strict=True)
    ]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


def base_of(timeframes: tuple[str, ...]) -> str:
    """Return the smallest of some timeframes: the one at whose closes a strategy is called."""
    return min(timeframes, key=get_timeframe_minutes)


class TimeframeAggregator:
    """Keep where the candles of one timeframe begin and close in a growing run of base candles.

    A candle closes with its last base candle. Where the exchange has no such base candle (a halt),
    it is overdue: it counts as closed once a later base candle arrives and shows its time is over.
    `starts` are indexes of first base candles; `closing_keys` has one number for each candle that
    is known to be closed: twice the index behind its last base candle, plus one where overdue.
    """

    def __init__(self, timeframe: str, base: str) -> None:
        self.timeframe = timeframe
        self.starts: npt.NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self.closing_keys: npt.NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._step = get_timeframe_ms(timeframe)
        self._base = base
        self._base_step = get_timeframe_ms(base)

    def extend(self, timestamp: npt.NDArray[np.int64]) -> int:
        """Take the open times of all base candles so far; return the first candle that changed."""
        changed = max(len(self.starts) - 1, 0)
        first = int(self.starts[changed]) if len(self.starts) else 0
        starts = bucket_starts(timestamp[first:], self.timeframe, self._base) + first
        self.starts = np.concatenate((self.starts[:changed], starts))
        ends = np.append(starts[1:], len(timestamp))
        full = timestamp[ends - 1] + self._base_step == self._closes(timestamp[starts])
        keys = 2 * ends + ~full
        known = keys if full[-1] else keys[:-1]
        self.closing_keys = np.concatenate((self.closing_keys[:changed], known))
        return changed

    def _closes(self, timestamp: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return bucket_opens(timestamp, self.timeframe) + self._step
