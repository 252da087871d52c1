"""Growing columns of candles behind the strategy's read-only views. No market rules."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from engine.candles import FLOW_COLUMNS, PRICE_COLUMNS, CandleSeries, Derived, FloatArray, read_only

COLUMN_NAMES: Final = ("timestamp", *PRICE_COLUMNS, *FLOW_COLUMNS, "cvd")
_OPTIONAL: Final = (*FLOW_COLUMNS, "cvd")

Column = npt.NDArray[Any]


class Columns:
    """Columns of equal length that grow at their end; what was handed out never moves.

    The first candles are adopted without a copy. `timestamp` is int64, the others are float64;
    `open_interest`, `volume_delta` and `cvd` are absent until some candle brings them. A column
    of the first candles may be put off: it is made when it is first asked for.
    """

    def __init__(self) -> None:
        self._length = 0
        self._writable: dict[str, Column] = {}
        self._shown: dict[str, Column] = {}
        self._views: dict[str, Column] = {}
        self._put_off: dict[str, Callable[[], Column]] = {}
        self._source: CandleSeries | None = None

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, name: str) -> Column:
        """Return a column as a read-only array; NaN where no candle brought it.

        Raises:
            LookupError: candles have no such column.
        """
        view = self._views.get(name)
        if view is not None:
            return view
        if name in self._put_off:
            return self._make(name)
        if name not in COLUMN_NAMES:
            raise LookupError(f"no column {name!r}: there are {', '.join(COLUMN_NAMES)}")
        return read_only(np.full(self._length, np.nan))

    def adopt(self, series: CandleSeries) -> None:
        """Take a series as the first candles.

        Its cumulative volume delta is put off: few strategies look at a total over years.
        """
        self.replace_tail(0, stored_columns(series))
        self._source = series
        flow = series.volume_delta
        if flow is not None:
            self.put_off("cvd", lambda: series.derived("cvd", lambda: running_total(flow, 0.0)))

    def derived(self, name: Hashable, make: Callable[[], Derived]) -> Derived:
        """Return what `make` computes of these candles; nobody may change it.

        Where they are just one series it is kept with that, for the next run on it.
        """
        return make() if self._source is None else self._source.derived(name, make)

    def has(self, name: str) -> bool:
        """Whether any candle brought this column."""
        return name in self._views or name in self._put_off

    def put_off(self, name: str, make: Callable[[], Column]) -> None:
        """Have a column of the candles made when it is first asked for."""
        self._put_off[name] = make

    def is_put_off(self, name: str) -> bool:
        """Whether a column is still to be made."""
        return name in self._put_off

    def replace_tail(self, keep: int, tail: Mapping[str, Column]) -> None:
        """Keep the first `keep` candles and put `tail` behind them."""
        for name in list(self._put_off):
            self._make(name)
        self._source = None
        length = keep + len(tail["timestamp"])
        for name in {*self._shown, *tail}:
            column = tail.get(name)
            if column is None:
                column = np.full(length - keep, np.nan)
            self._put(name, keep, column)
        self._length = length
        self._views = {name: shown[:length] for name, shown in self._shown.items()}

    def _make(self, name: str) -> Column:
        column = self._put_off.pop(name)()
        self._put(name, 0, column)
        self._views[name] = self._shown[name][: self._length]
        return self._views[name]

    def _put(self, name: str, keep: int, column: Column) -> None:
        if keep == 0:
            self._writable.pop(name, None)
            column.flags.writeable = False
            self._shown[name] = column
            return
        length = keep + len(column)
        buffer = self._writable.get(name)
        if buffer is None or len(buffer) < length:
            buffer = self._grow(name, keep, length, column.dtype)
        buffer[keep:length] = column

    def _grow(self, name: str, keep: int, length: int, dtype: np.dtype[Any]) -> Column:
        grown = np.empty(max(1024, length + length // 2), dtype=dtype)
        known = self._shown.get(name)
        grown[:keep] = np.nan if known is None else known[:keep]
        self._writable[name] = grown
        self._shown[name] = read_only(grown)
        return grown


def stored_columns(series: CandleSeries) -> dict[str, Column]:
    """Return a series as columns, without the cumulative volume delta."""
    return {
        name: column for name in COLUMN_NAMES[:-1] if (column := getattr(series, name)) is not None
    }


def series_columns(series: CandleSeries, cvd_before: float | None) -> dict[str, Column]:
    """Return a series as columns, the cumulative volume delta carried on from `cvd_before`.

    None means that no candle before brought any.
    """
    columns = stored_columns(series)
    if series.volume_delta is not None:
        columns["cvd"] = running_total(series.volume_delta, cvd_before or 0.0)
    elif cvd_before is not None:
        columns["cvd"] = np.full(len(series), cvd_before)
    return columns


def running_total(volume_delta: FloatArray, before: float) -> FloatArray:
    """Return the running total of a volume delta (base asset); unknown values count as nothing.

    Summed one by one, so that a total carried on candle by candle has the same bits.
    """
    total = volume_delta.astype(np.float64)
    if not np.isfinite(total).all():
        np.nan_to_num(total, copy=False, nan=0.0)
    total[:1] += before
    return np.cumsum(total, out=total)


def aggregate_columns(
    base: Columns, firsts: npt.NDArray[np.int64], opens: Column
) -> dict[str, Column]:
    """Return the coarser candles whose first base candles are at `firsts`, up to the base's end."""
    start = int(firsts[0])
    local = firsts - start
    lasts = np.append(firsts[1:], len(base)) - 1
    columns: dict[str, Column] = {
        "timestamp": opens,
        "open": base["open"][firsts],
        "high": np.maximum.reduceat(base["high"][start:], local),
        "low": np.minimum.reduceat(base["low"][start:], local),
        "close": base["close"][lasts],
        "volume": np.add.reduceat(base["volume"][start:], local),
    }
    if base.has("open_interest"):
        columns["open_interest"] = base["open_interest"][lasts]
    if base.has("volume_delta"):
        columns["volume_delta"] = np.add.reduceat(base["volume_delta"][start:], local)
        if not base.is_put_off("cvd"):
            columns["cvd"] = base["cvd"][lasts]
    return columns
