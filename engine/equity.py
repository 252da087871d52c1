"""The equity curve of a run: its marks, and the drawdowns and days that are read off it.

Arrays in, numbers out. Curves are millions of marks long, so they are looked at in parts: a part
that stays below the peak before it needs no look at its single marks. No trades here.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.candles import FloatArray, IntArray
from engine.timeframe import DAY_MS

_PART: Final = 2048

# What is left of an account below this share of its initial balance is rounding.
_NOTHING: Final = 1e-12

# Books that last longer than this many marks on average are marked one by one; shorter ones are
# spread over blocks of marks that stay in the processor's cache.
_LONG: Final = 1024
_BLOCK: Final = 32_768


Flags = npt.NDArray[np.bool_]
Book = FloatArray | float


class LedgerEntry(NamedTuple):
    """The book from the close of base candle `candle_index` on, until the next entry."""

    candle_index: int
    balance: float
    net_size: float
    net_cost: float


def mark_equity(ledger: Sequence[LedgerEntry], first: int, closes: FloatArray) -> FloatArray:
    """Return equity in USD at every base close: the book of that moment at the closing price."""
    indexes, *values = zip(*ledger, strict=True)
    changes = np.array(indexes) - first
    last_of_candle = np.append(changes[1:] != changes[:-1], True)
    starts = np.maximum(changes[last_of_candle], 0)
    ends = np.append(starts[1:], len(closes))
    books = np.array(values)[:, last_of_candle]
    equity = np.empty(len(closes))
    if len(closes) > _LONG * len(starts):
        for start, end, book in zip(starts.tolist(), ends.tolist(), books.T.tolist(), strict=True):
            _mark(closes[start:end], *book, out=equity[start:end])
        return equity
    for start in range(0, len(closes), _BLOCK):
        end = min(start + _BLOCK, len(closes))
        held = slice(np.searchsorted(ends, start, side="right"), np.searchsorted(starts, end))
        lengths = np.minimum(ends[held], end) - np.maximum(starts[held], start)
        spread = (np.repeat(column[held], lengths) for column in books)
        _mark(closes[start:end], *spread, out=equity[start:end])
    return equity


def _mark(
    closes: FloatArray, balance: Book, net_size: Book, net_cost: Book, *, out: FloatArray
) -> None:
    np.multiply(closes, net_size, out=out)
    np.subtract(out, net_cost, out=out)
    np.add(out, balance, out=out)


def max_drawdown_pct(equity: FloatArray, initial_balance: float) -> float | None:
    """Return the deepest fall from a peak: 100 * max(1 - equity / highest equity so far).

    Percent of that peak, a positive number (0 when equity never fell, above 100 in debt); the
    initial balance is the first peak. Magdon-Ismail and Atiya, Maximum Drawdown (2004).
    """
    if not len(equity):
        return None
    parts = _Parts(equity, initial_balance)
    rises = parts.tops > parts.peaks
    lowest = (parts.lows[~rises] / parts.peaks[~rises]).min(initial=np.inf)
    for index in np.flatnonzero(rises).tolist():
        if parts.least_share(index) < lowest:
            marks, peaks = parts.look_into(index)
            lowest = min(lowest, (marks / peaks).min())
    share = 100 * (1 - float(lowest))
    return share if math.isfinite(share) else None


def drawdown_durations_ms(
    time: IntArray, equity: FloatArray, *, initial_balance: float, start: int
) -> IntArray:
    """Return how long each drawdown lasted in ms: from its peak's mark to the mark of recovery.

    The first peak is the initial balance at `start`; the last drawdown, when not recovered, counts
    up to the last mark.
    """
    below = _below_peak(equity, initial_balance)
    # turns[k] is the last mark before equity leaves its peak (even k) or comes back (odd k).
    turns = np.flatnonzero(below[1:] != below[:-1])
    peaks, recoveries = turns[::2], turns[1::2] + 1
    if len(peaks) > len(recoveries):
        recoveries = np.append(recoveries, len(equity))
    begun = np.where(peaks == 0, start, time[peaks - 1])
    return np.asarray(time[recoveries - 1] - begun, dtype=np.int64)


def average_drawdown_ms(durations: IntArray) -> float | None:
    """Return the mean duration of the drawdowns in ms, None without one."""
    return float(durations.mean()) if len(durations) else None


def longest_drawdown_ms(durations: IntArray) -> int | None:
    """Return the duration of the longest drawdown in ms, None without one."""
    return int(durations.max()) if len(durations) else None


def daily_returns(time: IntArray, equity: FloatArray, *, initial_balance: float) -> FloatArray:
    """Return the return of each UTC day, from the first mark's day to the last one's, as fractions.

    A day is valued at its last mark, and a mark at 00:00 belongs to the day that it ends. The first
    day is measured against the initial balance. A day without marks (a gap) carries the last
    equity, so its return is 0. Empty when the account ended a day with nothing or in debt.
    """
    if not len(time):
        return np.empty(0)
    midnights = np.arange((time[0] - 1) // DAY_MS + 1, (time[-1] - 1) // DAY_MS + 2) * DAY_MS
    values = equity[np.searchsorted(time, midnights, side="right") - 1]
    if values.min() <= _NOTHING * initial_balance:
        return np.empty(0)
    before = np.concatenate(([initial_balance], values[:-1]))
    return np.asarray(values / before - 1, dtype=np.float64)


def _below_peak(equity: FloatArray, initial_balance: float) -> Flags:
    """Return for the start of the run and each mark whether equity is below its peak so far."""
    parts = _Parts(equity, initial_balance)
    below = np.zeros(1 + len(parts.tops) * _PART, dtype=np.bool_)
    stays_below = parts.tops < parts.peaks
    below[1:].reshape(-1, _PART)[:] = stays_below[:, np.newaxis]
    for index in np.flatnonzero(~stays_below & (parts.lows < parts.tops)).tolist():
        marks, peaks = parts.look_into(index)
        first = 1 + index * _PART
        np.less(marks, peaks, out=below[first : first + len(marks)])
    return below[: 1 + len(equity)]


class _Parts:
    """An equity curve in parts: the lowest and the highest mark of each, and the peak before it."""

    def __init__(self, equity: FloatArray, initial_balance: float) -> None:
        self._equity = equity
        starts = np.arange(0, len(equity), _PART)
        self.lows = np.minimum.reduceat(equity, starts) if len(equity) else equity
        self.tops = np.maximum.reduceat(equity, starts) if len(equity) else equity
        self.peaks = np.maximum.accumulate(np.concatenate(([initial_balance], self.tops)))[:-1]

    def least_share(self, index: int) -> float:
        """Return a share of its peak that no mark of a part above the peak before falls below."""
        low = self.lows[index]
        return float(low / (self.peaks[index] if low < 0 else self.tops[index]))

    def look_into(self, index: int) -> tuple[FloatArray, FloatArray]:
        """Return the marks of a part and the highest mark up to each of them."""
        marks = self._equity[index * _PART : (index + 1) * _PART]
        peaks = np.maximum.accumulate(marks)
        return marks, np.maximum(peaks, self.peaks[index], out=peaks)
