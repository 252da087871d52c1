"""What a strategy sees of one timeframe, and of all of them: closed candles and indicators.

Candles are put in at the end and revealed as market time passes. No trading rules here.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from engine.candles import Candle
from engine.columns import Column, Columns, aggregate_columns
from engine.history import History, IndicatorView
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
