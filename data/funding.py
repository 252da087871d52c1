"""Funding rates and the store of them. Their download is in `funding_download`, candles elsewhere.

One Parquet file per symbol under DATA_DIR/funding/<exchange>/, columns `timestamp` (ms UTC) and
`rate` (a fraction; above zero longs pay shorts). Files are replaced whole.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data.arrow_columns import to_arrow, to_numpy
from data.atomic_files import exclusive_lock, replace_file
from data.errors import StoreError
from data.ranges import Range, subtract, unite
from data.series_folder import explained
from engine.candles import FloatArray, IntArray, read_only
from engine.timeframe import MINUTE_MS

_TYPES: Final = {"timestamp": pa.int64(), "rate": pa.float64()}
_UNREADABLE: Final = (pa.ArrowException, OSError, ValueError, TypeError, KeyError)


@dataclass(frozen=True, slots=True)
class FundingHistory:
    """Funding rates as read-only columns: `time` (ms, ascending) and `rate` (a fraction)."""

    time: IntArray
    rate: FloatArray

    def __len__(self) -> int:
        return len(self.time)

    @classmethod
    def of(cls, time: IntArray, rate: FloatArray) -> "FundingHistory":
        """Return rates in order; times are rounded down to the minute, the last of a time wins.

        Exchanges settle at whole hours and stamp some milliseconds later.
        """
        whole = time // MINUTE_MS * MINUTE_MS
        kept, last = np.unique(whole[::-1], return_index=True)
        return cls(read_only(kept), read_only(rate[::-1][last]))

    @classmethod
    def empty(cls) -> "FundingHistory":
        """Return no rates."""
        return cls.of(np.empty(0, dtype=np.int64), np.empty(0))

    def between(self, start: int, end: int) -> "FundingHistory":
        """Return the rates at start..end (ms, end excluded)."""
        first, stop = np.searchsorted(self.time, (start, end))
        return FundingHistory(self.time[first:stop], self.rate[first:stop])


class FundingStore:
    """Stored funding rates under one root folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, exchange: str, symbol: str) -> FundingHistory:
        """Return all stored rates of a symbol, none if there is no file.

        Raises:
            StoreError: the file is damaged or can't be read; says what to do.
        """
        return self._load(exchange, symbol)[0]

    def identity(self, exchange: str, symbol: str) -> tuple[int, ...]:
        """Return what differs once the stored rates may; empty where there is no file."""
        path = self._path(exchange, symbol)
        with explained("read", path):
            try:
                stat = path.stat()
            except FileNotFoundError:
                return ()
        return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino

    def missing_ranges(self, exchange: str, symbol: str, start: int, end: int) -> list[Range]:
        """Return the parts of start..end (ms, end excluded) that were never downloaded."""
        return subtract([(start, end)] if start < end else [], self._load(exchange, symbol)[1])

    def write(self, exchange: str, symbol: str, history: FundingHistory, covered: Range) -> None:
        """Merge rates into those stored, and remember that `covered` was downloaded.

        Raises:
            StoreError: the file is damaged, or can't be written.
        """
        path = self._path(exchange, symbol)
        with explained("write", path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with exclusive_lock(path.with_name(f".{path.name}.lock")):
                stored, ranges = self._load(exchange, symbol)
                merged = FundingHistory.of(
                    np.concatenate((stored.time, history.time)),
                    np.concatenate((stored.rate, history.rate)),
                )
                replace_file(path, _encode(merged, unite([*ranges, covered])))

    def _load(self, exchange: str, symbol: str) -> tuple[FundingHistory, list[Range]]:
        path = self._path(exchange, symbol)
        with explained("read", path):
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                return FundingHistory.empty(), []
        try:
            return _decode(content)
        except _UNREADABLE as error:
            raise StoreError(
                f"funding rates of {symbol} of {exchange} are damaged: delete {path}, the next"
                " download of candles brings them again"
            ) from error

    def _path(self, exchange: str, symbol: str) -> Path:
        return self._root / exchange / f"{re.sub('[/:]', '_', symbol)}.parquet"


def _encode(history: FundingHistory, covered: list[Range]) -> bytes:
    schema = pa.schema(list(_TYPES.items()), metadata={"covered": json.dumps(covered)})
    sink = pa.BufferOutputStream()
    columns = (history.time, history.rate)
    arrays = [to_arrow(c, kind) for c, kind in zip(columns, _TYPES.values(), strict=True)]
    table = pa.table(arrays, schema=schema)
    pq.write_table(table, sink, write_page_checksum=True)
    return bytes(sink.getvalue().to_pybytes())


def _decode(content: bytes) -> tuple[FundingHistory, list[Range]]:
    file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
    table = file.read(columns=list(_TYPES), use_threads=False)
    covered = json.loads((file.schema_arrow.metadata or {}).get(b"covered", b"[]"))
    history = FundingHistory.of(*(to_numpy(table.column(name)) for name in _TYPES))
    return history, [(int(start), int(end)) for start, end in covered]
