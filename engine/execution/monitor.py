"""Stops and targets: when a candle reaches them, and which of the two counts. No bookkeeping."""

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from engine.columns import Columns
from engine.frames import NEVER
from engine.orders import ExitReason, Position, Side

_FIRST_CHUNK: Final = 256
_LARGEST_CHUNK: Final = 65_536
_BLOCK: Final = 256
_ACCOUNT: Final = 0


@dataclass(frozen=True, slots=True)
class Exit:
    """How a candle closes a position: `price` is the level or the open, before slippage."""

    reason: ExitReason
    price: float
    ambiguous: bool = False


def decide_exit(position: Position, open_price: float, high: float, low: float) -> Exit | None:
    """Return how a base candle closes a position, None where it reaches neither level.

    A candle that opens at or beyond a level fills at its open. A candle that reaches both leaves
    open which came first: we assume the stop was hit first and mark the trade ambiguous.
    """
    sign = position.side.sign
    stop, target = position.stop_loss, position.take_profit
    if stop is not None and sign * (open_price - stop) <= 0:
        return Exit(ExitReason.STOP_LOSS, open_price)
    if target is not None and sign * (open_price - target) >= 0:
        return Exit(ExitReason.TAKE_PROFIT, open_price)
    worst, best = (low, high) if position.side is Side.LONG else (high, low)
    target_hit = target is not None and sign * (best - target) >= 0
    if stop is not None and sign * (worst - stop) <= 0:
        return Exit(ExitReason.STOP_LOSS, stop, ambiguous=target_hit)
    if target is not None and target_hit:
        return Exit(ExitReason.TAKE_PROFIT, target)
    return None


@dataclass(slots=True)
class _Watch:
    below: float
    above: float
    clear_until: int
    hit: int | None = None
    chunk: int = field(default=_FIRST_CHUNK)


class _Extremes:
    """Finds the first candle that reaches a level by the extremes of whole blocks of candles."""

    def __init__(self, base: Columns) -> None:
        self._base = base
        self._lowest: list[float] = []
        self._highest: list[float] = []

    def find(self, first: int, last: int, below: float, above: float) -> int | None:
        """Return the first of candles first..last-1 that reaches a level, None without one."""
        if last > len(self._lowest) * _BLOCK:
            self._extend()
        lowest, highest = self._lowest, self._highest
        whole = len(lowest)
        for block in range(first // _BLOCK, (last - 1) // _BLOCK + 1):
            if block >= whole or lowest[block] <= below or highest[block] >= above:
                start, stop = block * _BLOCK, (block + 1) * _BLOCK
                found = self._look(max(first, start), min(last, stop), below, above)
                if found is not None:
                    return found
        return None

    def _look(self, first: int, last: int, below: float, above: float) -> int | None:
        reached = self._base["low"][first:last] <= below
        np.logical_or(reached, self._base["high"][first:last] >= above, out=reached)
        index = int(reached.argmax())
        return first + index if reached.item(index) else None

    def _extend(self) -> None:
        first, last = len(self._lowest), len(self._base) // _BLOCK
        if not first:
            self._lowest, self._highest = self._base.derived(
                "extremes", lambda: self._extremes_of(0, last)
            )
        elif last > first:
            lowest, highest = self._extremes_of(first, last)
            self._lowest, self._highest = self._lowest + lowest, self._highest + highest

    def _extremes_of(self, first: int, last: int) -> tuple[list[float], list[float]]:
        if last <= first:
            return [], []
        low, high = (self._base[name][: last * _BLOCK] for name in ("low", "high"))
        starts = np.arange(first * _BLOCK, last * _BLOCK, _BLOCK)
        lowest, highest = np.minimum.reduceat(low, starts), np.maximum.reduceat(high, starts)
        return lowest.tolist(), highest.tolist()


class SLTPMonitor:
    """Finds the next base candle that reaches a level of any open position.

    It searches the loaded candles in growing chunks and remembers how far they are clear, so
    that each candle is looked at about once per position however the run is cut into blocks.
    `quiet_until` is an index before which nothing is reached.
    """

    def __init__(self, base: Columns) -> None:
        self._base = base
        self._extremes = _Extremes(base)
        self._watches: dict[int, _Watch] = {}
        self.quiet_until = NEVER

    def watch(self, position: Position, index: int) -> None:
        """Watch a position's levels from a base candle on."""
        stop, target = position.stop_loss, position.take_profit
        below, above = (stop, target) if position.side is Side.LONG else (target, stop)
        self._add(position.id, below, above, index)

    def watch_account(self, price: float | None, *, net_long: bool, index: int) -> None:
        """Watch the price at which the account's equity is gone; None stops watching."""
        if price is not None:
            below, above = (price, None) if net_long else (None, price)
            self._add(_ACCOUNT, below, above, index)
        elif _ACCOUNT in self._watches:
            self.forget(_ACCOUNT)

    def forget(self, position_id: int) -> None:
        """Stop watching a position."""
        if self._watches.pop(position_id, None):
            self._renew_quiet()

    def next_hit(self, stop: int) -> int:
        """Return the first base candle before `stop` that reaches a level, else `stop`."""
        for watch in self._watches.values():
            if watch.hit is None and watch.clear_until < stop:
                self._search(watch, stop)
        quiet_until = self._renew_quiet()
        return quiet_until if quiet_until < stop else stop

    def _add(self, key: int, below: float | None, above: float | None, index: int) -> None:
        if below is not None or above is not None:
            self._watches[key] = _Watch(
                -math.inf if below is None else below, math.inf if above is None else above, index
            )
            if index < self.quiet_until:
                self.quiet_until = index

    def _search(self, watch: _Watch, stop: int) -> None:
        first, chunk = watch.clear_until, watch.chunk
        last = min(max(stop, first + chunk), len(self._base))
        watch.hit = self._extremes.find(first, last, watch.below, watch.above)
        watch.clear_until = last
        if chunk < _LARGEST_CHUNK:
            watch.chunk = 2 * chunk

    def _renew_quiet(self) -> int:
        quiet_until = NEVER
        for watch in self._watches.values():
            clear_until = watch.clear_until if watch.hit is None else watch.hit
            if clear_until < quiet_until:
                quiet_until = clear_until
        self.quiet_until = quiet_until
        return quiet_until
