"""Importing candle files into the store: which files, in which order, and what came of it.

How files are read and judged lives in `data.import_files` and `data.import_rows`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from data.cache import CandleStore, SeriesKey
from data.candle_columns import ColumnBuffer
from data.errors import InvalidImport
from data.import_files import read_candle_file
from data.import_rows import ImportedFile, build_candles
from data.ranges import find_holes
from data.series_folder import combine_sources
from engine.candles import Gap, IntArray
from engine.timeframe import get_timeframe_ms

# Small files are stored together: each write of a part of a month rewrites its file.
_BATCH_CANDLES: Final = 500_000


@dataclass(frozen=True, slots=True)
class RejectedFile:
    """A file of which nothing was stored, and the reason."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What an import stored.

    `candles` counts the sound rows of all accepted `files`, `added` those new to the store.
    `first`, `last` (open times, ms) and `gaps` describe the files, not the whole store.
    `duplicates` are dropped exact repetitions inside files; `reordered` counts files whose rows
    were not in order.
    """

    files: int
    candles: int
    added: int
    first: int
    last: int
    gaps: tuple[Gap, ...]
    volume_delta_source: str | None
    duplicates: int
    reordered: int
    rejected: tuple[RejectedFile, ...]


def import_candles(
    paths: Sequence[Path],
    key: SeriesKey,
    store: CandleStore,
    progress: Callable[[int, int], None] | None = None,
) -> ImportSummary:
    """Store the candles of CSV or Parquet files; `progress` gets files done and files in all.

    Of a file at fault nothing is stored; the others are, and the summary lists it. Where files
    overlap, the later in the list wins.

    Raises:
        InvalidImport: no file could be imported; names the file, the row and the rule.
        StoreError: the store can't be written.
    """
    run = _Run(key, store)
    rejected: list[RejectedFile] = []
    for done, path in enumerate(paths):
        if progress:
            progress(done, len(paths))
        try:
            run.take(build_candles(read_candle_file(path), key.timeframe))
        except InvalidImport as error:
            rejected.append(RejectedFile(path, str(error)))
    run.store_pending()
    if progress:
        progress(len(paths), len(paths))
    if not run.files:
        raise InvalidImport(_explain(rejected))
    return run.summarise(tuple(rejected))


class _Run:
    """The files accepted so far: what waits to be stored, and the figures of the summary."""

    def __init__(self, key: SeriesKey, store: CandleStore) -> None:
        self.files = 0
        self._key = key
        self._store = store
        self._pending: list[ImportedFile] = []
        self._times: list[IntArray] = []
        self._sources: set[str | None] = set()
        self._added = self._duplicates = self._reordered = 0

    def take(self, file: ImportedFile) -> None:
        if self._pending and not self._continues(file):
            self.store_pending()
        self._pending.append(file)
        self.files += 1
        self._times.append(file.candles.timestamp)
        self._sources.add(file.volume_delta_source)
        self._duplicates += file.duplicates
        self._reordered += file.was_reordered

    def store_pending(self) -> None:
        if not self._pending:
            return
        parts = [file.candles for file in self._pending]
        buffer = ColumnBuffer(self._key.timeframe, sum(map(len, parts)))
        for part in parts:
            buffer.add(part)
        source = self._pending[0].volume_delta_source
        self._added += self._store.write(self._key, buffer.build(), volume_delta_source=source)
        self._pending.clear()

    def summarise(self, rejected: tuple[RejectedFile, ...]) -> ImportSummary:
        times = np.unique(np.concatenate(self._times))
        first, last = int(times[0]), int(times[-1])
        step = get_timeframe_ms(self._key.timeframe)
        holes = find_holes(times, (first, last + step), self._key.timeframe)
        return ImportSummary(
            files=self.files,
            candles=sum(map(len, self._times)),
            added=self._added,
            first=first,
            last=last,
            gaps=tuple(Gap(start, end - step, (end - start) // step) for start, end in holes),
            volume_delta_source=combine_sources(self._sources),
            duplicates=self._duplicates,
            reordered=self._reordered,
            rejected=rejected,
        )

    def _continues(self, file: ImportedFile) -> bool:
        last = self._pending[-1]
        return (
            sum(len(pending.candles) for pending in self._pending) < _BATCH_CANDLES
            and file.volume_delta_source == last.volume_delta_source
            and file.candles.timestamp[0] > last.candles.timestamp[-1]
        )


def _explain(rejected: Sequence[RejectedFile]) -> str:
    if not rejected:
        return "no file was named: name one or more CSV or Parquet files"
    first = f"{rejected[0].path}: {rejected[0].reason}"
    others = len(rejected) - 1
    return f"{first} (and {others} more rejected)" if others else first
