"""What some exchanges leave to the reader: when a candle is closed, and its taker volume. No I/O.

Hyperliquid never says that a candle is closed; Bybit and Hyperliquid send no taker volume.
"""

import math
from dataclasses import replace
from typing import Final

from data.venues.base_stream import BUY, StreamTrade
from engine.candles import Candle
from engine.timeframe import MINUTE_MS

_SAME_VOLUME: Final = 1e-6
_REMEMBERED_MINUTES: Final = 4


class StateCloser:
    """Closes candles that come as states only: when a later one begins, or by the clock."""

    def __init__(self) -> None:
        self._forming: Candle | None = None

    def update(self, candle: Candle) -> list[Candle]:
        """Take a candle's newest state; return the candle that this shows to be closed.

        A state of an earlier candle than the forming one is returned at once: it is late.
        """
        forming = self._forming
        if forming is not None and candle.timestamp < forming.timestamp:
            return [candle]
        self._forming = candle
        return [forming] if forming and candle.timestamp > forming.timestamp else []

    def is_due(self, time_ms: int) -> bool:
        """Tell whether the forming candle's minute was over at this exchange time."""
        return self._forming is not None and self._forming.timestamp + MINUTE_MS <= time_ms

    def close(self) -> list[Candle]:
        """Return the forming candle, if there is one, as closed."""
        forming, self._forming = self._forming, None
        return [] if forming is None else [forming]

    def forget(self) -> None:
        """Drop the state: the connection broke, and what came last may not be the end of it."""
        self._forming = None


class TradeTally:
    """Adds up trades per minute: bought minus sold is a candle's volume delta.

    It counts only where the trades make up the candle's volume. Elsewhere the delta is what the
    store has for such exchanges, too: the volume in the candle's direction.
    """

    def __init__(self) -> None:
        self._minutes: dict[int, list[float]] = {}  # open time -> bought, sold

    def add(self, trade: StreamTrade) -> None:
        """Count a trade."""
        open_time = trade.time_ms - trade.time_ms % MINUTE_MS
        totals = self._minutes.get(open_time)
        if totals is None:
            totals = self._minutes[open_time] = [0.0, 0.0]
            if len(self._minutes) > _REMEMBERED_MINUTES:
                del self._minutes[min(self._minutes)]
        totals[trade.taker_side != BUY] += trade.quantity

    def complete(self, candle: Candle) -> Candle:
        """Return the candle with its volume delta."""
        if candle.volume_delta is not None:
            return candle
        bought, sold = self._minutes.get(candle.timestamp, (0.0, 0.0))
        if math.isclose(bought + sold, candle.volume, rel_tol=_SAME_VOLUME):
            return replace(candle, volume_delta=bought - sold)
        direction = (candle.close > candle.open) - (candle.close < candle.open)
        return replace(candle, volume_delta=direction * candle.volume)
