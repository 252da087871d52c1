"""The candles that a forward test looks back on, and those it missed: cache and exchange."""

import asyncio
from pathlib import Path
from typing import Final

from data.cache import CandleStore, SeriesKey
from data.funding import FundingStore
from data.historical import HistoricalDataProvider
from engine.candles import CandleSeries
from engine.errors import InvalidRun
from engine.strategy import Strategy
from engine.timeframe import DAY_MS, MINUTE_MS, get_timeframe_ms

# Enough for the longest usual average on the coarsest timeframe, and not a download of hours.
_WARM_UP_CANDLES: Final = 500
_SHORTEST_WARM_UP_MS: Final = 30 * DAY_MS


class ForwardHistory:
    """One-minute candles of one exchange for forward tests; fetched where the cache lacks them."""

    def __init__(
        self, store: CandleStore, provider: HistoricalDataProvider, exchange: str, funding: Path
    ) -> None:
        self._store = store
        self._provider = provider
        self._exchange = exchange
        self._funding = FundingStore(funding)

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
        return await asyncio.to_thread(self._store.read, key, start, end)

    def funding(self, symbol: str, after: int) -> list[tuple[int, float]]:
        """Return the known funding times (ms) after a moment, and their rates."""
        history = self._funding.read(self._exchange, symbol)
        return [
            (time, rate)
            for time, rate in zip(history.time.tolist(), history.rate.tolist(), strict=True)
            if time > after - MINUTE_MS
        ]

    def _key(self, symbol: str) -> SeriesKey:
        return SeriesKey(self._exchange, symbol, "1m")
