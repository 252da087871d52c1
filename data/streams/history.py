"""What live streams need from REST: the time, what a symbol is, and closed candles. No sockets."""

from collections.abc import Sequence
from contextlib import aclosing
from typing import Protocol

import numpy as np

from data.download import CandleDownload
from data.exchange import ExchangeClient
from data.historical import HistoricalDataProvider
from data.orderflow import approximate_volume_delta
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
        return _join([part for part in found if len(part)], exchange)

    async def get_historical_candles(
        self, symbol: str, timeframe: str, start: int, end: int
    ) -> CandleSeries:
        """Return stored or fetched candles."""
        return await self._provider.get_historical_candles(symbol, timeframe, start, end)


def _join(parts: Sequence[CandleSeries], exchange: ExchangeClient) -> CandleSeries:
    if not parts:
        return CandleSeries.empty("1m")
    has_delta = exchange.venue.facts.has_taker_volume
    names = ("timestamp", *PRICE_COLUMNS, *(("volume_delta",) if has_delta else ()))
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    if not has_delta:
        columns["volume_delta"] = approximate_volume_delta(
            columns["open"], columns["close"], columns["volume"]
        )
    return CandleSeries("1m", **columns)


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
