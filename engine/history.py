"""Read-only views that a strategy holds: the history of a timeframe and an indicator on it.

Both end at the latest visible candle, whatever has been loaded beyond it. No trading rules here.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from engine.columns import Column

if TYPE_CHECKING:
    from engine.frames import TimeframeData

# Of these types a memory view gives Python's numbers, without a copy of the array.
_PLAIN: Final = "?bhilqBHILQfd"


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

    __slots__ = ("__weakref__", "_compute", "_data", "_items", "_known", "_values")

    def __init__(self, data: "TimeframeData", compute: Callable[[], Column]) -> None:
        self._data = data
        self._compute = compute
        self._values: Column = np.empty(0)
        self._items: Sequence[Any] = ()
        self._known = 0

    def __getitem__(self, key: Any) -> Any:
        # A strategy reads several values at each candle: long runs spend most of their time here.
        try:
            if key < 0:
                index = self._data.count + key
                if index >= 0:
                    return self._items[index]
        except (TypeError, ValueError, IndexError, OverflowError):
            pass
        return self._read(key)

    def __len__(self) -> int:
        first, stop = self._data.visible_range
        return stop - first

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Column:
        return np.array(self._visible(), dtype=dtype, copy=copy)

    def expire(self) -> None:
        """Have it looked up anew what is known, as candles were put in behind the latest."""
        self._items = ()

    def _loaded(self) -> Column:
        if self._known < self._data.closed_count:
            self._refresh()
        return self._values

    def _read(self, key: Any) -> Any:
        visible = self._visible()
        if key.__class__ is slice:
            return visible[key]
        if self._known == self._data.closed_count:
            self._items = items_of(self._values)
        if key.__class__ is int and key < 0:
            index = self._data.count + key
            return self._values.item(index) if index >= 0 else self._missing()
        return visible[key]

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


def loaded_values(view: IndicatorView) -> Column:
    """Return an indicator's values over all loaded closed candles, visible or not yet.

    The input of further indicators; not a method, so that no strategy takes it for its history.
    """
    return view._loaded()


def items_of(values: Column) -> Sequence[Any]:
    """Return an array as a sequence of Python's own numbers, which are quick to read one by one."""
    if values.dtype.char in _PLAIN and values.dtype.isnative:
        return values.data
    items: list[Any] = values.tolist()
    return items


class Outputs:
    """What an indicator's function gives over all closed candles, one array for each view.

    It is called once for all of them; an array that its view has taken isn't kept here.
    """

    __slots__ = ("_compute", "_data", "_found", "_function", "_known", "are_several")

    def __init__(
        self, data: "TimeframeData", compute: Callable[[], Any], function: Callable[..., Any]
    ) -> None:
        self._data = data
        self._compute = compute
        self._function = function
        self._renew()

    def __len__(self) -> int:
        return len(self._found)

    def take(self, index: int) -> Column:
        """Return the array of one view.

        Raises:
            ValueError: the function didn't give one value for each candle.
        """
        if self._known != self._data.closed_count or self._found[index] is None:
            self._renew()
        array: Column = self._found[index]
        self._found[index] = None
        if array.shape != (self._known,):
            name = getattr(self._function, "__name__", repr(self._function))
            raise ValueError(
                f"indicator {name} gave {array.shape} values for {self._known} candles: "
                f"it must give one for each candle"
            )
        return array

    def _renew(self) -> None:
        found = self._compute()
        self._known = self._data.closed_count
        self.are_several = isinstance(found, tuple)
        # What a function keeps for itself could change later; our own keep nothing.
        take_over = np.asarray if getattr(self._function, "gives_new_arrays", False) else np.array
        outputs = found if self.are_several else (found,)
        self._found: list[Any] = [take_over(values) for values in outputs]
