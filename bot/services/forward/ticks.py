"""Trades as a test looks at them: at once, or kept until the candle before them has closed.

The closing frame of a candle comes up to a second after trades of the next minute. Were those
looked at first, a stop could close a position that the strategy, at that close, still decides on.
"""

from collections.abc import Iterator
from typing import Final

from bot.services.forward.session import ForwardSession
from data.storage.records import StepRecord
from data.streams.events import Tick
from engine.timeframe import MINUTE_MS

_NO_MINUTE: Final = -1


class HeldTicks:
    """Keeps of each minute the trades that reach a new high or low, and the newest of all.

    Those are all that a stop or target can be reached by first, however many trades there were.
    """

    def __init__(self) -> None:
        self._held: list[Tick] = []
        self._newest: Tick | None = None
        self._minute = _NO_MINUTE
        self._low = self._high = 0.0

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, tick: Tick) -> None:
        """Keep a trade; they come in order of time."""
        self._newest = tick
        minute = tick.time_ms // MINUTE_MS
        if minute != self._minute:
            self._minute, self._low, self._high = minute, tick.price, tick.price
        elif self._low <= tick.price <= self._high:
            return
        self._low, self._high = min(self._low, tick.price), max(self._high, tick.price)
        self._held.append(tick)

    def release(self, open_time: int) -> list[Tick]:
        """Return the trades of the minute that opens at a time (ms); forget those before it."""
        end = open_time + MINUTE_MS
        newest = self._newest
        if newest is not None and self._held and newest is not self._held[-1]:
            self._held.append(newest)
        released = [tick for tick in self._held if open_time <= tick.time_ms < end]
        self._held = [tick for tick in self._held if tick.time_ms >= end]
        if not self._held:
            self._newest, self._minute = None, _NO_MINUTE
        return released


class TickWatch:
    """Checks a session's stops and targets against trades, each in the minute it belongs to."""

    def __init__(self, session: ForwardSession) -> None:
        self._session = session
        self._held = HeldTicks()

    def look_at(self, tick: Tick) -> StepRecord | None:
        """Check a trade of the forming minute, keep a later one; None where nothing happened."""
        session, time = self._session, tick.time_ms
        forming = session.forming_open_time
        if time < forming:
            return None  # the candle it belongs to has passed
        if time < forming + MINUTE_MS:
            return session.on_tick(tick.price, time)
        session.see_price(tick.price, time)
        self._held.hold(tick)
        return None

    def look_at_held(self) -> Iterator[StepRecord]:
        """Check the trades that were kept for the minute that forms now; yield what they do."""
        if not self._held:
            return
        for tick in self._held.release(self._session.forming_open_time):
            record = self._session.check_price(tick.price, tick.time_ms)
            if record is not None:
                yield record
