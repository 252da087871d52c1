"""Open interest over REST, as a historical provider's exchange tells it. No stream, no state."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from data.errors import UnsupportedRequest
from data.flow_download import fetch_open_interest
from data.historical import HistoricalDataProvider
from data.retry import RetryPolicy
from data.venues.base import Instrument, TimedValue, Venue
from engine.timeframe import MINUTE_MS

# Asked again at the next close anyway.
_ONCE: Final = RetryPolicy(tries=1)


class ExchangeInterest:
    """The open interest of one exchange; an answer that fails is not asked for again at once."""

    def __init__(self, provider: HistoricalDataProvider, venue: Venue) -> None:
        self._provider = provider
        self._venue = venue

    def is_asked_for(self, instrument: Instrument) -> bool:
        """Tell whether the newest value has to be asked for, because no stream tells it."""
        return self._venue.newest_open_interest_call(instrument) is not None

    async def newest(self, symbol: str) -> TimedValue:
        """Return the newest value.

        Raises:
            ExchangeError: the exchange can't be asked, or has none.
        """
        exchange = await self._provider.exchange()
        call = self._venue.newest_open_interest_call(await exchange.instrument(symbol))
        if call is None:
            raise UnsupportedRequest(f"{exchange.name} tells no open interest of {symbol}")
        what = f"the open interest of {symbol}"
        return await exchange.ask(call, self._venue.parse_newest_open_interest, what, policy=_ONCE)

    async def at_closes(self, symbol: str, opens: Sequence[int]) -> list[float | None]:
        """Return what the history knew at the close of each 1m candle, None where nothing.

        Raises:
            ExchangeError: the exchange can't be asked.
        """
        exchange = await self._provider.exchange()
        instrument = await exchange.instrument(symbol)
        closes = np.array(opens, dtype=np.int64) + MINUTE_MS
        now = await exchange.now(instrument.kind)
        known = await fetch_open_interest(exchange, instrument, closes, now=now)
        return [None if value != value else value for value in known.tolist()]
