"""Market time: a clock that runs at a chosen speed, and one that is moved by hand.

All times are ms since 1970, UTC. Nothing else in the simulator asks the machine for the time
of the market.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from data.simulator.errors import MarketTimeError

Reach = Callable[[int], None]
Listener = Callable[[int, int, Reach], Awaitable[None]]


class MarketClock(Protocol):
    """Tell the market's time."""

    @property
    def speed(self) -> float:
        """Return market seconds per real second; 0 for a clock moved by hand."""

    def now_ms(self) -> int:
        """Return the market time in ms."""


class SimulatorClock:
    """Run from `start_ms` (now, if not given) at `speed` market seconds per real second."""

    def __init__(
        self,
        start_ms: int | None = None,
        speed: float = 1.0,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not speed > 0:
            raise MarketTimeError(f"speed {speed} must be above 0")
        self._start_ms = time.time_ns() // 1_000_000 if start_ms is None else start_ms
        self._speed = speed
        self._monotonic = monotonic
        self._started = monotonic()

    @property
    def speed(self) -> float:
        """Return market seconds per real second."""
        return self._speed

    def now_ms(self) -> int:
        """Return the market time in ms."""
        elapsed = self._monotonic() - self._started
        return self._start_ms + int(elapsed * self._speed * 1000.0)


class SteppedClock:
    """Stand still until `advance_to` is awaited; an exchange sends its frames meanwhile."""

    def __init__(self, start_ms: int) -> None:
        self._now_ms = start_ms
        self._listener: Listener | None = None

    @property
    def speed(self) -> float:
        """Return 0: this clock does not run by itself."""
        return 0.0

    def now_ms(self) -> int:
        """Return the market time in ms."""
        return self._now_ms

    def attach(self, listener: Listener) -> None:
        """Have `listener` deliver each passed interval; a clock serves one exchange."""
        if self._listener is not None:
            raise MarketTimeError("this clock already moves an exchange; make a clock for each")
        self._listener = listener

    def detach(self) -> None:
        """Forget the listener."""
        self._listener = None

    async def advance_to(self, time_ms: int) -> None:
        """Move to `time_ms`; returns when every frame on the way has been sent.

        While a frame is on its way, `now_ms` is that frame's time.
        """
        if time_ms < self._now_ms:
            raise MarketTimeError(f"{time_ms} is before the clock's {self._now_ms}")
        if self._listener is not None:
            await self._listener(self._now_ms, time_ms, self._reach)
        self._reach(time_ms)

    def _reach(self, time_ms: int) -> None:
        self._now_ms = max(self._now_ms, time_ms)
