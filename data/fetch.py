"""One fetch of candles into the store: which ranges, page by page, and which holes are gaps.

Whatever ends a fetch (cancellation, an exchange that is down), what came before it is stored.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from data.cache import CandleStore, SeriesKey
from data.download import CandleDownload
from data.exchange import ExchangeClient
from data.pages import Page, join_candles, join_near, month_end
from data.ranges import Range
from data.venues.base import Instrument
from engine.candles import CandleSeries, Gap, format_time
from engine.timeframe import floor_to_timeframe, get_timeframe_ms

# The store writes a month at a time: often enough to lose little, seldom enough to be fast.
_WRITE_AT_MONTH_END: Final = 20_000
_WRITE_ALWAYS: Final = 100_000
_PAGES_WORTH_A_SEARCH: Final = 2


@dataclass(frozen=True, slots=True)
class FetchProgress:
    """How far a fetch is, in candles of the asked time, and how fast."""

    done_candles: int
    total_candles: int
    rate_per_s: float

    @property
    def remaining_s(self) -> float | None:
        """Seconds until the end at this rate; None while there is no rate."""
        left = self.total_candles - self.done_candles
        return left / self.rate_per_s if self.rate_per_s > 0 else None


@dataclass(frozen=True, slots=True)
class FetchSummary:
    """What a fetch brought: new candles, open times of the first and last received (ms).

    `gaps` are those found in this fetch; `notices` say in sentences what could not be had.
    """

    fetched: int = 0
    first: int | None = None
    last: int | None = None
    requests: int = 0
    gaps: tuple[Gap, ...] = ()
    notices: tuple[str, ...] = ()


OnProgress = Callable[[FetchProgress], None]


@dataclass(slots=True)
class _Batch:
    """Pages that are not stored yet, and the holes among them that are known to be gaps."""

    pages: list[CandleSeries] = field(default_factory=list)
    gaps: list[Range] = field(default_factory=list)

    def __len__(self) -> int:
        return sum(len(page) for page in self.pages)


class CandleFetch:
    """Fetches ranges of one series; `now` is the exchange's time (ms) when it begins."""

    def __init__(
        self,
        store: CandleStore,
        key: SeriesKey,
        exchange: ExchangeClient,
        instrument: Instrument,
        *,
        now: int,
        on_progress: OnProgress | None = None,
    ) -> None:
        self.added = 0
        self.first: int | None = None
        self.last: int | None = None
        self.gaps: list[Gap] = []
        self.notices: list[str] = []
        self._store = store
        self._key = key
        self._exchange = exchange
        self._step = get_timeframe_ms(key.timeframe)
        self._download = CandleDownload(exchange, instrument, key.timeframe, now=now)
        self._present = floor_to_timeframe(now, key.timeframe)
        self._on_progress = on_progress
        self._started = exchange.timing.monotonic()
        self._done = 0
        self._total = 0
        self._batch = _Batch()
        self._writing: asyncio.Future[None] | None = None
        self._open_hole: Range | None = None
        self._stored_until = 0

    async def run(self, missing: list[Range]) -> list[Range]:
        """Fetch what is missing and store it; return the ranges that were asked for.

        Raises:
            ExchangeError: the exchange can't be asked; what came before is stored.
            StoreError: the candles can't be stored.
        """
        ranges = await self._plan(missing)
        self._total = sum(end - start for start, end in ranges) // self._step
        try:
            async with aclosing(self._download.pages(ranges)) as pages:
                async for page in pages:
                    await self._take(page)
            await self._close_last_hole()
        finally:
            await self._write()
            await self._written()
        return ranges

    async def _plan(self, missing: list[Range]) -> list[Range]:
        ranges = [(start, min(end, self._present)) for start, end in missing]
        ranges = self._within_reach([(start, end) for start, end in ranges if start < end])
        # Holes that lie close are asked for together: one request instead of many.
        page_ms = self._download.page_size * self._step
        ranges = join_near(ranges, page_ms // 2)
        coverage = await asyncio.to_thread(self._store.coverage, self._key)
        if coverage:
            self._stored_until = coverage.last + self._step
        if not ranges:
            return []
        start, end = ranges[0]
        is_leading = coverage is None or start < coverage.first
        if not is_leading or end - start <= _PAGES_WORTH_A_SEARCH * page_ms:
            return ranges
        return await self._without_time_before_listing(ranges)

    def _within_reach(self, ranges: list[Range]) -> list[Range]:
        kept = self._exchange.venue.facts.keeps_latest
        if kept is None or not ranges:
            return ranges
        oldest = self._present - (kept - 1) * self._step
        if ranges[0][0] < oldest:
            self.notices.append(
                f"{self._exchange.name} keeps only the latest {kept} candles of each timeframe:"
                f" nothing before {format_time(oldest)} can be fetched; import files, or take a"
                " coarser timeframe"
            )
        return [(max(start, oldest), end) for start, end in ranges if end > oldest]

    async def _without_time_before_listing(self, ranges: list[Range]) -> list[Range]:
        first = await self._download.find_first(ranges[0][0])
        if first is None:
            self.notices.append(
                f"{self._exchange.name} has no candles of {self._key.symbol}"
                f" since {format_time(ranges[0][0])}"
            )
            return []
        if first > ranges[0][0]:
            self._batch.gaps.append((ranges[0][0], min(first, self._present)))
        return [(max(start, first), end) for start, end in ranges if end > first]

    async def _take(self, page: Page) -> None:
        if page.problem:
            self.notices.append(f"candles that can't be used were left out: {page.problem}")
        self._follow_holes(page)
        if len(page.candles):
            self._batch.pages.append(page.candles)
            times = page.candles.timestamp
            self.first = int(times[0]) if self.first is None else self.first
            self.last = int(times[-1])
        self._report(page)
        if self._writing is not None and self._writing.done():
            await self._written()  # a full disk ends a fetch here, not a month later
        end = page.window[1]
        is_month_end = end == month_end(end - 1)
        if len(self._batch) >= (_WRITE_AT_MONTH_END if is_month_end else _WRITE_ALWAYS):
            await self._write()

    def _follow_holes(self, page: Page) -> None:
        """Keep the hole at a page's end open until a later candle shows that it is a gap."""
        holes = page.holes()
        before = self._open_hole
        self._open_hole = None
        if before is not None:
            if holes and before[1] == holes[0][0]:
                holes[0] = (before[0], holes[0][1])
            elif before[1] == page.window[0] or before[1] < self._stored_until:
                holes.insert(0, before)
        if holes and holes[-1][1] == page.window[1]:
            self._open_hole = holes.pop()
        self._batch.gaps += [hole for hole in holes if self._download.is_settled(hole)]

    async def _close_last_hole(self) -> None:
        hole = self._open_hole
        if hole is None or not self._download.is_settled((hole[0], hole[0])):
            return
        if self._download.is_settled(hole) and await self._is_followed(hole):
            self._batch.gaps.append(hole)
        else:
            self.notices.append(
                f"{self._exchange.name} has no candles of {self._key.symbol} since"
                f" {format_time(hole[0])}: it is halted, or no longer traded"
            )

    async def _is_followed(self, hole: Range) -> bool:
        return hole[1] < self._stored_until or await self._download.is_followed(hole[1])

    def _report(self, page: Page) -> None:
        self._done += (page.window[1] - page.window[0]) // self._step
        if self._on_progress:
            elapsed = self._exchange.timing.monotonic() - self._started
            rate = self._done / elapsed if elapsed > 0 else 0.0
            self._on_progress(FetchProgress(self._done, self._total, rate))

    async def _write(self) -> None:
        """Begin to store what has come; the download goes on meanwhile."""
        await self._written()
        batch, self._batch = self._batch, _Batch()
        if batch.pages or batch.gaps:
            # No task, which a closing loop would cancel before what follows it is stored.
            loop = asyncio.get_running_loop()
            self._writing = loop.run_in_executor(None, self._store_batch, batch)

    async def _written(self) -> None:
        writing = self._writing
        if writing is None:
            return
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait([writing])  # cancelled again, it goes on in its thread
            raise
        finally:
            if writing.done():
                self._writing = None

    def _store_batch(self, batch: _Batch) -> None:
        if batch.pages:
            has_taker_volume = self._exchange.venue.facts.has_taker_volume
            candles = join_candles(
                batch.pages, self._key.timeframe, has_taker_volume=has_taker_volume
            )
            source = "taker" if has_taker_volume else "approximated"
            self.added += self._store.write(self._key, candles, volume_delta_source=source)
        self._store.record_gaps(self._key, batch.gaps)
        self.gaps += [
            Gap(start, end - self._step, (end - start) // self._step) for start, end in batch.gaps
        ]
