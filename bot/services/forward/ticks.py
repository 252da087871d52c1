"""Trades that came before the candle they follow: kept until that candle closes. No engine here.

The closing frame of a candle comes up to a second after trades of the next minute. Were those
looked at first, a stop could close a position that the strategy, at that close, still decides on.
"""

from typing import Final

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
