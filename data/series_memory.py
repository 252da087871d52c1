"""Candles that a process keeps between runs, in memory that processes share where they can.

What is kept is exact: it is looked up by the identity of the files it came from, so that a refresh
or an import is seen at once. What candles mean, and what a run needs of them, lives elsewhere.
"""

import logging
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from shutil import disk_usage
from typing import Final

from data.atomic_files import exclusive_lock, remove_temporary_files
from data.cache import CandleStore, SeriesKey
from data.candle_columns import known_only, sha256_of
from data.mapped_columns import ROW_BYTES, TooManyCandles, open_mapped, write_mapped
from engine.candles import CandleSeries

logger = logging.getLogger(__name__)

_MEBIBYTE: Final = 1024 * 1024
# Six years of one-minute candles.
_KEPT_BYTES: Final = 192 * _MEBIBYTE
_MAPPED_BYTES_ON_DISK: Final = 256 * _MEBIBYTE
# Shared columns are a convenience: a disk that fills up is for candles first.
_SHARE_OF_FREE_DISK: Final = 0.1
_KEPT_PARTS: Final = 64


@dataclass(frozen=True, slots=True)
class HeldCandles:
    """Candles of a run with the SHA-256 of their content and where volume_delta comes from."""

    candles: CandleSeries
    sha256: str
    volume_delta_source: str | None


@dataclass(slots=True)
class _HeldSeries:
    identity: str
    volume_delta_source: str | None
    whole: CandleSeries | None
    parts: OrderedDict[tuple[int | None, int | None], HeldCandles] = field(
        default_factory=OrderedDict
    )

    @property
    def bytes(self) -> int:
        """What it takes: all columns where they are mapped, else those of its parts."""
        if self.whole is not None:
            return len(self.whole) * ROW_BYTES
        return sum(len(part.candles) for part in self.parts.values()) * ROW_BYTES


class SeriesMemory:
    """Candles of one store, the least recently used given up beyond `limit_bytes`.

    Whole series lie as bare columns under `mapped_root` and are mapped by every process that runs
    on them; where that is impossible (no disk, too large), this process keeps what it last read.
    """

    def __init__(
        self,
        store: CandleStore,
        mapped_root: Path,
        *,
        limit_bytes: int = _KEPT_BYTES,
        disk_limit_bytes: int = _MAPPED_BYTES_ON_DISK,
    ) -> None:
        self._store = store
        self._mapped_root = mapped_root
        self._limit_bytes = limit_bytes
        self._disk_limit_bytes = disk_limit_bytes
        self._held: OrderedDict[SeriesKey, _HeldSeries] = OrderedDict()
        self._latest: CandleSeries | None = None

    @property
    def kept_bytes(self) -> int:
        """How many bytes of candles are kept, mapped ones included."""
        return sum(held.bytes for held in self._held.values())

    def read(self, key: SeriesKey, start: int | None, end: int | None) -> HeldCandles:
        """Return the candles that open at start..end (ms, end excluded), as the store has them now.

        Raises:
            NoCandles, StoreError: as the store's `read`.
        """
        identity = self._store.identity(key)
        held = self._held.get(key)
        if held is None or held.identity != identity:
            self._held.pop(key, None)
            held = self._open(key, identity)
        part = held.parts.get((start, end)) or self._cut(held, key, start, end)
        # What runs compute of candles alone is worth its memory for one period, not for all.
        if self._latest is not None and self._latest is not part.candles:
            self._latest.forget_derived()
        self._latest = part.candles
        if identity and self._store.identity(key) == identity:
            self._keep(key, held, (start, end), part)
        return part

    def _open(self, key: SeriesKey, identity: str) -> _HeldSeries:
        coverage = self._store.coverage(key)
        source = coverage.volume_delta_source if coverage else None
        return _HeldSeries(identity, source, self._map(key, identity) if identity else None)

    def _cut(
        self, held: _HeldSeries, key: SeriesKey, start: int | None, end: int | None
    ) -> HeldCandles:
        found = None if held.whole is None else known_only(held.whole.between(start, end))
        # The store knows best how to say that there are none.
        candles = found if found is not None and len(found) else self._store.read(key, start, end)
        return HeldCandles(candles, sha256_of(candles), held.volume_delta_source)

    def _keep(
        self,
        key: SeriesKey,
        held: _HeldSeries,
        period: tuple[int | None, int | None],
        part: HeldCandles,
    ) -> None:
        if held.whole is None:
            held.parts.clear()
        held.parts[period] = part
        held.parts.move_to_end(period)
        if len(held.parts) > _KEPT_PARTS:
            held.parts.popitem(last=False)
        self._held[key] = held
        self._held.move_to_end(key)
        while self._held and self.kept_bytes > self._limit_bytes:
            self._held.popitem(last=False)

    def _map(self, key: SeriesKey, identity: str) -> CandleSeries | None:
        """Map the series' columns, after writing them where no other process has."""
        path = self._mapped_root / key.exchange / f"{key.folder.removesuffix('.parquet')}.columns"
        found = open_mapped(path, stamp=identity)
        if found is not None:
            return found
        if self._store.capacity(key) * ROW_BYTES > self._limit_bytes:
            return None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with exclusive_lock(self._mapped_root / ".lock"):
                found = open_mapped(path, stamp=identity)
                return self._write(path, key, identity) if found is None else found
        except OSError as error:
            logger.info("candles of %s are not shared between processes: %s", key, error)
            return None

    def _write(self, path: Path, key: SeriesKey, identity: str) -> CandleSeries | None:
        capacity = self._store.capacity(key)
        remove_temporary_files(path.parent)
        path.unlink(missing_ok=True)
        room = self._disk_limit_bytes - capacity * ROW_BYTES
        self._remove_old(room)
        free = disk_usage(self._mapped_root).free
        if room < 0 or capacity * ROW_BYTES > _SHARE_OF_FREE_DISK * free:
            return None
        months = self._store.read_months(key)
        with suppress(TooManyCandles):  # another process has just added a month
            write_mapped(path, key.timeframe, months, capacity=capacity, stamp=identity)
        if self._store.identity(key) != identity:
            path.unlink(missing_ok=True)
            return None
        return open_mapped(path, stamp=identity)

    def _remove_old(self, room: int) -> None:
        """Delete files, the oldest first, until the others take no more than `room` bytes."""
        for path, size in list(_newest_first(self._mapped_root)):
            room -= size
            if room < 0:
                path.unlink(missing_ok=True)


def _newest_first(root: Path) -> Iterator[tuple[Path, int]]:
    stats = {path: path.stat() for path in root.glob("*/*.columns")}
    for path, stat in sorted(stats.items(), key=lambda item: item[1].st_mtime, reverse=True):
        yield path, stat.st_size
