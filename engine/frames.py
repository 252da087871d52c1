"""What a strategy sees of one timeframe, and of all of them: closed candles and indicators.

Candles are put in at the end and revealed as market time passes. No trading rules here.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from functools import partial
from typing import Any, Final
from weakref import WeakSet

import numpy as np

from engine.candle_reader import CandleReader
from engine.candles import Candle, FloatArray, IntArray
from engine.columns import Column, Columns, aggregate_columns
from engine.history import History, IndicatorView, Outputs, loaded_values
from engine.timeframe import TimeframeAggregator, bucket_opens, get_timeframe_ms

NEVER: Final = 2**62


class TimeframeData:
    """The closed candles of one timeframe that are visible now."""

    def __init__(self, timeframe: str, base: str, history_ms: int) -> None:
        self.timeframe = timeframe
        self.count = 0
        self.due = NEVER
        self.history = History(self)
        self._columns = Columns()
        self._closes: Sequence[float] = ()
        self._history_length = max(1, history_ms // get_timeframe_ms(timeframe))
        self._aggregator = None if timeframe == base else TimeframeAggregator(timeframe, base)
        self._latest: Candle | None = None
        self._latest_count = 0
        self._reader: CandleReader | None = None
        # The closing keys again, and which of them are of overdue candles, quick to look into.
        self._keys: Sequence[int] = ()
        self._overdue: list[int] = []
        self._indicators: WeakSet[IndicatorView] = WeakSet()

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
            if self._reader is None:
                self._reader = CandleReader(self._columns)
            self._latest = self._reader.read(self._last_index())
            self._latest_count = self.count
        return self._latest

    @property
    def close(self) -> float:
        """The close of the latest candle; cheaper than `latest.close`, which makes a candle.

        Raises:
            LookupError: no candle of this timeframe has closed yet.
        """
        return self._closes[self._last_index()]

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
            given += [loaded_values(a) if isinstance(a, IndicatorView) else a for a in arguments]
            return function(*given, **options)

        outputs = Outputs(self, compute, function)
        views = tuple(
            IndicatorView(self, partial(outputs.take, index)) for index in range(len(outputs))
        )
        self._indicators.update(views)
        return views if outputs.are_several else views[0]

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
        first = self.count - self._history_length
        return self._columns[name][first if first > 0 else 0 : self.count]

    def extend(self, base: Columns) -> None:
        """Take base candles that were put in; nothing becomes visible by that."""
        for indicator in self._indicators:
            indicator.expire()
        if self._aggregator is None:
            self._columns = base
            self._renew_readers()
            return
        if len(self._columns):
            changed, tail = self._aggregate(base, self._aggregator)
        else:
            first = copy(self._aggregator)
            made = base.derived(self.timeframe, lambda: (first, *self._aggregate(base, first)))
            # The aggregator that is kept stays as it is: this market goes on with its own.
            self._aggregator, changed, tail = copy(made[0]), *made[1:]
        self._columns.replace_tail(changed, tail)
        if base.is_put_off("cvd"):
            lasts = np.append(self._aggregator.starts[changed + 1 :], len(base)) - 1
            self._columns.put_off("cvd", lambda: base["cvd"][lasts])
        keys = self._aggregator.closing_keys
        self._keys = keys.data
        self._overdue = [index for index in self._overdue if index < changed]
        self._overdue += (np.flatnonzero(keys[changed:] % 2) + changed).tolist()
        self._renew_readers()
        self._find_due()

    def reveal(self, key: int) -> bool:
        """Show all candles up to a closing key; tell whether that is anything new."""
        if key < self.due:
            return False
        self.count += 1
        self._find_due()
        if self.due <= key:
            self.count = bisect_right(self._keys, key, lo=self.count)
            self._find_due()
        return True

    def skip_to(self, position: int) -> None:
        """Show all that is closed after `position` base candles at once."""
        if self._aggregator is None:
            self.count = position
        else:
            self.count = bisect_right(self._keys, 2 * position)
            self._find_due()

    @property
    def next_key(self) -> int:
        """The closing key of the first candle that is not yet visible."""
        return 2 * self.count + 2 if self._aggregator is None else self.due

    def next_closes(self, position: int) -> Iterable[tuple[int, float]]:
        """Return counts and prices of the candles not yet shown, up to a base close or one overdue.

        The count is how many candles are shown then, the price that of the last of them.
        """
        first = self.count
        if self._aggregator is None:
            stop = position
        else:
            stop = bisect_right(self._keys, 2 * position, lo=first)
            overdue = bisect_left(self._overdue, first)
            stop = min([stop, *self._overdue[overdue : overdue + 1]])
        return enumerate(self._closes[first:stop], first + 1)

    def catch_up(self) -> int:
        """Follow a `count` that was set from outside; return the base close that shows so many."""
        if self._aggregator is None:
            return self.count
        self._find_due()
        return self._keys[self.count - 1] // 2

    def closings(self, indexes: IntArray) -> tuple[IntArray, FloatArray]:
        """Return closing keys (see `TimeframeAggregator`) and closes of loaded closed candles."""
        closes = self._columns["close"][indexes]
        if self._aggregator is None:
            return 2 * (indexes + 1), closes
        return self._aggregator.closing_keys[indexes], closes

    def show_all(self) -> Callable[[], None]:
        """Show every loaded candle, however old; return what undoes that."""
        count, length = self.count, self._history_length
        self.count, self._history_length = self.closed_count, max(length, self.closed_count)

        def undo() -> None:
            self.count, self._history_length = count, length

        return undo

    def _aggregate(
        self, base: Columns, aggregator: TimeframeAggregator
    ) -> tuple[int, dict[str, Column]]:
        changed = aggregator.extend(base["timestamp"])
        firsts = aggregator.starts[changed:]
        opens = bucket_opens(base["timestamp"][firsts], self.timeframe)
        return changed, aggregate_columns(base, firsts, opens)

    def _last_index(self) -> int:
        if not self.count:
            name = self.timeframe
            raise LookupError(f"no {name} candle has closed yet: check len(data[{name!r}])")
        return self.count - 1

    def _find_due(self) -> None:
        """Remember the closing key of the first candle that is closed but not yet visible."""
        self.due = self._keys[self.count] if self.count < len(self._keys) else NEVER

    def _renew_readers(self) -> None:
        self._closes = self._columns["close"].data
        self._reader = None


class MultiTimeframeData(Mapping[str, TimeframeData]):
    """The strategy's timeframes by name: `data["1h"].close`."""

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


def _input_columns(
    function: Callable[..., Any], arguments: tuple[Any, ...], source: str | tuple[str, ...] | None
) -> tuple[str, ...]:
    if source is not None:
        return (source,) if isinstance(source, str) else source
    if any(isinstance(argument, IndicatorView) for argument in arguments):
        return ()
    inputs: tuple[str, ...] = getattr(function, "inputs", ("close",))
    return inputs
