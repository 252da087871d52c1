"""What live streams need from REST: the time, what a symbol is, and closed candles. No sockets."""

from contextlib import aclosing
from typing import Protocol

from data.download import CandleDownload
from data.historical import HistoricalDataProvider
from data.pages import join_candles
from data.venues.base import Instrument
from engine.candles import PRICE_COLUMNS, Candle, CandleSeries
from engine.timeframe import floor_to_timeframe


class CandleHistory(Protocol):
    """One exchange's past, up to the candle that closed last."""

    async def now(self) -> int:
        """Return the exchange's time in ms."""

    async def instrument(self, symbol: str) -> Instrument:
        """Return what is listed under a symbol; raises UnknownSymbol."""

    async def fetch(self, symbol: str, start: int, end: int) -> CandleSeries:
        """Return the closed 1m candles that open at start..end (ms, end excluded), maybe none."""

    async def get_historical_candles(
        self, symbol: str, timeframe: str, start: int, end: int
    ) -> CandleSeries:
        """Return stored or fetched candles, as `DataProvider` does."""


class ExchangeHistory:
    """The past as a historical provider's exchange tells it; what fills gaps isn't stored.

    The store gets those candles when it is next topped up, checked and whole.
    """

    def __init__(self, provider: HistoricalDataProvider) -> None:
        self._provider = provider

    async def now(self) -> int:
        """Return the exchange's time in ms."""
        return await self._provider.now()

    async def instrument(self, symbol: str) -> Instrument:
        """Return what is listed under a symbol."""
        exchange = await self._provider.exchange()
        return await exchange.instrument(symbol)

    async def fetch(self, symbol: str, start: int, end: int) -> CandleSeries:
        """Return the closed 1m candles that open at start..end (ms, end excluded), maybe none."""
        exchange = await self._provider.exchange()
        instrument = await exchange.instrument(symbol)
        now = await exchange.now(instrument.kind)
        stop = min(end, floor_to_timeframe(now, "1m"))
        if start >= stop:
            return CandleSeries.empty("1m")
        download = CandleDownload(exchange, instrument, "1m", now=now)
        async with aclosing(download.pages([(start, stop)])) as pages:
            found = [page.candles async for page in pages]
        has_taker_volume = exchange.venue.facts.has_taker_volume
        return join_candles(found, "1m", has_taker_volume=has_taker_volume)

    async def get_historical_candles(
        self, symbol: str, timeframe: str, start: int, end: int
    ) -> CandleSeries:
        """Return stored or fetched candles."""
        return await self._provider.get_historical_candles(symbol, timeframe, start, end)


def as_candles(series: CandleSeries) -> list[Candle]:
    """Return a series as single candles, in a fraction of the time that iterating takes."""
    flow = [
        [None] * len(series) if column is None else _known(column.tolist())
        for column in (series.open_interest, series.volume_delta)
    ]
    prices = [getattr(series, name).tolist() for name in PRICE_COLUMNS]
    return [Candle(*row) for row in zip(series.timestamp.tolist(), *prices, *flow, strict=True)]


def _known(values: list[float]) -> list[float | None]:
    return [None if value != value else value for value in values]
