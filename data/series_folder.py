"""The folder of one stored series: its month files, its known gaps, its lock.

Damaged files are set aside here, never deleted. What the months mean together is the store's
(`data.cache`).
"""

import errno
import itertools
import json
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from data.atomic_files import exclusive_lock, remove_temporary_files, replace_file
from data.candle_columns import is_same, merge
from data.errors import StoreError
from data.parquet_files import (
    Footer,
    Origin,
    StoredMonth,
    decode_footer,
    decode_month,
    encode_month,
)
from data.parquet_seal import TAIL_BYTES
from data.ranges import Range, unite
from data.series_key import SeriesKey
from engine.candles import FLOW_COLUMNS, CandleSeries

# Names that begin with _ or . are no part of the data set for other readers of Parquet folders.
_GAPS_FILE: Final = "_gaps.json"
_CORRUPT_FOLDER: Final = "_corrupt"
_LOCK_FILE: Final = ".lock"
_MONTH_FILE: Final = re.compile(r"(\d{4}-(?:0[1-9]|1[0-2]))\.parquet")


class SeriesFolder:
    """The files of one series; `report` is told, in a sentence, of each file set aside."""

    def __init__(self, root: Path, key: SeriesKey, report: Callable[[str], None]) -> None:
        self.path = root / key.exchange / key.folder
        self._key = key
        self._report = report

    def months(self) -> list[str]:
        """Return the months that have a file, such as 2024-01, oldest first."""
        with explained("read", self.path):
            try:
                names = [entry.name for entry in self.path.iterdir()]
            except FileNotFoundError:
                return []
        return sorted(match[1] for match in map(_MONTH_FILE.fullmatch, names) if match)

    def identity(self) -> tuple[str, ...]:
        """Return a line for each month file that differs once its content may, oldest first."""
        with explained("read", self.path):
            try:
                with os.scandir(self.path) as entries:
                    found = {entry.name: entry.stat() for entry in entries if _is_month(entry)}
            except FileNotFoundError:
                return ()
        return tuple(
            f"{name} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_ino}"
            for name, stat in sorted(found.items())
        )

    def load(self, month: str, flow: Collection[str] = FLOW_COLUMNS) -> StoredMonth | None:
        """Return a month's candles, None if there is no usable file."""
        content = self._read(month)
        if content is None:
            return None
        try:
            return decode_month(content, month, self._key.timeframe, flow)
        except StoreError as error:
            problem = error
        try:
            # A writer may be replacing the file right now: look again when nobody is.
            with exclusive_lock(self.path / _LOCK_FILE):
                return self._load_or_set_aside(month, flow)
        except OSError as error:
            self._report(
                f"candles of {self._key} for {month} are left out: {problem};"
                f" the file could not be set aside ({error.strerror or error})"
            )
            return None

    def footer(self, month: str) -> Footer | None:
        """Return what a month's file says of itself, None where its columns must be read."""
        with explained("read", self._file(month)):
            try:
                with self._file(month).open("rb") as file:
                    file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
                    return decode_footer(file.read(), month)
            except FileNotFoundError:
                return None

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the folder alone, for merging months and changing the known gaps."""
        with explained("write", self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            with exclusive_lock(self.path / _LOCK_FILE):
                remove_temporary_files(self.path)
                yield

    def merge_month(self, month: str, candles: CandleSeries, delta_source: str | None) -> int:
        """Store candles of one month beside those already there; return how many were new."""
        stored = self._load_or_set_aside(month, FLOW_COLUMNS)
        if stored is None:
            self._replace(month, candles, self._origin(self._key.symbol, delta_source))
            return len(candles)
        merged = merge(stored.candles, candles)
        old = stored.origin or self._origin(self._key.symbol, None)
        sources: set[str | None] = {delta_source} if delta_source else set()
        sources |= {old.volume_delta_source} if merged.has_old_delta else set()
        symbol = max(old.symbol, self._key.symbol, key=_count_marks)
        origin = self._origin(symbol, combine_sources(sources))
        if origin != stored.origin or not is_same(stored.candles, merged.candles):
            self._replace(month, merged.candles, origin)
        return merged.added

    def known_gaps(self) -> tuple[Range, ...]:
        """Return the ranges (ms, end excluded) in which the exchange has no candles."""
        with explained("read", self.path / _GAPS_FILE):
            try:
                content = (self.path / _GAPS_FILE).read_bytes()
            except FileNotFoundError:
                return ()
        try:
            return tuple(unite((int(start), int(end)) for start, end in json.loads(content)))
        except (ValueError, TypeError):
            self._report(
                f"the list of known gaps of {self._key} is unreadable and left out:"
                " the exchange will be asked for them again"
            )
            return ()

    def replace_known_gaps(self, gaps: Iterable[Range]) -> None:
        """Write the known gaps anew; call it inside `writing`."""
        content = json.dumps(unite(gaps), separators=(",", ":"))
        replace_file(self.path / _GAPS_FILE, content.encode())

    def _load_or_set_aside(self, month: str, flow: Collection[str]) -> StoredMonth | None:
        content = self._read(month)
        if content is None:
            return None
        try:
            return decode_month(content, month, self._key.timeframe, flow)
        except StoreError as error:
            place = self._set_aside(month)
            self._report(
                f"candles of {self._key} for {month} can't be used: {error}; the file was"
                f" set aside as {place}, fetch or import that month again"
            )
            return None

    def _read(self, month: str) -> bytes | None:
        with explained("read", self._file(month)):
            try:
                return self._file(month).read_bytes()
            except FileNotFoundError:
                return None

    def _set_aside(self, month: str) -> Path:
        folder = self.path / _CORRUPT_FOLDER
        folder.mkdir(exist_ok=True)
        names = (folder / f"{month}.parquet.corrupt-{number}" for number in itertools.count(1))
        target = next(name for name in names if not name.exists())
        self._file(month).rename(target)
        return target.relative_to(self.path)

    def _replace(self, month: str, candles: CandleSeries, origin: Origin) -> None:
        replace_file(self._file(month), encode_month(candles, origin))

    def _file(self, month: str) -> Path:
        return self.path / f"{month}.parquet"

    def _origin(self, symbol: str, delta_source: str | None) -> Origin:
        return Origin(self._key.exchange, symbol, self._key.timeframe, delta_source)


def _is_month(entry: "os.DirEntry[str]") -> bool:
    return _MONTH_FILE.fullmatch(entry.name) is not None


@contextmanager
def explained(verb: str, path: Path) -> Iterator[None]:
    """Turn the system's errors inside into a StoreError that says what to do."""
    try:
        yield
    except OSError as error:
        raise StoreError(_explain(verb, path, error)) from error


def combine_sources(sources: Collection[str | None]) -> str | None:
    """Return the source of volume_delta that stands for some: mixed if they differ."""
    return next(iter(sources), None) if len(set(sources)) < 2 else "mixed"


def _explain(verb: str, path: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"no space left for {path}: free some and repeat; what was stored is unchanged"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"no permission to {verb} {path}: grant it to this user or set another DATA_DIR"
    return f"can't {verb} {path}: {error.strerror or error}"


def _count_marks(symbol: str) -> int:
    # BTC/USDT:USDT and BTC_USDT_USDT share a folder; the spelling with marks says more.
    return symbol.count("/") + symbol.count(":")
