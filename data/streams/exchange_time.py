"""The exchange's time, carried on between the moments it is known. The machine's date isn't used.

Only differences of a monotonic clock count, so a machine whose date is wrong changes nothing.
"""

from collections.abc import Callable
from typing import Final

from engine.timeframe import MINUTE_MS

# Nothing bears a time to come: by more than the estimate may be behind, it is an error, and would
# hold back all that follows it.
FURTHEST_AHEAD_MS: Final = 60 * MINUTE_MS


def is_credible(time_ms: int, *, now_ms: int) -> bool:
    """Tell whether the exchange can have put a time on something when its own is `now_ms`."""
    return time_ms <= now_ms + FURTHEST_AHEAD_MS


class ExchangeTime:
    """Estimates the exchange's time (ms): its newest word plus what has passed since."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._heard_ms = 0
        self._heard_at = monotonic()

    def observe(self, time_ms: int) -> None:
        """Take the exchange's time from a frame or an answer that has just come."""
        self._heard_ms = time_ms
        self._heard_at = self._monotonic()

    def observe_passed(self, time_ms: int) -> None:
        """Take a time that it was once, such as that of a trade: it never sets the clock back."""
        at = self._monotonic()
        if time_ms > self._heard_ms + (at - self._heard_at) * 1000.0:
            self._heard_ms = time_ms
            self._heard_at = at

    def now_ms(self) -> int:
        """Return the estimate."""
        return self._heard_ms + int((self._monotonic() - self._heard_at) * 1000.0)
