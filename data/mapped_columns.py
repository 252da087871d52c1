"""Candles as bare columns in one file that many processes map: they share its memory.

Such a file only repeats what Parquet files hold and can be deleted at any time. It carries a stamp
of what it was made from, and checksums: one that doesn't fit or is damaged counts as missing.
"""

import json
import mmap
import sys
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt

from data.atomic_files import replacing
from data.candle_columns import series_of
from engine.candles import FLOW_COLUMNS, PRICE_COLUMNS, CandleSeries

ROW_BYTES: Final = 64

_NAMES: Final = ("timestamp", *PRICE_COLUMNS, *FLOW_COLUMNS)
_ITEM_BYTES: Final = 8
_HEADER_BYTES: Final = 4096
_CHECKSUM_DIGITS: Final = 8
_FORMAT: Final = f"jesse columns 2 {sys.byteorder}"


class TooManyCandles(ValueError):
    """There are more candles than were announced."""


def write_mapped(
    path: Path, timeframe: str, parts: Iterable[CandleSeries], *, capacity: int, stamp: str
) -> None:
    """Write candles, given in order and at most `capacity` of them; the file is replaced whole.

    Raises:
        OSError: no space, no permission; nothing is left behind.
        TooManyCandles: more than `capacity`.
    """
    # Written, not mapped: where the disk is full, a write fails and a mapping kills.
    with replacing(path) as temporary, temporary.open("xb") as file:
        writer = _Writer(file, capacity)
        for part in parts:
            writer.add(part)
        writer.finish({"timeframe": timeframe, "capacity": capacity, "stamp": stamp})


def open_mapped(path: Path, *, stamp: str) -> CandleSeries | None:
    """Map a file's candles; None unless it is sound and was made from what the stamp says."""
    try:
        with path.open("rb") as file:
            memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        header = _open_header(memory[:_HEADER_BYTES])
        if (header["format"], header["stamp"]) != (_FORMAT, stamp):
            return None
        columns = {
            name: np.frombuffer(memory, _dtype(name), header["rows"], _place(name, header))
            for name in header["checksums"]
        }
    except (OSError, ValueError, KeyError, TypeError):
        return None
    found = {name: zlib.crc32(column.data) for name, column in columns.items()}
    if found != header["checksums"]:
        return None
    return series_of(header["timeframe"], columns)


class _Writer:
    def __init__(self, file: BinaryIO, capacity: int) -> None:
        self._file = file
        self._layout = {"capacity": capacity}
        self._checksums: dict[str, int] = {}
        self._rows = 0
        # Holes until something is written: room for candles that never come takes no disk.
        file.truncate(_HEADER_BYTES + capacity * ROW_BYTES)

    def add(self, part: CandleSeries) -> None:
        if self._rows + len(part) > self._layout["capacity"]:
            raise TooManyCandles(f"more candles than the {self._layout['capacity']} announced")
        for name in _NAMES:
            self._add_column(name, getattr(part, name), len(part))
        self._rows += len(part)

    def finish(self, header: dict[str, Any]) -> None:
        header |= {"format": _FORMAT, "rows": self._rows, "checksums": self._checksums}
        self._file.seek(0)
        self._file.write(_seal_header(header))

    def _add_column(self, name: str, values: npt.NDArray[Any] | None, rows: int) -> None:
        if name not in self._checksums:
            if values is None:
                return  # a column exists from its first known value on
            self._checksums[name] = 0
            if self._rows:
                self._append(name, np.full(self._rows, np.nan), 0)
        self._append(name, np.full(rows, np.nan) if values is None else values, self._rows)

    def _append(self, name: str, values: npt.NDArray[Any], row: int) -> None:
        content = np.ascontiguousarray(values, dtype=_dtype(name)).data
        self._file.seek(_place(name, self._layout) + row * _ITEM_BYTES)
        self._file.write(content)
        self._checksums[name] = zlib.crc32(content, self._checksums[name])


def _seal_header(header: dict[str, Any]) -> bytes:
    text = json.dumps(header).encode()
    sealed = b"%08x%s" % (zlib.crc32(text), text)
    if len(sealed) > _HEADER_BYTES:
        raise ValueError("the stamp is too long for the header")
    return sealed


def _open_header(content: bytes) -> dict[str, Any]:
    checksum, text = content[:_CHECKSUM_DIGITS], content[_CHECKSUM_DIGITS:].rstrip(b"\0")
    if checksum != b"%08x" % zlib.crc32(text):
        raise ValueError("the header is damaged")
    header: dict[str, Any] = json.loads(text)
    return header


def _place(name: str, layout: dict[str, Any]) -> int:
    return _HEADER_BYTES + _NAMES.index(name) * int(layout["capacity"]) * _ITEM_BYTES


def _dtype(name: str) -> npt.DTypeLike:
    return np.int64 if name == "timestamp" else np.float64
