"""The candles that a forward test looks back on, and those it missed: cache and exchange.

Where a candle was seen live, it comes with the open interest that it carried then.
"""

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Final

import numpy as np

from bot.services.forward.funding import Rates
from data.cache import CandleStore, SeriesKey
from data.exchange import ExchangeClient
from data.funding import FundingHistory, FundingStore
from data.funding_download import download_funding
from data.historical import HistoricalDataProvider
from data.interest_record import InterestRecord
from data.ranges import Range
from data.venues.base import Instrument
from engine.candles import CandleSeries
from engine.errors import InvalidRun
from engine.strategy import Strategy
from engine.timeframe import DAY_MS, MINUTE_MS, get_timeframe_ms

# Enough for the longest usual average on the coarsest timeframe, and not a download of hours.
_WARM_UP_CANDLES: Final = 500
_SHORTEST_WARM_UP_MS: Final = 30 * DAY_MS
# What the exchange tells of so recent a time may still change or be added to.
_UNSETTLED_MS: Final = 180 * MINUTE_MS


class ForwardHistory:
    """One-minute candles of one exchange for forward tests; fetched where the cache lacks them."""

    def __init__(
        self,
        store: CandleStore,
        provider: HistoricalDataProvider,
        exchange: str,
        funding: Path,
        interest: InterestRecord,
    ) -> None:
        self._store = store
        self._provider = provider
        self._exchange = exchange
        self._funding = FundingStore(funding)
        self._interest = interest
        self._asking: dict[str, asyncio.Lock] = {}
        self._told: dict[str, tuple[Range, FundingHistory]] = {}

    async def fetch_warm_up(self, symbol: str, strategy: type[Strategy], started_at: int) -> int:
        """Make sure that a test has candles to look back on; return the first one's open time.

        Raises:
            InvalidRun: the exchange has no candle before the start.
        """
        longest = max(get_timeframe_ms(timeframe) for timeframe in strategy.timeframes)
        wanted = max(_SHORTEST_WARM_UP_MS, _WARM_UP_CANDLES * longest)
        first = started_at - min(wanted, strategy.history_ms)
        await self._provider.complete(self._key(symbol), first, started_at)
        earliest = started_at - strategy.history_ms
        candles = await asyncio.to_thread(
            self._store.read, self._key(symbol), earliest, started_at, columns=("close",)
        )
        if not len(candles):
            raise InvalidRun(f"{symbol} has no candles yet: it can't be traded")
        return int(candles.timestamp[0])

    async def read(self, symbol: str, start: int, end: int) -> CandleSeries:
        """Return the closed candles that open at start..end (ms), fetched where missing.

        The newest minutes come from the exchange even where it is not sure yet that they are final.
        """
        key = self._key(symbol)
        await self._provider.complete(key, start, end)
        return await asyncio.to_thread(self._read, key, start, end)

    def known_rates(self, symbol: str, start: int, end: int) -> Rates:
        """Return the stored funding times at start..end (ms, end excluded), and their rates."""
        return _pairs(self._funding.read(self._exchange, symbol).between(start, end))

    async def rates(self, symbol: str, start: int, end: int) -> Rates | None:
        """Return the funding rates at start..end (ms, end excluded), None where none are paid.

        The store has them only when they are sure to be final; the exchange is asked for the rest,
        once for all tests of a symbol.

        Raises:
            ExchangeError: the exchange can't be asked.
        """
        if start >= end:
            return []
        exchange = await self._provider.exchange()
        instrument = await exchange.instrument(symbol)
        if exchange.venue.funding_history(instrument) is None:
            return None
        async with self._asking.setdefault(symbol, asyncio.Lock()):
            asked, told = self._told.get(symbol, ((0, 0), FundingHistory.empty()))
            if not (asked[0] <= start and end <= asked[1] and len(told.between(start, end))):
                told = await _download(exchange, instrument, (start, end))
                self._told[symbol] = (start, end), told
        return _pairs(told.between(start, end))

    def _read(self, key: SeriesKey, start: int, end: int) -> CandleSeries:
        """Read candles as a test saw them, or sees them now: the next reader gets the same."""
        candles = self._store.read(key, start, end)
        if candles.open_interest is not None:
            newest = candles.between(int(candles.timestamp[-1]) - _UNSETTLED_MS, None)
            assert newest.open_interest is not None
            self._interest.decide(
                key.exchange,
                key.symbol,
                list(zip(newest.timestamp.tolist(), newest.open_interest.tolist(), strict=True)),
            )
        return self._interest.apply(key.exchange, key.symbol, candles)

    def _key(self, symbol: str) -> SeriesKey:
        return SeriesKey(self._exchange, symbol, "1m")


async def _download(
    exchange: ExchangeClient, instrument: Instrument, wanted: Range
) -> FundingHistory:
    # A rate is stamped some milliseconds after its time.
    start, end = wanted
    async with aclosing(
        download_funding(exchange, instrument, [(start, end + MINUTE_MS)])
    ) as pages:
        found = [rates async for _, rates in pages]
    return FundingHistory.of(
        np.concatenate([part.time for part in found]), np.concatenate([p.rate for p in found])
    ).between(start, end)


def _pairs(history: FundingHistory) -> Rates:
    return list(zip(history.time.tolist(), history.rate.tolist(), strict=True))
