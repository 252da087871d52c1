"""What an exchange lets pass, shared by all clients of a process: it counts by address, not by us.

Clients live in threads and event loops of their own, so buckets are handed out under a lock.
"""

import threading
from collections.abc import Mapping
from typing import Final

from data.retry import OpenBucket, Timing, WeightBucket
from data.venues.base import VenueFacts, WeightLimit

# Of a documented limit, so that other programs at the same address still fit.
_USED_SHARE: Final = 0.9
_BURST_SHARE: Final = 0.05


class RateLimits:
    """The buckets of each exchange, made when first asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, str, bool, Timing], WeightBucket] = {}

    def of(
        self, exchange: str, facts: VenueFacts, timing: Timing, *, is_limited: bool
    ) -> Mapping[str, WeightBucket]:
        """Return the buckets of an exchange's pools; only clients of the same time share them."""
        with self._lock:
            return {
                pool: self._buckets.setdefault(
                    (exchange, pool, is_limited, timing),
                    _bucket(limit, timing) if is_limited else OpenBucket(timing),
                )
                for pool, limit in facts.limits.items()
            }


def usable_per_second(limit: WeightLimit) -> float:
    """Return the weight that we use of a limit, per second."""
    return _USED_SHARE * limit.weight / limit.seconds


def _bucket(limit: WeightLimit, timing: Timing) -> WeightBucket:
    return WeightBucket(usable_per_second(limit), _BURST_SHARE * limit.weight, timing)
