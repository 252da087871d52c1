"""Open interest of live candles: gathered from the stream or asked for, one value a candle.

A candle carries the last value known at its close, as in the store. No sockets, no frames.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol, TypeVar
from zlib import crc32

from data.errors import DataError, ExchangeUnavailable
from data.interest_record import InterestRecord
from data.orderflow import OPEN_INTEREST_STALE_MS
from data.streams.exchange_time import is_credible
from data.streams.tasks import TaskOwner
from data.venues.base import Instrument, TimedValue
from engine.candles import Candle
from engine.timeframe import MINUTE_MS, floor_to_timeframe

logger = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")

# Asked for so long before a close, each symbol at a moment of its own: the answer is there in
# time, and a hundred symbols don't ask at once.
_EARLIEST_ASK_MS: Final = 9_000
_LATEST_ASK_MS: Final = 3_000
_PAST_PATIENCE_S: Final = 10.0
_REMEMBERED_MINUTES: Final = OPEN_INTEREST_STALE_MS // MINUTE_MS + 2


class InterestSource(Protocol):
    """One exchange's open interest over REST."""

    def is_asked_for(self, instrument: Instrument) -> bool:
        """Tell whether the newest value has to be asked for, because no stream tells it."""

    async def newest(self, symbol: str) -> TimedValue:
        """Return the newest value; raises ExchangeError."""

    async def at_closes(self, symbol: str, opens: Sequence[int]) -> list[float | None]:
        """Return what the history knew at the close of each 1m candle; raises ExchangeError."""


class InterestBook:
    """Values as they became known, the last of each minute; tells the one known at a close."""

    def __init__(self) -> None:
        self._minutes: dict[int, TimedValue] = {}  # by the first close that may know it
        self._newest: TimedValue | None = None
        self._is_whole = False

    def observe(self, time_ms: int, value: float) -> None:
        """Take a value of a time (ms)."""
        self._is_whole = True
        self._keep(TimedValue(time_ms, value))

    def confirm(self, time_ms: int) -> None:
        """Take that the value hasn't changed up to a time (ms)."""
        if self._is_whole and self._newest is not None:
            self._keep(TimedValue(time_ms, self._newest.value))

    def interrupt(self) -> None:
        """Note that changes may have been missed: only a value itself counts from here on."""
        self._is_whole = False

    @property
    def newest_ms(self) -> int | None:
        """Return the time of the newest value, None before any."""
        return None if self._newest is None else self._newest.time

    def at_close(self, close_ms: int) -> float | None:
        """Return the last value known at a close (ms); None where it is too old, or none is."""
        known = [minute for minute in self._minutes if minute <= close_ms]
        found = self._minutes[max(known)] if known else None
        is_fresh = found is not None and close_ms - found.time < OPEN_INTEREST_STALE_MS
        return found.value if found is not None and is_fresh else None

    def _keep(self, sample: TimedValue) -> None:
        if self._newest is not None and sample.time < self._newest.time:
            return
        self._newest = sample
        self._minutes[-(-sample.time // MINUTE_MS) * MINUTE_MS] = sample
        while len(self._minutes) > _REMEMBERED_MINUTES:
            del self._minutes[next(iter(self._minutes))]


class SymbolInterest:
    """One symbol's open interest: gathers values, and gives each candle its own for good."""

    def __init__(
        self,
        exchange: str,
        symbol: str,
        source: InterestSource,
        record: InterestRecord,
        *,
        is_asked_for: bool,
        tasks: TaskOwner,
    ) -> None:
        self.symbol = symbol
        self._exchange = exchange
        self._source = source
        self._record = record
        self._is_asked_for = is_asked_for
        self._tasks = tasks
        self._book = InterestBook()
        self._asking: asyncio.Task[None] | None = None
        self._ask_at_ms = 0
        spread = _EARLIEST_ASK_MS - _LATEST_ASK_MS
        self._lead_ms = _LATEST_ASK_MS + crc32(symbol.encode()) % spread
        self._is_missed = False

    @property
    def newest_ms(self) -> int | None:
        """Return the time (ms) of the newest value, None before any."""
        return self._book.newest_ms

    def take(self, value: float | None, time_ms: int) -> None:
        """Take what the stream tells: a value, or None where it is what it was."""
        if value is None:
            self._book.confirm(time_ms)
        else:
            self._book.observe(time_ms, value)

    def interrupt(self) -> None:
        """Note that the stream broke."""
        self._book.interrupt()

    def check(self, now_ms: int) -> None:
        """Ask for the newest value where it is time to, shortly before each close."""
        if not self._is_asked_for or self._asking is not None or now_ms < self._ask_at_ms:
            return
        next_ask = floor_to_timeframe(now_ms, "1m") + MINUTE_MS - self._lead_ms
        self._ask_at_ms = next_ask if next_ask > now_ms else next_ask + MINUTE_MS
        self._asking = self._tasks.spawn(
            f"open interest of {self.symbol}", self._ask(now_ms), self._note_missing
        )

    def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()

    def complete(self, candle: Candle) -> Candle:
        """Return a candle of the stream with the open interest known at its close."""
        value = self._book.at_close(candle.timestamp + MINUTE_MS)
        return self._decide([candle], [value])[0]

    async def complete_past(self, candles: Sequence[Candle]) -> list[Candle]:
        """Return candles that came over REST with the open interest that its history knows.

        What was decided of a candle before stays. Where there is no history, they have none.
        """
        opens = [candle.timestamp for candle in candles]
        decided = self._record.find(self._exchange, self.symbol, opens)
        unknown = [time for time in opens if time not in decided]
        history = dict(zip(unknown, await self._past(unknown), strict=True)) if unknown else {}
        return self._decide(candles, [history.get(time) for time in opens])

    def note_missing(self, problem: str) -> None:
        """Tell in the log, once until it comes again, that open interest can't be had."""
        level = logging.DEBUG if self._is_missed else logging.WARNING
        self._is_missed = True
        logger.log(level, "%s: candles go on without open interest: %s", self.symbol, problem)

    def _decide(self, candles: Sequence[Candle], values: Sequence[float | None]) -> list[Candle]:
        decisions = [(c.timestamp, value) for c, value in zip(candles, values, strict=True)]
        counting = self._record.decide(self._exchange, self.symbol, decisions)
        return [
            replace(candle, open_interest=value)
            for candle, value in zip(candles, counting, strict=True)
        ]

    async def _past(self, opens: Sequence[int]) -> list[float | None]:
        async def ask() -> list[float | None]:
            async with asyncio.timeout(_PAST_PATIENCE_S):
                return await self._source.at_closes(self.symbol, opens)

        values = await self._tried(ask)
        return [None] * len(opens) if values is None else values

    async def _ask(self, now_ms: int) -> None:
        try:
            newest = await self._tried(lambda: self._newest(now_ms))
            if newest is not None:
                self._book.observe(newest.time, newest.value)
        finally:
            self._asking = None

    async def _newest(self, now_ms: int) -> TimedValue:
        newest = await self._source.newest(self.symbol)
        if not is_credible(newest.time, now_ms=now_ms):
            ahead = (newest.time - now_ms) // MINUTE_MS
            raise ExchangeUnavailable(f"the answer's time is {ahead} minutes ahead: left out")
        return newest

    async def _tried(self, ask: Callable[[], Awaitable[_Answer]]) -> _Answer | None:
        try:
            answer = await ask()
        except (DataError, TimeoutError) as error:
            self.note_missing(str(error) or "no answer in time")
            return None
        if self._is_missed:
            logger.info("%s: open interest is back", self.symbol)
        self._is_missed = False
        return answer

    def _note_missing(self, error: Exception) -> None:
        self.note_missing(repr(error))


class LiveInterest:
    """Makes the open interest of symbols of one exchange; `record` keeps what candles carried."""

    def __init__(self, exchange: str, source: InterestSource, record: InterestRecord) -> None:
        self._exchange = exchange
        self._source = source
        self._record = record

    def of(
        self, symbol: str, instrument: Instrument, tasks: TaskOwner, *, is_streamed: bool
    ) -> SymbolInterest | None:
        """Return a symbol's open interest; None where the exchange tells none, as of spot."""
        is_asked_for = self._source.is_asked_for(instrument)
        if not (is_asked_for or is_streamed):
            return None
        return SymbolInterest(
            self._exchange,
            symbol,
            self._source,
            self._record,
            is_asked_for=is_asked_for,
            tasks=tasks,
        )
