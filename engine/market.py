"""What a strategy sees of the market: closed candles, timeframe by timeframe.

Candles are put in at the end and revealed as market time passes. A backtest puts all of them in at
once, a forward test one by one; what is visible at a moment is the same. No trading rules here.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from engine.candles import Candle, CandleSeries
from engine.columns import Column, Columns, aggregate_columns, series_columns
from engine.errors import InvalidRun
from engine.history import History, IndicatorView
from engine.timeframe import (
    DAY_MS,
    TimeframeAggregator,
    base_of,
    bucket_opens,
    get_timeframe_minutes,
    get_timeframe_ms,
)

HISTORY_MS: Final = 365 * DAY_MS
NEVER: Final = 2**62


class TimeframeData:
    """The closed candles of one timeframe that are visible now."""

    def __init__(self, timeframe: str, base: str, history_ms: int) -> None:
        self.timeframe = timeframe
        self.count = 0
        self.due = NEVER
        self.history = History(self)
        self._columns = Columns()
        self._history_length = max(1, history_ms // get_timeframe_ms(timeframe))
        self._aggregator = None if timeframe == base else TimeframeAggregator(timeframe, base)
        self._latest: Candle | None = None
        self._latest_count = 0

    def __len__(self) -> int:
        first, stop = self.visible_range
        return stop - first

    @property
    def latest(self) -> Candle:
        """The candle that closed last.

        Raises:
            LookupError: no candle of this timeframe has closed yet.
        """
        if self._latest is None or self._latest_count != self.count:
            if not self.count:
                name = self.timeframe
                raise LookupError(f"no {name} candle has closed yet: check len(data[{name!r}])")
            self._latest = self._candle(self.count - 1)
            self._latest_count = self.count
        return self._latest

    def indicator(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        source: str | tuple[str, ...] | None = None,
        **options: Any,
    ) -> Any:
        """Bind a causal array function to this timeframe; return a view of its values.

        The function gets the columns it names (`inputs`), else `source` (default: the close),
        then `arguments`. Where an argument is itself an indicator, the function gets only the
        arguments. A function that returns several arrays gives as many views.
        """
        columns = _input_columns(function, arguments, source)

        def compute() -> Any:
            given = [self._columns[name][: self.closed_count] for name in columns]
            given += [a.all_values() if isinstance(a, IndicatorView) else a for a in arguments]
            return function(*given, **options)

        sample = compute()
        if isinstance(sample, tuple):
            return tuple(IndicatorView(self, _pick(compute, index)) for index in range(len(sample)))
        return IndicatorView(self, lambda: _checked(compute(), self.closed_count, function))

    @property
    def closed_count(self) -> int:
        """How many loaded candles are closed, visible or not yet."""
        if self._aggregator is None:
            return len(self._columns)
        return len(self._aggregator.closing_keys)

    @property
    def visible_range(self) -> tuple[int, int]:
        """First index and the index behind the last candle that `history` shows."""
        return max(0, self.count - self._history_length), self.count

    def visible(self, name: str) -> Column:
        """Return one column of the visible history."""
        first, stop = self.visible_range
        return self._columns[name][first:stop]

    def extend(self, base: Columns) -> None:
        """Take base candles that were put in; nothing becomes visible by that."""
        if self._aggregator is None:
            self._columns = base
            return
        changed = self._aggregator.extend(base["timestamp"])
        firsts = self._aggregator.starts[changed:]
        opens = bucket_opens(base["timestamp"][firsts], self.timeframe)
        self._columns.replace_tail(changed, aggregate_columns(base, firsts, opens))
        self._find_due(self._aggregator.closing_keys)

    def reveal(self, key: int) -> bool:
        """Show all candles up to a closing key; tell whether that is anything new."""
        if self._aggregator is None or key < self.due:
            return False
        keys = self._aggregator.closing_keys
        while self.due <= key:
            self.count += 1
            self._find_due(keys)
        return True

    def skip_to(self, position: int) -> None:
        """Show all that is closed after `position` base candles at once."""
        if self._aggregator is None:
            self.count = position
        else:
            keys = self._aggregator.closing_keys
            self.count = int(np.searchsorted(keys, 2 * position, side="right"))
            self._find_due(keys)

    @property
    def all_keys(self) -> npt.NDArray[np.int64]:
        """The closing keys of all loaded closed candles; see `TimeframeAggregator`."""
        if self._aggregator is None:
            return 2 * np.arange(1, len(self._columns) + 1)
        return self._aggregator.closing_keys

    def show_all(self) -> Callable[[], None]:
        """Show every loaded candle, however old; return what undoes that."""
        count, length = self.count, self._history_length
        self.count, self._history_length = self.closed_count, max(length, self.closed_count)

        def undo() -> None:
            self.count, self._history_length = count, length

        return undo

    def _find_due(self, keys: npt.NDArray[np.int64]) -> None:
        """Remember the closing key of the first candle that is closed but not yet visible."""
        self.due = keys.item(self.count) if self.count < len(keys) else NEVER

    def _candle(self, index: int) -> Candle:
        columns = self._columns
        prices = [columns[name].item(index) for name in ("open", "high", "low", "close", "volume")]
        flow = [
            None if np.isnan(value) else value
            for name in ("open_interest", "volume_delta", "cvd")
            for value in [columns[name].item(index) if columns.has(name) else np.nan]
        ]
        return Candle(columns["timestamp"].item(index), *prices, *flow)


class MultiTimeframeData(Mapping[str, TimeframeData]):
    """The strategy's timeframes by name: `data["1h"].latest.close`."""

    def __init__(self, frames: Mapping[str, TimeframeData]) -> None:
        self._frames = dict(frames)

    def __getitem__(self, timeframe: str) -> TimeframeData:
        try:
            return self._frames[timeframe]
        except KeyError:
            known = ", ".join(self._frames)
            raise KeyError(
                f"{timeframe!r} is not among this strategy's timeframes ({known}): add it there"
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._frames)

    def __len__(self) -> int:
        return len(self._frames)


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
        self._smallest = self.data[base_of(timeframes)]
        self._context = tuple(frame for frame in self.data.values() if frame is not self._smallest)
        self._context_due = NEVER
        self._smallest_is_base = self._smallest.timeframe == base
        self._wake_keys: deque[int] | None = None
        self.position = 0
        self.timestamp: Column = self.base["timestamp"]
        self.close: Column = self.base["close"]

    def extend(self, series: CandleSeries) -> None:
        """Put candles in behind those that are there; nothing becomes visible by that."""
        if not len(series):
            return
        if series.timeframe != self.base_timeframe:
            raise InvalidRun(f"{series.timeframe} candles given, {self.base_timeframe} expected")
        self._wake_keys = None
        if len(self.base) and series.timestamp[0] <= self.base["timestamp"][-1]:
            raise InvalidRun("candles must come in order and only once")
        cvd = self.base["cvd"][-1] if self.base.has("cvd") else 0.0
        self.base.replace_tail(len(self.base), series_columns(series, float(cvd)))
        self.timestamp, self.close = self.base["timestamp"], self.base["close"]
        for frame in self.data.values():
            frame.extend(self.base)
        self._find_context_due()

    def has_overdue(self) -> bool:
        """Whether the next base candle proves closed what is not yet visible."""
        key = 2 * self.position + 1
        return self._context_due <= key or self._smallest.due <= key

    def reveal_overdue(self) -> bool:
        """Show candles that the next base candle proves closed; tell whether to call on_candle."""
        key = 2 * self.position + 1
        self._reveal_context(key)
        closed = self._smallest.reveal(key)
        return closed if self._wake_keys is None else self._take_wake(key)

    def next_close(self, end: int) -> int:
        """Return the position of the next close of the smallest timeframe, at most `end`."""
        if self._wake_keys is not None:
            return min(self._wake_keys[0] // 2, end) if self._wake_keys else end
        return self.position + 1 if self._smallest_is_base else min(self._smallest.due // 2, end)

    def advance(self, position: int) -> bool:
        """Let market time pass to behind a base candle; tell whether to call on_candle."""
        self.position = position
        if 2 * position >= self._context_due:
            self._reveal_context(2 * position)
        if self._smallest_is_base:
            self._smallest.count = position
            closed = True
        else:
            closed = self._smallest.reveal(2 * position)
        return closed if self._wake_keys is None else self._take_wake(2 * position)

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
        conditions = found.all_values() if isinstance(found, IndicatorView) else np.asarray(found)
        keys = self._smallest.all_keys
        if conditions.dtype != np.bool_ or conditions.shape != keys.shape:
            raise ValueError(
                f"wake must give one True or False for each of {len(keys)} candles, "
                f"got {conditions.dtype} of shape {conditions.shape}"
            )
        wanted = keys[conditions]
        self._wake_keys = deque(wanted[wanted > 2 * self.position].tolist())

    def _take_wake(self, key: int) -> bool:
        """Whether a close up to a key is one that the strategy wants; those are used up."""
        wakes = self._wake_keys
        woken = False
        while wakes and wakes[0] <= key:
            wakes.popleft()
            woken = True
        return woken

    def close_time(self, index: int) -> int:
        """Return the close time (ms) of a base candle."""
        return int(self.timestamp.item(index)) + self.step_ms

    def _reveal_context(self, key: int) -> None:
        for frame in self._context:
            frame.reveal(key)
        self._find_context_due()

    def _find_context_due(self) -> None:
        self._context_due = min((frame.due for frame in self._context), default=NEVER)


def _input_columns(
    function: Callable[..., Any], arguments: tuple[Any, ...], source: str | tuple[str, ...] | None
) -> tuple[str, ...]:
    if source is not None:
        return (source,) if isinstance(source, str) else source
    if any(isinstance(argument, IndicatorView) for argument in arguments):
        return ()
    inputs: tuple[str, ...] = getattr(function, "inputs", ("close",))
    return inputs


def _pick(compute: Callable[[], Any], index: int) -> Callable[[], Column]:
    return lambda: np.asarray(compute()[index])


def _checked(values: Any, length: int, function: Callable[..., Any]) -> Column:
    array: npt.NDArray[Any] = np.array(values)
    if array.shape != (length,):
        name = getattr(function, "__name__", repr(function))
        raise ValueError(
            f"indicator {name} gave {array.shape} values for {length} candles: "
            f"it must give one for each candle"
        )
    return array
