"""Work on whole candle columns: collecting, merging, hashing. No I/O."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from engine.candles import (
    FLOW_COLUMNS,
    PRICE_COLUMNS,
    CandleSeries,
    FloatArray,
    IntArray,
    read_only,
)

_HASH_BLOCK_ROWS: Final = 1 << 16


class ColumnBuffer:
    """Columns for up to `capacity` candles, filled series by series, without a second copy.

    Memory that is never filled is never taken from the machine, so a capacity may be generous.
    """

    def __init__(self, timeframe: str, capacity: int) -> None:
        self._timeframe = timeframe
        self._capacity = capacity
        self._timestamp = np.empty(capacity, dtype=np.int64)
        self._floats = {name: np.empty(capacity) for name in PRICE_COLUMNS}
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, candles: CandleSeries) -> None:
        """Take candles that all open after those taken before.

        Raises:
            ValueError: they don't, or are of another timeframe.
        """
        if not len(candles):
            return
        if candles.timeframe != self._timeframe:
            raise ValueError(f"candles of {candles.timeframe} among those of {self._timeframe}")
        if self._length and candles.timestamp[0] <= self._timestamp[self._length - 1]:
            raise ValueError("candles were added out of order")
        target = slice(self._length, self._length + len(candles))
        self._timestamp[target] = candles.timestamp
        for name in PRICE_COLUMNS:
            self._floats[name][target] = getattr(candles, name)
        for name in FLOW_COLUMNS:
            self._add_flow(name, target, getattr(candles, name))
        self._length = target.stop

    def build(self) -> CandleSeries:
        """Return everything taken as one series, as views of the buffer."""
        # Every part was checked when it became a series, and `add` saw to their order: checking
        # everything again would take as long as reading it, and half as much memory.
        columns: dict[str, npt.NDArray[Any]] = {"timestamp": self._timestamp, **self._floats}
        cut = {name: column[: self._length] for name, column in columns.items()}
        return series_of(self._timeframe, cut)

    def _add_flow(self, name: str, target: slice, values: FloatArray | None) -> None:
        column = self._floats.get(name)
        if column is None:
            if values is None or np.isnan(values).all():
                return  # a column exists from its first known value on
            column = self._floats[name] = np.empty(self._capacity)
            column[: target.start] = np.nan
        column[target] = np.nan if values is None else values


@dataclass(frozen=True, slots=True)
class Merged:
    """The result of `merge`: candles, how many were new, whether an old volume_delta remains."""

    candles: CandleSeries
    added: int
    has_old_delta: bool


def merge(old: CandleSeries, new: CandleSeries) -> Merged:
    """Merge two series of one timeframe: new candles win, but what they don't know stays."""
    timestamp = np.union1d(old.timestamp, new.timestamp)
    from_old = np.searchsorted(timestamp, old.timestamp)
    from_new = np.searchsorted(timestamp, new.timestamp)
    columns = {}
    for name in PRICE_COLUMNS:
        columns[name] = np.empty(len(timestamp))
        columns[name][from_old] = getattr(old, name)
        columns[name][from_new] = getattr(new, name)
    flow: dict[str, Any] = {
        name: _merge_flow(len(timestamp), (old_flow, from_old), (getattr(new, name), from_new))
        for name in FLOW_COLUMNS
        for old_flow in [getattr(old, name)]
    }
    candles = CandleSeries(old.timeframe, timestamp, **columns, **flow)
    added = len(timestamp) - len(old)
    return Merged(candles, added, _keeps_old_delta(old, new))


def is_same(left: CandleSeries, right: CandleSeries) -> bool:
    """Tell whether two series hold the same candles, flow included."""
    if not np.array_equal(left.timestamp, right.timestamp):
        return False
    return all(
        _is_same_column(getattr(left, name), getattr(right, name))
        for name in (*PRICE_COLUMNS, *FLOW_COLUMNS)
    )


def series_of(timeframe: str, columns: Mapping[str, npt.NDArray[Any]]) -> CandleSeries:
    """Return columns of candles that were checked before as a series, as views of them."""
    series = CandleSeries.empty(timeframe)
    for name, column in columns.items():
        setattr(series, name, read_only(column))
    return series


def known_only(series: CandleSeries) -> CandleSeries:
    """Return a series without flow columns that know nothing, as reading just its candles would."""
    columns = {
        name: column
        for name in ("timestamp", *PRICE_COLUMNS, *FLOW_COLUMNS)
        if (column := getattr(series, name)) is not None
        and not (name in FLOW_COLUMNS and np.isnan(column).all())
    }
    return series_of(series.timeframe, columns)


def sha256_of(series: CandleSeries) -> str:
    """Return the SHA-256 (hex) of the candles' content.

    A flow column that is absent and one without a known value count as the same.
    """
    digest = hashlib.sha256(f"candles {series.timeframe} {len(series)}".encode())
    names = ("timestamp", *PRICE_COLUMNS, *FLOW_COLUMNS)
    for name in names:
        column = getattr(series, name)
        if column is None or np.isnan(column).all():
            continue
        digest.update(f" {name} ".encode())
        for block in _canonical_blocks(column):
            digest.update(block.data)
    return digest.hexdigest()


def _merge_flow(
    length: int,
    old: tuple[FloatArray | None, IntArray],
    new: tuple[FloatArray | None, IntArray],
) -> FloatArray | None:
    if old[0] is None and new[0] is None:
        return None
    column = np.full(length, np.nan)
    for values, places in (old, new):
        if values is not None:
            known = ~np.isnan(values)
            column[places[known]] = values[known]
    return column


def _keeps_old_delta(old: CandleSeries, new: CandleSeries) -> bool:
    if old.volume_delta is None:
        return False
    known_before = old.timestamp[~np.isnan(old.volume_delta)]
    if new.volume_delta is None:
        return bool(len(known_before))
    replaced = new.timestamp[~np.isnan(new.volume_delta)]
    return not np.isin(known_before, replaced, assume_unique=True).all()


def _is_same_column(left: FloatArray | None, right: FloatArray | None) -> bool:
    left, right = (
        None if column is None or np.isnan(column).all() else column for column in (left, right)
    )
    if left is None or right is None:
        return left is right
    return np.array_equal(left, right, equal_nan=True)


def _canonical_blocks(column: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    for start in range(0, len(column), _HASH_BLOCK_ROWS):
        block = column[start : start + _HASH_BLOCK_ROWS]
        if block.dtype.kind == "f":
            # Equal numbers have equal bytes: one zero without a sign, one NaN.
            block = block + 0.0
            block[np.isnan(block)] = np.nan
        yield block.astype(block.dtype.newbyteorder("<"), copy=False)
