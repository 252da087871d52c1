"""The sandbox's time: the machine's, or one that a test moves by hand. Nothing here sleeps."""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where the sandbox's deadlines come from; times are seconds since 1970, UTC."""

    def now(self) -> float:
        """Return the time in seconds since 1970."""
        ...

    def call_at(self, when: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back once `when` is reached and return a function that cancels this."""
        ...


class SystemClock:
    """The machine's clock; timers run on the event loop."""

    def now(self) -> float:
        """Return the time in seconds since 1970."""
        return time.time()

    def call_at(self, when: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back once `when` is reached and return a function that cancels this."""
        handle = asyncio.get_running_loop().call_later(max(0.0, when - self.now()), callback)
        return handle.cancel


class ManualClock:
    """A clock that stands still until a test advances it.

    It starts at the machine's time unless told otherwise, because discord.py compares the ids of
    interactions with the machine's time.
    """

    def __init__(self, start: float | None = None) -> None:
        self._now = time.time() if start is None else start
        self._order = itertools.count()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._cancelled: set[int] = set()

    def now(self) -> float:
        """Return the time in seconds since 1970."""
        return self._now

    def call_at(self, when: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back once `when` is reached and return a function that cancels this."""
        number = next(self._order)
        heapq.heappush(self._timers, (when, number, callback))
        return lambda: self._cancelled.add(number)

    def advance(self, seconds: float) -> None:
        """Move the clock forward by `seconds` and fire the timers on the way, in order."""
        target = self._now + seconds
        while self._timers and self._timers[0][0] <= target:
            when, number, callback = heapq.heappop(self._timers)
            if number in self._cancelled:
                self._cancelled.discard(number)
                continue
            self._now = max(self._now, when)
            callback()
        self._now = target


def iso(timestamp: float) -> str:
    """Return a time in seconds as Discord writes it in JSON."""
    return datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="microseconds")
