"""Funding rates while a test trades: asked for when one is due, known before its candle passes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise
from typing import Final, Protocol

from data.errors import ExchangeError
from engine.timeframe import MINUTE_MS

log = logging.getLogger(__name__)

Rates = list[tuple[int, float]]

_USUAL_INTERVAL_MS: Final = 480 * MINUTE_MS
_TRIES: Final = 4
_PAUSE_S: Final = 0.5
_GIVE_UP_MS: Final = 60 * MINUTE_MS


class RateSource(Protocol):
    """Tells funding rates; the history of forward tests is one."""

    async def rates(self, symbol: str, start: int, end: int) -> Rates | None:
        """Return the rates at start..end (ms, end excluded), None where no funding is paid."""


class FundingWatch:
    """Asks for a symbol's rates when they are due; `known` are those of the last days.

    `since` (ms) is the time up to which nothing is owed any more.
    """

    def __init__(
        self,
        symbol: str,
        source: RateSource,
        *,
        known: Sequence[tuple[int, float]],
        since: int,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._symbol = symbol
        self._source = source
        self._sleep = sleep
        times = [time for time, _ in known]
        gaps = [later - earlier for earlier, later in pairwise(times)]
        self._interval = min(gaps, default=_USUAL_INTERVAL_MS)
        self._settled = since
        self._next_due = self._first_after(since)
        self._is_paid = True

    def is_due(self, close_time: int) -> bool:
        """Tell whether a rate may be paid at a close (ms)."""
        return self._is_paid and close_time >= self._next_due

    def pass_over(self, close_time: int) -> None:
        """Note that nothing is owed up to a close (ms): no position was open."""
        self._settled = close_time
        self._next_due = self._first_after(close_time)

    async def due(self, close_time: int) -> Rates:
        """Return the rates up to a close (ms) that were not returned before.

        One that should be there and isn't is waited for a moment, and asked for at later closes.
        """
        is_first_time = close_time - self._next_due < MINUTE_MS
        for attempt in range(_TRIES if is_first_time else 1):
            if attempt:
                await self._sleep(_PAUSE_S)
            found = await self._ask(close_time)
            if found or not self._is_paid:
                self.pass_over(found[-1][0] if found else close_time)
                return found
        if close_time - self._next_due >= _GIVE_UP_MS:
            log.warning("%s: no funding rate came for %d", self._symbol, self._next_due)
            self.pass_over(close_time)
        return []

    async def _ask(self, close_time: int) -> Rates:
        try:
            rates = await self._source.rates(self._symbol, self._settled + 1, close_time + 1)
        except ExchangeError as error:
            log.warning("%s: funding rates can't be asked for: %s", self._symbol, error)
            return []
        self._is_paid = rates is not None
        return rates or []

    def _first_after(self, time: int) -> int:
        """Exchanges settle at multiples of the interval since midnight UTC."""
        return (time // self._interval + 1) * self._interval
