"""The exchange's time, carried on between the moments it is known. The machine's date isn't used.

Only differences of a monotonic clock count, so a machine whose date is wrong changes nothing.
"""

from collections.abc import Callable


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
