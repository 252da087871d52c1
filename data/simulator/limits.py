"""Request weights and their limit per minute, as Binance USD-M counts them.

The limit counts real minutes, whatever the market's speed.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

WEIGHT_PER_MINUTE = 2400

_KLINE_WEIGHTS = ((100, 1), (500, 2), (1001, 5))  # (limit below, weight); 10 above
_FLAT_WEIGHTS = {"/fapi/v1/fundingRate": 0, "/futures/data/openInterestHist": 0}
_ALL_SYMBOLS_WEIGHTS = {"/fapi/v1/premiumIndex": 10, "/fapi/v1/ticker/24hr": 40}


@dataclass(frozen=True, slots=True)
class Admission:
    """Tell whether a request may pass, the weight used so far, and how long to wait if not."""

    allowed: bool
    used_weight: int
    retry_after_s: int


def request_weight(path: str, query: Mapping[str, str]) -> int:
    """Return the weight of one request."""
    if path == "/fapi/v1/klines":
        text = query.get("limit", "500")
        limit = int(text) if text.isdecimal() else 500
        return next((weight for below, weight in _KLINE_WEIGHTS if limit < below), 10)
    if path in _ALL_SYMBOLS_WEIGHTS and "symbol" not in query:
        return _ALL_SYMBOLS_WEIGHTS[path]
    return _FLAT_WEIGHTS.get(path, 1)


class WeightLimit:
    """Count request weights by the minute."""

    def __init__(
        self,
        limit: int = WEIGHT_PER_MINUTE,
        *,
        enforced: bool = True,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = limit
        self._enforced = enforced
        self._monotonic = monotonic
        self._minute = -1
        self._used = 0

    def admit(self, weight: int) -> Admission:
        """Count a request, and tell whether it may pass."""
        now = self._monotonic()
        minute = int(now // 60)
        if minute != self._minute:
            self._minute, self._used = minute, 0
        self._used += weight
        allowed = not self._enforced or self._used <= self._limit
        wait = 0 if allowed else max(1, int((minute + 1) * 60 - now) + 1)
        return Admission(allowed, self._used, wait)
