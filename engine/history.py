"""Read-only views that a strategy holds: the history of a timeframe and an indicator on it.

Both end at the latest visible candle, whatever has been loaded beyond it. No trading rules here.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.columns import Column

if TYPE_CHECKING:
    from engine.frames import TimeframeData


class History:
    """Closed candles of one timeframe as read-only arrays that end at the latest one."""

    __slots__ = ("_data",)

    def __init__(self, data: "TimeframeData") -> None:
        self._data = data

    def __len__(self) -> int:
        first, stop = self._data.visible_range
        return stop - first

    @property
    def timestamp(self) -> Column:
        """Open times, ms UTC."""
        return self._data.visible("timestamp")

    @property
    def open(self) -> Column:
        """Opening prices."""
        return self._data.visible("open")

    @property
    def high(self) -> Column:
        """Highest prices."""
        return self._data.visible("high")

    @property
    def low(self) -> Column:
        """Lowest prices."""
        return self._data.visible("low")

    @property
    def close(self) -> Column:
        """Closing prices."""
        return self._data.visible("close")

    @property
    def volume(self) -> Column:
        """Volumes in the base asset."""
        return self._data.visible("volume")

    @property
    def open_interest(self) -> Column:
        """Open interest known at each close; NaN where unknown."""
        return self._data.visible("open_interest")

    @property
    def volume_delta(self) -> Column:
        """Taker buys minus taker sells, base asset; NaN where unknown."""
        return self._data.visible("volume_delta")

    @property
    def cvd(self) -> Column:
        """Cumulative volume delta since the first loaded candle; NaN where unknown."""
        return self._data.visible("cvd")


class IndicatorView:
    """The values of an indicator up to the latest closed candle: `view[-1]` is the newest.

    Before there are enough candles a value is NaN, a condition False.
    """

    __slots__ = ("_compute", "_data", "_known", "_values")

    def __init__(self, data: "TimeframeData", compute: Callable[[], Column]) -> None:
        self._data = data
        self._compute = compute
        self._values: Column = np.empty(0)
        self._known = 0

    def __getitem__(self, key: Any) -> Any:
        count = self._data.count
        if self._known < count:
            self._refresh()
        if key.__class__ is int and key < 0:
            return self._values.item(count + key) if -count <= key else self._missing()
        return self._visible()[key]

    def __len__(self) -> int:
        first, stop = self._data.visible_range
        return stop - first

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Column:
        values = self._visible()
        return values if dtype is None else values.astype(dtype)

    def all_values(self) -> Column:
        """Return the values over all loaded closed candles: the input of further indicators."""
        if self._known < self._data.closed_count:
            self._refresh()
        return self._values

    def _visible(self) -> Column:
        first, stop = self._data.visible_range
        if self._known < stop:
            self._refresh()
        return self._values[first:stop]

    def _missing(self) -> float | bool:
        """What a value is before the first candle: NaN, or False for a condition."""
        if not len(self._values):
            self._refresh()
        return False if self._values.dtype == np.bool_ else np.nan

    def _refresh(self) -> None:
        values = self._compute()
        values.flags.writeable = False
        self._values = values
        self._known = len(values)
