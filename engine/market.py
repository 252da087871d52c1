"""The market of one symbol: its candles on all timeframes, and how far market time has come.

A backtest puts all candles in at once, a forward test one by one; what is visible at a moment is
the same. No trading rules here.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from engine.candles import CandleSeries, FloatArray, IntArray
from engine.columns import Column, Columns, series_columns
from engine.errors import InvalidRun
from engine.frames import NEVER, MultiTimeframeData, TimeframeData
from engine.history import IndicatorView, loaded_values
from engine.timeframe import DAY_MS, base_of, get_timeframe_minutes, get_timeframe_ms

HISTORY_MS: Final = 365 * DAY_MS

# So many chosen closes at most are handed out at once: few of them pass without an order.
_ROW: Final = 64


class Wakes:
    """The closes at which a strategy wants to be called, used up one after the other."""

    def __init__(self, keys: IntArray, counts: IntArray, prices: FloatArray) -> None:
        self._keys = np.append(keys, NEVER).data
        self._counts, self._prices = counts.data, prices.data
        self._overdue = [*np.flatnonzero(keys % 2).tolist(), len(keys)]
        self._taken = 0
        self.next_key = self._keys[0]

    def take(self, key: int) -> bool:
        """Use up all closes up to a closing key; tell whether there was any."""
        if key < self.next_key:
            return False
        taken = self._taken + 1
        while (next_key := self._keys[taken]) <= key:
            taken += 1
        self._taken, self.next_key = taken, next_key
        return True

    def up_to(self, key: int) -> Iterable[tuple[int, float]]:
        """Return counts and prices of the next closes up to a key and the first one overdue."""
        first = self._taken
        overdue = self._overdue[bisect_right(self._overdue, first)]
        stop = bisect_right(self._keys, key, lo=first, hi=min(first + _ROW, overdue))
        return zip(self._counts[first:stop], self._prices[first:stop], strict=True)


class Market:
    """All candles of one symbol that are loaded, and how far market time has come.

    `position` counts the base candles that have closed. Raises InvalidRun where the base is
    coarser than a timeframe that the strategy needs.
    """

    def __init__(
        self, timeframes: tuple[str, ...], base: str = "1m", history_ms: int = HISTORY_MS
    ) -> None:
        too_fine = [t for t in timeframes if get_timeframe_ms(t) % get_timeframe_ms(base)]
        if too_fine:
            raise InvalidRun(
                f"{', '.join(too_fine)} candles can't be made from {base} candles: "
                f"fetch a finer timeframe"
            )
        self.base_timeframe = base
        self.step_ms = get_timeframe_ms(base)
        self.base = Columns()
        ordered = sorted(timeframes, key=get_timeframe_minutes)
        self.data = MultiTimeframeData({t: TimeframeData(t, base, history_ms) for t in ordered})
        self.smallest = self.data[base_of(timeframes)]
        self._context = tuple(frame for frame in self.data.values() if frame is not self.smallest)
        self._context_due = NEVER
        self._smallest_is_base = self.smallest.timeframe == base
        self._wakes: Wakes | None = None
        self.position = 0
        self.timestamp: Column = self.base["timestamp"]
        self.close: Column = self.base["close"]

    def extend(self, series: CandleSeries) -> None:
        """Put candles in behind those that are there; nothing becomes visible by that."""
        if not len(series):
            return
        if series.timeframe != self.base_timeframe:
            raise InvalidRun(f"{series.timeframe} candles given, {self.base_timeframe} expected")
        self._wakes = None
        if len(self.base) and series.timestamp[0] <= self.base["timestamp"][-1]:
            raise InvalidRun("candles must come in order and only once")
        self._put_in(series)
        self.timestamp, self.close = self.base["timestamp"], self.base["close"]
        for frame in self.data.values():
            frame.extend(self.base)
        self._find_context_due()

    def _put_in(self, series: CandleSeries) -> None:
        if not len(self.base):
            self.base.adopt(series)
        else:
            cvd = self.base["cvd"].item(-1) if self.base.has("cvd") else None
            self.base.replace_tail(len(self.base), series_columns(series, cvd))

    def has_overdue(self) -> bool:
        """Whether the next base candle proves closed what is not yet visible."""
        key = 2 * self.position + 1
        return self._context_due <= key or self.smallest.due <= key

    def reveal_overdue(self) -> bool:
        """Show candles that the next base candle proves closed; tell whether to call on_candle."""
        key = 2 * self.position + 1
        self._reveal_context(key)
        closed = self.smallest.reveal(key)
        return closed if self._wakes is None else self._wakes.take(key)

    def next_close(self, end: int) -> int:
        """Return the position of the next close of the smallest timeframe, at most `end`."""
        if self._wakes is not None:
            close = self._wakes.next_key // 2
        elif self._smallest_is_base:
            return self.position + 1
        else:
            close = self.smallest.due // 2
        return close if close < end else end

    def next_calls(self, limit: int) -> Iterable[tuple[int, float]] | None:
        """Return the closes at which the strategy is called next: candles to show, and the price.

        They lie before base candle `limit`, and what else closes up to the first of them is
        visible. None where there is no such close, or where it is overdue.
        """
        smallest, wakes = self.smallest, self._wakes
        key = smallest.next_key if wakes is None else wakes.next_key
        if key > 2 * limit or key % 2:
            return None
        if key >= self._context_due:
            self._reveal_context(key)
        limit = min(limit, (self._context_due - 1) // 2)
        if wakes is not None:
            return wakes.up_to(2 * limit)
        return smallest.next_closes(limit)

    def catch_up(self) -> None:
        """Let market time pass to where the count of the smallest timeframe's candles was set."""
        self.position = self.smallest.catch_up()
        if self._wakes is not None:
            self._wakes.take(2 * self.position)

    def advance(self, position: int) -> bool:
        """Let market time pass to behind a base candle; tell whether to call on_candle."""
        self.position = position
        if 2 * position >= self._context_due:
            self._reveal_context(2 * position)
        if self._smallest_is_base:
            self.smallest.count = position
            closed = True
        else:
            closed = self.smallest.reveal(2 * position)
        return closed if self._wakes is None else self._wakes.take(2 * position)

    def skip_to(self, position: int) -> None:
        """Let market time pass without calling the strategy: the warm-up."""
        self.position = position
        for frame in self.data.values():
            frame.skip_to(position)
        self._find_context_due()

    def wake_at(self, find: Callable[[], npt.ArrayLike | IndicatorView | None]) -> None:
        """Call the strategy only at the closes that `find` gives as conditions, one a candle.

        It is asked with all loaded candles shown; None means every close, as do candles that are
        put in later.

        Raises:
            ValueError: the conditions don't fit the candles of the smallest timeframe.
        """
        undo = [frame.show_all() for frame in self.data.values()]
        try:
            found = find()
        finally:
            for restore in undo:
                restore()
        if found is None:
            return
        conditions = np.asarray(loaded_values(found) if isinstance(found, IndicatorView) else found)
        length = self.smallest.closed_count
        if not length:  # an indicator of no candles has no type either
            conditions = np.zeros(0, dtype=np.bool_)
        if conditions.dtype != np.bool_ or conditions.shape != (length,):
            raise ValueError(
                f"wake must give one True or False for each of {length} candles, "
                f"got {conditions.dtype} of shape {conditions.shape}"
            )
        wanted = np.flatnonzero(conditions)
        keys, closes = self.smallest.closings(wanted)
        to_come = keys > 2 * self.position
        self._wakes = Wakes(keys[to_come], wanted[to_come] + 1, closes[to_come])

    def close_time(self, index: int) -> int:
        """Return the close time (ms) of a base candle."""
        open_time: int = self.timestamp.item(index)
        return open_time + self.step_ms

    def _reveal_context(self, key: int) -> None:
        due = NEVER
        for frame in self._context:
            frame.reveal(key)
            if frame.due < due:
                due = frame.due
        self._context_due = due

    def _find_context_due(self) -> None:
        self._context_due = min((frame.due for frame in self._context), default=NEVER)
