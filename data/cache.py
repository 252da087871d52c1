"""The candle store: Parquet files, one folder per series, one file per UTC month.

Writers of one series wait for each other; readers wait for nobody. No network and no clock live
here, and candles are never altered: what is stored is what was given.
"""

import hashlib
import logging
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np

from data.candle_columns import ColumnBuffer
from data.candle_columns import sha256_of as sha256_of
from data.errors import NoCandles, StoreError
from data.parquet_files import Footer, StoredMonth, month_bounds, month_capacity
from data.ranges import Range, find_holes, subtract, to_grid
from data.series_folder import SeriesFolder, combine_sources, explained
from data.series_key import Coverage as Coverage
from data.series_key import SeriesKey as SeriesKey
from engine.candles import FLOW_COLUMNS, PRICE_COLUMNS, CandleSeries, Gap, format_time
from engine.timeframe import get_timeframe_ms

logger = logging.getLogger(__name__)

_YEAR_10000_MS: Final = 253_402_300_800_000
_AHEAD: Final = 2


class CandleStore:
    """Stored candles under one root folder; `on_problem` is told what was set aside, and why.

    Every method that touches files raises StoreError for a full disk or a missing permission.
    Damaged month files are set aside and count as missing.
    """

    def __init__(self, root: Path, *, on_problem: Callable[[str], None] | None = None) -> None:
        self._root = root
        self._on_problem = on_problem or logger.warning

    def read(
        self,
        key: SeriesKey,
        start: int | None = None,
        end: int | None = None,
        *,
        columns: Collection[str] | None = None,
    ) -> CandleSeries:
        """Return the candles that open at start..end (ms, end excluded; None: all).

        `columns` names the columns needed; prices and volume always come, `open_interest` and
        `volume_delta` only if asked for (None: all) and known for at least one candle.

        Raises:
            NoCandles: there are none; says how to get them.
            ValueError: a column that candles don't have.
        """
        flow = _flow_among(columns)
        folder = self._folder(key)
        months = _overlapping(folder.months(), start, end)
        capacity = sum(month_capacity(month, key.timeframe) for month in months)
        buffer = ColumnBuffer(key.timeframe, capacity)
        for stored in _load_ahead(folder, months, flow):
            if stored is not None:
                buffer.add(stored.candles.between(start, end))
        if not len(buffer):
            raise NoCandles(self._explain_absence(key, start, end))
        return buffer.build()

    def identity(self, key: SeriesKey) -> str:
        """Return a hash that changes whenever a stored candle may have; empty for no candles.

        It comes from name, size, times and number of each file; no file is opened.
        """
        files = self._folder(key).identity()
        return hashlib.sha256("\n".join(files).encode()).hexdigest() if files else ""

    def capacity(self, key: SeriesKey) -> int:
        """Return how many candles the stored months can hold at most."""
        months = self._folder(key).months()
        return sum(month_capacity(month, key.timeframe) for month in months)

    def read_months(self, key: SeriesKey) -> Iterator[CandleSeries]:
        """Give all stored candles in parts, oldest first, never more than one part in memory."""
        folder = self._folder(key)
        for month in folder.months():
            stored = folder.load(month)
            if stored is not None:
                yield stored.candles

    def write(
        self, key: SeriesKey, series: CandleSeries, *, volume_delta_source: str | None
    ) -> int:
        """Merge candles into what is stored and return how many were not there before.

        At equal times the new candle wins, but what it doesn't know (NaN) never replaces a known
        open_interest or volume_delta. `volume_delta_source` is taker, approximated or mixed, and
        None only where the series has no volume_delta.

        Raises:
            ValueError: another timeframe than the key's, or no source for volume_delta.
        """
        _check_batch(key, series, volume_delta_source)
        if not len(series):
            return 0
        folder = self._folder(key)
        with folder.writing():
            added = 0
            for month, part in _by_month(series):
                source = volume_delta_source if _has_delta(part) else None
                added += folder.merge_month(month, part, source)
            _forget_filled_gaps(folder, series)
        return added

    def coverage(self, key: SeriesKey) -> Coverage | None:
        """Return what is stored of a series, None if nothing is; reads as little as it can."""
        folder = self._folder(key)
        parts = [part for month in folder.months() if (part := _cover_month(folder, month, key))]
        if not parts:
            return None
        step = get_timeframe_ms(key.timeframe)
        gaps: list[Gap] = []
        for before, part in zip([None, *parts], parts, strict=False):
            if before is not None and part.first - before.last > step:
                missing = (part.first - before.last) // step - 1
                gaps.append(Gap(before.last + step, part.first - step, missing))
            gaps += part.gaps
        sources = {part.volume_delta_source for part in parts} - {None}
        candles = sum(part.candles for part in parts)
        source = combine_sources(sources)
        return Coverage(parts[0].first, parts[-1].last, candles, tuple(gaps), source)

    def missing_ranges(self, key: SeriesKey, start: int, end: int) -> list[Range]:
        """Return the ranges (ms, end excluded) that are neither stored nor known to be gaps.

        The files concerned are read whole, so that a damaged one counts as missing.
        """
        within = to_grid(start, end, key.timeframe)
        folder = self._folder(key)
        times = [
            stored.candles.timestamp
            for month in _overlapping(folder.months(), *within)
            if (stored := folder.load(month)) is not None
        ]
        timestamp = np.concatenate(times) if times else np.empty(0, dtype=np.int64)
        return subtract(find_holes(timestamp, within, key.timeframe), folder.known_gaps())

    def record_gap(self, key: SeriesKey, start: int, end: int) -> None:
        """Remember that the exchange has no candles at start..end (ms, end excluded)."""
        self.record_gaps(key, [(start, end)])

    def record_gaps(self, key: SeriesKey, gaps: Iterable[Range]) -> None:
        """Remember that the exchange has no candles in these ranges, writing the list once."""
        ranges = [to_grid(start, end, key.timeframe) for start, end in gaps]
        new = [(start, end) for start, end in ranges if start < end]
        folder = self._folder(key)
        if new:
            with folder.writing():
                folder.replace_known_gaps([*folder.known_gaps(), *new])

    def known_gaps(self, key: SeriesKey) -> tuple[Range, ...]:
        """Return the ranges (ms, end excluded) in which the exchange has no candles."""
        return self._folder(key).known_gaps()

    def series(self) -> list[SeriesKey]:
        """Return the keys of all series with candles, symbols spelled as they were written."""
        with explained("read", self._root):
            folders = sorted(self._root.glob("[!._]*/[!._]*.parquet"))
        keys = (SeriesKey.from_folder(path.parent.name, path.name) for path in folders)
        return [self._spelled_as_stored(key) for key in keys if key and self._folder(key).months()]

    def _folder(self, key: SeriesKey) -> SeriesFolder:
        return SeriesFolder(self._root, key, self._on_problem)

    def _spelled_as_stored(self, key: SeriesKey) -> SeriesKey:
        folder = self._folder(key)
        footers = map(folder.footer, reversed(folder.months()))
        symbols = (footer.origin.symbol for footer in footers if footer and footer.origin)
        stored = SeriesKey(key.exchange, next(symbols, key.symbol), key.timeframe)
        return stored if stored.folder == key.folder else key

    def _explain_absence(self, key: SeriesKey, start: int | None, end: int | None) -> str:
        coverage = self.coverage(key)
        command = f"jesse fetch-data --symbol {key.symbol} --timeframe {key.timeframe}"
        if coverage is None:
            return f"no candles of {key} are stored: fetch them with `{command}` or import a file"
        wanted = " ".join(
            f"{option} {format_time(time)}"
            for option, time in (("--start", start), ("--end", end))
            if time is not None
        )
        return (
            f"no candles of {key} are stored for {wanted}, only"
            f" {format_time(coverage.first)} to {format_time(coverage.last)}:"
            f" fetch them with `{command} {wanted}`"
        )


def _flow_among(columns: Collection[str] | None) -> Collection[str]:
    if columns is None:
        return FLOW_COLUMNS
    unknown = set(columns) - {"timestamp", *PRICE_COLUMNS, *FLOW_COLUMNS}
    if unknown:
        raise ValueError(f"candles have no column {', '.join(sorted(unknown))}")
    return [name for name in FLOW_COLUMNS if name in columns]


def _load_ahead(
    folder: SeriesFolder, months: Sequence[str], flow: Collection[str]
) -> Iterator[StoredMonth | None]:
    """Give one month after the other; two more are decoded meanwhile, outside of Python's lock."""
    with ThreadPoolExecutor(_AHEAD) as threads:
        coming: deque[Future[StoredMonth | None]] = deque()
        for month in months:
            coming.append(threads.submit(folder.load, month, flow))
            if len(coming) > _AHEAD:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()


def _overlapping(months: list[str], start: int | None, end: int | None) -> list[str]:
    bounds = {month: month_bounds(month) for month in months}
    return [
        month
        for month, (first, stop) in bounds.items()
        if (start is None or stop > start) and (end is None or first < end)
    ]


def _by_month(series: CandleSeries) -> Iterator[tuple[str, CandleSeries]]:
    months = series.timestamp.astype("datetime64[ms]").astype("datetime64[M]")
    cuts = (np.flatnonzero(months[1:] != months[:-1]) + 1).tolist()
    for first, stop in zip([0, *cuts], [*cuts, len(series)], strict=True):
        yield str(months[first]), series.part(first, stop)


def _check_batch(key: SeriesKey, series: CandleSeries, volume_delta_source: str | None) -> None:
    if series.timeframe != key.timeframe:
        raise ValueError(f"candles of {series.timeframe} are no part of {key}")
    if volume_delta_source not in ("taker", "approximated", "mixed", None):
        raise ValueError(f"unknown source of volume_delta: {volume_delta_source!r}")
    if _has_delta(series) and volume_delta_source is None:
        raise ValueError("say where volume_delta comes from: taker, approximated or mixed")
    if len(series) and not 0 <= series.timestamp[0] <= series.timestamp[-1] < _YEAR_10000_MS:
        raise StoreError("candles before 1970 or after 9999 can't be stored: are the times in ms?")


def _has_delta(series: CandleSeries) -> bool:
    return series.volume_delta is not None and not bool(np.isnan(series.volume_delta).all())


def _cover_month(folder: SeriesFolder, month: str, key: SeriesKey) -> Coverage | None:
    footer = folder.footer(month)
    if footer is not None and _is_gapless(footer, key):
        source = footer.origin.volume_delta_source if footer.origin else None
        return Coverage(footer.first, footer.last, footer.candles, (), source)
    stored = folder.load(month, flow=())
    if stored is None:
        return None
    times = stored.candles.timestamp
    source = stored.origin.volume_delta_source if stored.origin else None
    return Coverage(int(times[0]), int(times[-1]), len(times), stored.candles.gaps(), source)


def _is_gapless(footer: Footer, key: SeriesKey) -> bool:
    return footer.last - footer.first == (footer.candles - 1) * get_timeframe_ms(key.timeframe)


def _forget_filled_gaps(folder: SeriesFolder, series: CandleSeries) -> None:
    known = folder.known_gaps()
    if not known:
        return
    places = np.searchsorted(series.timestamp, known)
    filled = (places[:, 0] < places[:, 1]).tolist()
    if any(filled):
        folder.replace_known_gaps(
            hole
            for gap, is_filled in zip(known, filled, strict=True)
            for hole in (
                find_holes(series.timestamp, gap, series.timeframe) if is_filled else [gap]
            )
        )
