"""What gives candles to the rest of Jesse: from history, or as they close. No exchange here."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable

from engine.candles import Candle, CandleSeries

OnCandle = Callable[[Candle], Awaitable[None] | None]


class DataProvider(ABC):
    """A source of candles; times are ms UTC, `start` is included and `end` is not."""

    @abstractmethod
    async def get_historical_candles(
        self, symbol: str, timeframe: str, start: int, end: int
    ) -> CandleSeries:
        """Return the closed candles that open at start..end.

        Raises:
            DataError: there are none, or they can't be had.
        """

    @abstractmethod
    async def subscribe(self, symbol: str, timeframe: str, on_candle: OnCandle) -> None:
        """Call `on_candle` with each candle that closes from now on."""

    @abstractmethod
    async def unsubscribe(self, symbol: str, timeframe: str) -> None:
        """Stop the calls of `subscribe`."""
