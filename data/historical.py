"""Historical candles: the cache first, the exchange for what is missing. No live candles here."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from data.cache import CandleStore, SeriesKey
from data.errors import DataError, UnsupportedRequest
from data.exchange import ExchangeClient, ExchangeSettings, normalize_symbol, open_exchange
from data.fetch import CandleFetch, FetchSummary, OnProgress
from data.fetch import FetchProgress as FetchProgress
from data.flow_download import add_open_interest, update_funding
from data.funding import FundingStore
from data.provider import DataProvider, OnCandle
from data.ranges import Range
from data.venues.base import Instrument, MarketKind
from data.venues.catalog import find_venue
from engine.candles import CandleSeries
from engine.timeframe import DAY_MS, get_timeframe_ms

logger = logging.getLogger(__name__)

OpenExchange = Callable[[ExchangeSettings], AbstractAsyncContextManager[ExchangeClient]]

_YEAR_MS: Final = 365 * DAY_MS


class HistoricalDataProvider(DataProvider):
    """Candles of one exchange, kept in a store; use it with `async with`.

    The exchange is contacted only for what the store doesn't have. With `funding_root` the
    funding rates of perpetuals are kept there, too. `opener` opens the exchange.
    """

    def __init__(
        self,
        store: CandleStore,
        settings: ExchangeSettings,
        *,
        funding_root: Path | None = None,
        opener: OpenExchange = open_exchange,
    ) -> None:
        self._store = store
        self._settings = settings
        self._funding = FundingStore(funding_root) if funding_root else None
        self._opener = opener
        self._resources = AsyncExitStack()
        self._exchange: ExchangeClient | None = None
        self._opening = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the exchange, if it was opened; it opens again when needed."""
        self._exchange = None
        await self._resources.aclose()

    async def now(self) -> int:
        """Return the exchange's time in ms."""
        return await (await self.exchange()).now()

    async def exchange(self) -> ExchangeClient:
        """Return the open exchange.

        Raises:
            MissingCredentials: it needs API_KEY and API_SECRET.
        """
        async with self._opening:
            if self._exchange is None:
                opened = self._opener(self._settings)
                self._exchange = await self._resources.enter_async_context(opened)
        return self._exchange

    async def get_historical_candles(
        self, symbol: str, timeframe: str, start: int, end: int
    ) -> CandleSeries:
        """Return the closed candles that open at start..end (ms), fetched where missing.

        Raises:
            NoCandles: the exchange has none there, either.
            ExchangeError: the exchange is needed and can't be asked.
        """
        name = self._settings.name
        key = SeriesKey(name, normalize_symbol(symbol, name), timeframe)
        await self.complete(key, start, end)
        return await asyncio.to_thread(self._store.read, key, start, end)

    async def complete(
        self, key: SeriesKey, start: int, end: int, *, on_progress: OnProgress | None = None
    ) -> FetchSummary:
        """Fetch what the store lacks of start..end (ms, end excluded), closed candles only.

        Raises:
            ExchangeError: the exchange can't be asked; what was fetched before is stored.
            StoreError: the candles can't be stored.
        """
        self._check(key)
        missing = await asyncio.to_thread(self._store.missing_ranges, key, start, end)
        if not missing:
            return FetchSummary()
        exchange = await self.exchange()
        requests_before = exchange.requests
        instrument = await exchange.instrument(key.symbol)
        now = await exchange.now(instrument.kind)
        fetch = CandleFetch(
            self._store, key, exchange, instrument, now=now, on_progress=on_progress
        )
        fetched = await fetch.run(missing)
        notices = [*fetch.notices]
        if fetched:
            notices += await self._add_flow(key, exchange, instrument, fetched, now)
        return FetchSummary(
            fetched=fetch.added,
            first=fetch.first,
            last=fetch.last,
            requests=exchange.requests - requests_before,
            gaps=tuple(fetch.gaps),
            notices=tuple(notices),
        )

    async def top_up(
        self, key: SeriesKey, *, years: float = 4, on_progress: OnProgress | None = None
    ) -> FetchSummary:
        """Fetch from the last stored candle to now, or the last years where nothing is stored.

        Raises:
            ExchangeError: the exchange can't be asked; what was fetched before is stored.
        """
        self._check(key)
        coverage = await asyncio.to_thread(self._store.coverage, key)
        now = await self.now()
        start = coverage.last if coverage else now - int(years * _YEAR_MS)
        return await self.complete(key, start, now, on_progress=on_progress)

    async def subscribe(self, symbol: str, timeframe: str, on_candle: OnCandle) -> None:
        """Raise UnsupportedRequest: this provider knows the past only."""
        raise UnsupportedRequest(_LIVE_ELSEWHERE)

    async def unsubscribe(self, symbol: str, timeframe: str) -> None:
        """Raise UnsupportedRequest: this provider knows the past only."""
        raise UnsupportedRequest(_LIVE_ELSEWHERE)

    def _check(self, key: SeriesKey) -> None:
        if key.exchange != self._settings.name:
            raise UnsupportedRequest(
                f"{key} can't be fetched from {self._settings.name}: set EXCHANGE={key.exchange}"
            )
        offered = find_venue(key.exchange).facts.intervals
        if key.timeframe not in offered:
            raise UnsupportedRequest(
                f"{key.exchange} has no {key.timeframe} candles: fetch a finer timeframe of"
                f" {', '.join(offered)}, coarser ones are made from it"
            )

    async def _add_flow(
        self,
        key: SeriesKey,
        exchange: ExchangeClient,
        instrument: Instrument,
        fetched: list[Range],
        now: int,
    ) -> list[str]:
        """Add open interest and funding; what fails costs no candles, and is told."""
        notices = []
        try:
            await add_open_interest(self._store, key, exchange, instrument, fetched, now=now)
        except DataError as error:
            notices.append(f"candles are stored without open interest: {error}")
        try:
            await self._update_funding(key, exchange, instrument, now)
        except DataError as error:
            notices.append(f"funding rates are missing: {error}")
        for notice in notices:
            logger.warning("%s: %s", key, notice)
        return notices

    async def _update_funding(
        self, key: SeriesKey, exchange: ExchangeClient, instrument: Instrument, now: int
    ) -> None:
        coverage = await asyncio.to_thread(self._store.coverage, key)
        if self._funding is None or instrument.kind is MarketKind.SPOT or coverage is None:
            return
        asked = (coverage.first, coverage.last + get_timeframe_ms(key.timeframe))
        await update_funding(self._funding, key.symbol, exchange, instrument, asked, now=now)


_LIVE_ELSEWHERE: Final = (
    "historical data has no live candles: subscribe with the live provider (data.live)"
)
