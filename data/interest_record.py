"""The open interest that live candles carried, kept so that a later reader sees the same.

One file per symbol under DATA_DIR/open_interest/<exchange>/: records of 16 bytes, the candle's
open time (int64, ms UTC) and the value (float64, base asset; NaN: the candle had none), both
little-endian, in the order they were decided. What is decided of a candle stays: of two records
of one candle the first counts. No exchange is known here.
"""

import logging
import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from data.errors import StoreError
from data.series_folder import explained
from engine.candles import PRICE_COLUMNS, CandleSeries, FloatArray

logger = logging.getLogger(__name__)

_ROW: Final = np.dtype([("time", "<i8"), ("value", "<f8")])
_MOST_LOOSE: Final = 10_000
_Rows: TypeAlias = npt.NDArray[np.void]


def interest_folder(data_dir: Path) -> Path:
    """Return where records lie under the data folder."""
    return data_dir / "open_interest"


class InterestRecord:
    """Recorded open interest under one root folder; may be used by several threads."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[Path, _Decided] = {}
        self._lock = threading.Lock()
        self._has_failed = False

    def decide(
        self, exchange: str, symbol: str, decisions: Sequence[tuple[int, float | None]]
    ) -> list[float | None]:
        """Record candles' open times (ms) with their open interest; return what counts.

        Where a candle was decided before, that value counts. A record that can't be read or
        written is told in the log, once: the values count all the same, and are written with
        later ones as soon as that works.
        """
        path = self._path(exchange, symbol)
        with self._lock:
            decided = self._open(path)
            new = [(time, value) for time, value in decisions if not decided.has(time)]
            if new:
                rows = np.array([(t, np.nan if v is None else v) for t, v in new], _ROW)
                decided.add(rows)
                self._append(path, decided)
            return [decided.get(time) for time, _ in decisions]

    def find(self, exchange: str, symbol: str, times: Sequence[int]) -> dict[int, float | None]:
        """Return what was decided of candles by their open times (ms), without the others."""
        with self._lock:
            decided = self._open(self._path(exchange, symbol))
            return {time: decided.get(time) for time in times if decided.has(time)}

    def apply(self, exchange: str, symbol: str, candles: CandleSeries) -> CandleSeries:
        """Return candles with the recorded open interest in the place of their own.

        Raises:
            StoreError: the record can't be read.
        """
        with self._lock:
            rows = self._load(self._path(exchange, symbol)).rows()
        places = np.searchsorted(candles.timestamp, rows["time"])
        found = np.flatnonzero(places < len(candles))
        found = found[candles.timestamp[places[found]] == rows["time"][found]]
        if not len(found):
            return candles
        column = np.full(len(candles), np.nan)
        if candles.open_interest is not None:
            column[:] = candles.open_interest
        column[places[found]] = rows["value"][found]
        return _with_interest(candles, column)

    def _open(self, path: Path) -> "_Decided":
        try:
            return self._load(path)
        except StoreError as error:
            self._tell(error)
            return self._known.setdefault(path, _Decided(np.empty(0, _ROW)))

    def _load(self, path: Path) -> "_Decided":
        known = self._known.get(path)
        if known is None:
            known = self._known[path] = _Decided(_read(path))
        return known

    def _append(self, path: Path, decided: "_Decided") -> None:
        try:
            with explained("write", path):
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("ab") as file:
                    surplus = file.tell() % _ROW.itemsize
                    if surplus:  # left half written by a process that died, or on a full disk
                        file.truncate(file.tell() - surplus)
                    file.write(b"".join(decided.unwritten))
        except StoreError as error:
            self._tell(error)
        else:
            decided.unwritten.clear()
            self._has_failed = any(each.unwritten for each in self._known.values())

    def _tell(self, error: StoreError) -> None:
        level = logging.DEBUG if self._has_failed else logging.ERROR
        self._has_failed = True
        logger.log(level, "live open interest isn't recorded: %s", error)

    def _path(self, exchange: str, symbol: str) -> Path:
        return self._root / exchange / f"{re.sub('[/:]', '_', symbol)}.bin"


class _Decided:
    """What is decided of one symbol's candles: sorted rows, and newer ones that came since."""

    def __init__(self, rows: _Rows) -> None:
        self.unwritten: list[bytes] = []
        self._rows = _first_of_each(rows)
        self._loose: dict[int, float] = {}

    def has(self, time: int) -> bool:
        return time in self._loose or self._place(time) is not None

    def get(self, time: int) -> float | None:
        place = self._place(time)
        value = self._loose[time] if place is None else self._rows["value"].item(place)
        return None if value != value else value

    def add(self, rows: _Rows) -> None:
        self.unwritten.append(rows.tobytes())
        for time, value in rows.tolist():
            self._loose.setdefault(time, value)
        if len(self._loose) > _MOST_LOOSE:
            self._rows, self._loose = self.rows(), {}

    def rows(self) -> _Rows:
        """Return everything in order of time."""
        loose = np.array(list(self._loose.items()), _ROW)
        return _first_of_each(np.concatenate((self._rows, loose)))

    def _place(self, time: int) -> int | None:
        place = int(np.searchsorted(self._rows["time"], time))
        is_here = place < len(self._rows) and self._rows["time"].item(place) == time
        return place if is_here else None


def _read(path: Path) -> _Rows:
    with explained("read", path):
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return np.empty(0, _ROW)
    whole = len(content) // _ROW.itemsize
    return np.frombuffer(content[: whole * _ROW.itemsize], _ROW)


def _first_of_each(rows: _Rows) -> _Rows:
    _, first = np.unique(rows["time"], return_index=True)
    return rows[first]


def _with_interest(candles: CandleSeries, open_interest: FloatArray) -> CandleSeries:
    prices = {name: getattr(candles, name) for name in PRICE_COLUMNS}
    return CandleSeries(
        candles.timeframe,
        candles.timestamp,
        **prices,
        open_interest=open_interest,
        volume_delta=candles.volume_delta,
    )
