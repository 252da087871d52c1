"""When a lane asks REST though no gap shows: a candle is late, or some may have been corrected.

No sockets, no listeners.
"""

from data.retry import Timing
from data.streams.lane import Lane
from data.streams.policy import StreamPolicy
from engine.timeframe import MINUTE_MS, floor_to_timeframe


class OverdueWatch:
    """Has a lane ask for what is late, less and less often, and now and then for corrections."""

    def __init__(self, lane: Lane, *, begins: int, timing: Timing, policy: StreamPolicy) -> None:
        self._lane = lane
        self._timing = timing
        self._policy = policy
        self._asked = 0
        self._ask_again_at = 0.0
        self._recheck_at_ms = begins + policy.recheck_ms

    def check(self, now_ms: int) -> None:
        """Have the lane ask where it is time to at an exchange time."""
        late_ms = now_ms - self._lane.next_open - MINUTE_MS
        if late_ms < self._policy.overdue_ms:
            self._asked = 0
        elif self._timing.monotonic() >= self._ask_again_at and not self._lane.is_filling:
            self._asked += 1
            delay = self._policy.refetch.delay_s(min(self._asked, 32), 1.0)
            self._ask_again_at = self._timing.monotonic() + delay
            self._lane.fill_until(floor_to_timeframe(now_ms, "1m"))
        if now_ms >= self._recheck_at_ms:
            self._recheck_at_ms = now_ms + self._policy.recheck_ms
            self._lane.recheck()

    def note_delivery(self) -> None:
        """Note that a candle came: the next that is late is asked for at the first pace."""
        self._asked = 0
