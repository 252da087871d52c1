"""Pages of candles from an exchange: in order, several in flight, holes asked for twice.

Nothing is stored here (that is `data.fetch`), and no ranges are chosen.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from functools import partial
from typing import Final, TypeVar

from data.errors import UnsupportedRequest
from data.exchange import ExchangeClient
from data.pages import Page, cut_windows, merge_pages, read_page
from data.ranges import Range
from data.venues.base import Instrument, RestCall
from engine.candles import format_time
from engine.timeframe import MINUTE_MS, floor_to_timeframe, get_timeframe_ms

# A hole younger than this may still be filled by the exchange.
SETTLED_AFTER_MS: Final = 10 * MINUTE_MS
Result = TypeVar("Result")


class CandleDownload:
    """Candles of one instrument; `now` is the exchange's time (ms) when the download began."""

    def __init__(
        self,
        exchange: ExchangeClient,
        instrument: Instrument,
        timeframe: str,
        *,
        now: int,
    ) -> None:
        self.page_size = exchange.venue.page_size(instrument, is_limited=exchange.is_rate_limited)
        self._exchange = exchange
        self._instrument = instrument
        self._timeframe = timeframe
        self._step = get_timeframe_ms(timeframe)
        self._now = now

    async def pages(self, ranges: Iterable[Range]) -> AsyncGenerator[Page]:
        """Yield the pages of ranges that end no later than `now`, oldest first.

        Raises:
            ExchangeError: an answer can't be had, or isn't what was asked for.
        """
        # One candle less than a page holds, so that the forming one fits behind the last window.
        windows = cut_windows(ranges, self._timeframe, self.page_size - 1)
        asks = (partial(self._page, window) for window in windows)
        sample = self._call((0, self._step))
        async with aclosing(in_order(asks, self._exchange.in_flight(sample))) as pages:
            async for page in pages:
                yield page

    async def find_first(self, start: int) -> int | None:
        """Return a time from which on there are candles, at most a week before the first.

        It is `start` (ms) itself where history reaches back that far, None where nothing follows.
        """
        try:
            return await self._search_first(start)
        except UnsupportedRequest:
            return start  # a search is only a short cut

    async def has_candles(self, start: int, end: int) -> bool:
        """Tell whether the exchange has any candle that opens at start..end (ms)."""
        return bool(await self._ask_times(start, end, self._timeframe))

    async def is_followed(self, time: int) -> bool:
        """Tell whether the exchange has any candle that opens at a time (ms) or later."""
        return await self.has_candles(time, self._now + self._step)

    def is_settled(self, hole: Range) -> bool:
        """Tell whether a hole is old enough to stay one."""
        return hole[1] <= self._now - SETTLED_AFTER_MS

    async def _search_first(self, start: int) -> int | None:
        if "1w" not in self._exchange.venue.facts.intervals:
            return start
        weeks = await self._ask_times(floor_to_timeframe(start, "1w"), self._now, "1w")
        first = floor_to_timeframe(max(start, weeks[0]), self._timeframe) if weeks else None
        # Weeks only say where to look. That nothing precedes them, however long the time, is
        # one answer of the candles themselves, newest or oldest first.
        before = self._now if first is None else first
        is_earlier = before > start and await self.has_candles(start, before)
        return start if is_earlier else first

    async def _page(self, window: Range) -> Page:
        page = await self._ask(window)
        # A short answer and a halt look alike: what is still missing is asked for by itself
        # until an answer brings nothing more.
        while holes := [hole for hole in page.holes() if self.is_settled(hole)]:
            again = merge_pages(page, await self._ask((holes[0][0], holes[-1][1])))
            if len(again.candles) == len(page.candles):
                break
            page = again
        return page

    async def _ask(self, window: Range) -> Page:
        start, end = window
        is_at_present = end + self._step > self._now
        call = self._call((start, end + self._step if is_at_present else end))
        what = f"candles of {self._instrument.symbol} from {format_time(start)}"
        columns = await self._exchange.ask(call, self._exchange.venue.parse_candles, what)
        return read_page(columns, window, self._timeframe, now=self._now)

    def _call(self, window: Range) -> RestCall:
        return self._exchange.venue.candles_call(
            self._instrument, self._timeframe, *window, limit=self.page_size
        )

    async def _ask_times(self, start: int, end: int, timeframe: str) -> list[int]:
        call = self._exchange.venue.candles_call(
            self._instrument, timeframe, start, end, limit=self.page_size
        )
        what = f"the first candles of {self._instrument.symbol} after {format_time(start)}"
        columns = await self._exchange.ask(call, self._exchange.venue.parse_candles, what)
        return [time for time in columns.timestamp.tolist() if start <= time < end]


async def in_order(
    asks: Iterable[Callable[[], Awaitable[Result]]], in_flight: int
) -> AsyncGenerator[Result]:
    """Yield the results of asynchronous calls in their order, so many of them under way."""
    pending: deque[asyncio.Future[Result]] = deque()
    try:
        for ask in asks:
            pending.append(asyncio.ensure_future(ask()))
            if len(pending) >= in_flight:
                yield await pending.popleft()
        while pending:
            yield await pending.popleft()
    finally:
        for future in pending:
            future.cancel()
        # Their errors, if any, follow from the one that ended this, or nobody waits for them.
        await asyncio.gather(*pending, return_exceptions=True)
