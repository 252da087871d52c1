"""Growing columns of candles behind the strategy's read-only views. No market rules."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from engine.candles import FLOW_COLUMNS, PRICE_COLUMNS, CandleSeries, FloatArray, read_only

COLUMN_NAMES: Final = ("timestamp", *PRICE_COLUMNS, *FLOW_COLUMNS, "cvd")
_OPTIONAL: Final = (*FLOW_COLUMNS, "cvd")

Column = npt.NDArray[Any]


class Columns:
    """Columns of equal length that grow at their end; what was handed out never moves.

    The first candles are adopted without a copy. `timestamp` is int64, the others are float64;
    `open_interest`, `volume_delta` and `cvd` are absent until some candle brings them.
    """

    def __init__(self) -> None:
        self._length = 0
        self._writable: dict[str, Column] = {}
        self._shown: dict[str, Column] = {}
        self._views: dict[str, Column] = {}

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, name: str) -> Column:
        """Return a column as a read-only array; NaN where the source has no such column."""
        view = self._views.get(name)
        return np.full(self._length, np.nan) if view is None else view

    def has(self, name: str) -> bool:
        """Whether any candle brought this column."""
        return name in self._views

    def replace_tail(self, keep: int, tail: Mapping[str, Column]) -> None:
        """Keep the first `keep` candles and put `tail` behind them."""
        length = keep + len(tail["timestamp"])
        for name in {*self._shown, *tail}:
            column = tail.get(name)
            if column is None:
                column = np.full(length - keep, np.nan)
            self._put(name, keep, column)
        self._length = length
        self._views = {name: shown[:length] for name, shown in self._shown.items()}

    def _put(self, name: str, keep: int, column: Column) -> None:
        if keep == 0:
            self._writable.pop(name, None)
            self._shown[name] = read_only(column)
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


def series_columns(series: CandleSeries, cvd_before: float) -> dict[str, Column]:
    """Return a series as columns, the cumulative volume delta carried on from `cvd_before`."""
    columns: dict[str, Column] = {
        name: column for name in COLUMN_NAMES[:-1] if (column := getattr(series, name)) is not None
    }
    if series.volume_delta is not None:
        columns["cvd"] = running_total(series.volume_delta, cvd_before)
    return columns


def running_total(volume_delta: FloatArray, before: float) -> FloatArray:
    """Return the running total of a volume delta (base asset); unknown values count as nothing.

    Summed one by one, so that a total carried on candle by candle has the same bits.
    """
    known = np.concatenate(([before], np.nan_to_num(volume_delta, nan=0.0)))
    return np.cumsum(known)[1:]


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
        columns["cvd"] = base["cvd"][lasts]
    return columns
