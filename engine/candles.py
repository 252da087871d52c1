"""Candles: one as a frozen record, many as columns. No I/O: exchanges and files live in `data`."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self, TypeVar

import numpy as np
import numpy.typing as npt

from engine.candle_rules import find_broken_rule, is_sound
from engine.errors import InvalidCandles
from engine.records import quick_to_make
from engine.timeframe import (
    bucket_opens,
    bucket_starts,
    find_gaps,
    get_timeframe_ms,
)

Scalar = TypeVar("Scalar", bound=np.generic)
Derived = TypeVar("Derived")
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

PRICE_COLUMNS: Final = ("open", "high", "low", "close", "volume")
FLOW_COLUMNS: Final = ("open_interest", "volume_delta")

# A run keeps a few results for each of its timeframes; runs from many starts each add their own.
_MOST_DERIVED: Final = 32


def format_time(timestamp: int) -> str:
    """Return a time in ms as ISO-8601 UTC, e.g. 2024-01-31T00:00:00Z."""
    return datetime.fromtimestamp(timestamp / 1000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@quick_to_make
@dataclass(frozen=True, slots=True)
class Candle:
    """One closed candle; `timestamp` is its open time in ms UTC, volumes are in the base asset."""

    timestamp: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    open_interest: float | None = None
    volume_delta: float | None = None
    cvd: float | None = None

    @property
    def is_bullish(self) -> bool:
        """Whether it closed above its open."""
        return self.close > self.open

    @property
    def is_bearish(self) -> bool:
        """Whether it closed below its open."""
        return self.close < self.open

    @property
    def range(self) -> float:
        """High minus low, in price units."""
        return self.high - self.low

    @property
    def body(self) -> float:
        """Distance between open and close, in price units, never negative."""
        return abs(self.close - self.open)


@dataclass(frozen=True, slots=True)
class Gap:
    """Missing candles: the open times (ms) of the first and the last one, and how many."""

    first: int
    last: int
    missing: int


class CandleSeries:
    """Many candles of one timeframe as read-only NumPy columns, oldest first, checked once.

    Columns are float64, `timestamp` is int64 (open time, ms UTC). `open_interest` and
    `volume_delta` are None where the source has none. Missing minutes are simply absent.

    Raises:
        InvalidCandles: NaN or infinite prices, price not positive, high below low, open or close
            outside of low..high, negative volume, times out of order, twice, or off the grid.
    """

    __slots__ = ("_derived", "timeframe", "timestamp", *PRICE_COLUMNS, *FLOW_COLUMNS)

    timeframe: str
    timestamp: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    open_interest: FloatArray | None
    volume_delta: FloatArray | None

    def __init__(
        self,
        timeframe: str,
        timestamp: npt.ArrayLike,
        open: npt.ArrayLike,
        high: npt.ArrayLike,
        low: npt.ArrayLike,
        close: npt.ArrayLike,
        volume: npt.ArrayLike,
        open_interest: npt.ArrayLike | None = None,
        volume_delta: npt.ArrayLike | None = None,
    ) -> None:
        columns = (open, high, low, close, volume, open_interest, volume_delta)
        self._derived: dict[Hashable, Any] = {}
        self.timeframe = timeframe
        self.timestamp = read_only(np.ascontiguousarray(timestamp, dtype=np.int64))
        for name, column in zip((*PRICE_COLUMNS, *FLOW_COLUMNS), columns, strict=True):
            setattr(self, name, None if column is None else _floats(column))
        problem = self._find_problem()
        if problem:
            raise InvalidCandles(problem)

    @classmethod
    def from_candles(cls, candles: Sequence[Candle], timeframe: str = "1m") -> Self:
        """Build a series from single candles, oldest first."""
        if len(candles) == 1 and (one := cls._of_one(candles[0], timeframe)):
            return one
        flow = {
            name: [np.nan if value is None else value for value in values]
            for name in FLOW_COLUMNS
            for values in [[getattr(candle, name) for candle in candles]]
            if any(value is not None for value in values)
        }
        prices = {name: [getattr(c, name) for c in candles] for name in PRICE_COLUMNS}
        return cls(timeframe, [c.timestamp for c in candles], **prices, **flow)

    @classmethod
    def empty(cls, timeframe: str = "1m") -> Self:
        """Return a series with no candle."""
        return cls(timeframe, [], [], [], [], [], [])

    def __len__(self) -> int:
        return len(self.timestamp)

    def __getitem__(self, index: int) -> Candle:
        flow = {
            name: float(column[index])
            for name in FLOW_COLUMNS
            if (column := getattr(self, name)) is not None and not np.isnan(column[index])
        }
        prices = [float(getattr(self, name)[index]) for name in PRICE_COLUMNS]
        return Candle(int(self.timestamp[index]), *prices, **flow)

    def __iter__(self) -> Iterator[Candle]:
        return (self[index] for index in range(len(self)))

    def __getstate__(self) -> list[Any]:
        return [getattr(self, name) for name in self.__slots__[1:]]

    def __setstate__(self, state: list[Any]) -> None:
        self._take(*state)

    def derived(self, name: Hashable, make: Callable[[], Derived]) -> Derived:
        """Return what `make` computes of these candles; it is kept, so nobody may change it."""
        if name in self._derived:
            known: Derived = self._derived[name]
            return known
        made = make()
        # Kept with itself, a series would outlive all that hold it.
        if made is not self:
            self._derived[name] = made
            if len(self._derived) > _MOST_DERIVED:
                del self._derived[next(iter(self._derived))]
        return made

    def forget_derived(self) -> None:
        """Give up what was computed of these candles; it is made again when it is asked for."""
        self._derived.clear()

    @property
    def step_ms(self) -> int:
        """The length of one candle in ms."""
        return get_timeframe_ms(self.timeframe)

    @property
    def close_time(self) -> IntArray:
        """Close times in ms: the moment from which each candle can be acted on."""
        return self.timestamp + self.step_ms

    def part(self, first: int, stop: int) -> Self:
        """Return the candles at first..stop-1 as views of the same columns."""
        if first == 0 and stop >= len(self):
            return self
        columns = [self.timestamp[first:stop]]
        columns += [getattr(self, name)[first:stop] for name in PRICE_COLUMNS]
        flow = [None if c is None else c[first:stop] for c in self._flow()]
        return self._unchecked(self.timeframe, *columns, *flow)

    def between(self, start: int | None, end: int | None) -> Self:
        """Return the candles that open at start..end (ms, end excluded) as views."""
        first = 0 if start is None else int(np.searchsorted(self.timestamp, start))
        stop = len(self) if end is None else int(np.searchsorted(self.timestamp, end))
        return self.part(first, max(first, stop))

    def aggregate(self, timeframe: str) -> Self:
        """Return the coarser candles that these make up, the first and last possibly unfinished."""
        if timeframe == self.timeframe or not len(self):
            return self if len(self) else self.empty(timeframe)
        firsts = bucket_starts(self.timestamp, timeframe, self.timeframe)
        lasts = np.append(firsts[1:], len(self)) - 1
        return self._unchecked(
            timeframe,
            bucket_opens(self.timestamp[firsts], timeframe),
            self.open[firsts],
            np.maximum.reduceat(self.high, firsts),
            np.minimum.reduceat(self.low, firsts),
            self.close[lasts],
            np.add.reduceat(self.volume, firsts),
            None if self.open_interest is None else self.open_interest[lasts],
            None if self.volume_delta is None else np.add.reduceat(self.volume_delta, firsts),
        )

    def gaps(self) -> tuple[Gap, ...]:
        """Return the holes between the first and the last candle."""
        step = self.step_ms
        before = find_gaps(self.timestamp, step)
        return tuple(
            Gap(first, after - step, (after - first) // step)
            for index in before.tolist()
            for first, after in [
                (int(self.timestamp[index]) + step, int(self.timestamp[index + 1]))
            ]
        )

    @classmethod
    def _of_one(cls, candle: Candle, timeframe: str) -> Self | None:
        prices = [float(getattr(candle, name)) for name in PRICE_COLUMNS]
        if not is_sound(timeframe, candle.timestamp, *prices):
            return None
        flow = [getattr(candle, name) for name in FLOW_COLUMNS]
        columns = [None if value is None else np.array([float(value)]) for value in prices + flow]
        return cls._unchecked(timeframe, np.array([candle.timestamp], np.int64), *columns)

    @classmethod
    def _unchecked(cls, timeframe: str, *columns: npt.NDArray[np.generic] | None) -> Self:
        series = cls.__new__(cls)
        series._take(timeframe, *columns)
        return series

    def _take(self, timeframe: str, *columns: npt.NDArray[np.generic] | None) -> None:
        self._derived = {}
        self.timeframe = timeframe
        for name, column in zip(self.__slots__[2:], columns, strict=True):
            if column is not None and column.flags.writeable:
                column.flags.writeable = False
            setattr(self, name, column)

    def _flow(self) -> tuple[FloatArray | None, FloatArray | None]:
        return self.open_interest, self.volume_delta

    def _find_problem(self) -> str | None:
        lengths = {len(getattr(self, name)) for name in ("timestamp", *PRICE_COLUMNS)}
        lengths |= {len(column) for column in self._flow() if column is not None}
        if len(lengths) > 1:
            return f"columns of different lengths: {sorted(lengths)}"
        prices = [getattr(self, name) for name in PRICE_COLUMNS]
        found = find_broken_rule(self.timeframe, self.timestamp, *prices)
        if found is None:
            return None
        rule, broken = found
        first = format_time(int(self.timestamp[broken.argmax()]))
        return f"{rule} in {int(broken.sum())} of {len(self)} candles, first at {first}"


def _floats(values: npt.ArrayLike) -> FloatArray:
    return read_only(np.ascontiguousarray(values, dtype=np.float64))


def read_only(array: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
    """Return a view of an array through which it can't be changed."""
    view = array.view()
    view.flags.writeable = False
    return view
