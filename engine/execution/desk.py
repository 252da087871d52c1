"""The trading desk: turns signals into positions and positions into trades, or says why not."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from engine.execution.executor import Executor
from engine.orders import (
    Event,
    ExitReason,
    Position,
    PositionClosed,
    PositionOpened,
    Side,
    Signal,
    SignalAction,
    SignalRejected,
)
from engine.portfolio import Portfolio

# An order for exactly all of the allowed leverage passes, whatever its last bit says.
_ROUNDING: Final = 1e-9

# What rounding may leave of an account that is gone: a millionth of a dollar trades nothing.
_DUST_USD: Final = 1e-6


@dataclass(slots=True)
class Totals:
    """What trading has cost so far, in USD."""

    fees: float = 0.0
    slippage: float = 0.0
    funding: float = 0.0


class TradingDesk:
    """Carries signals out on a portfolio through an executor; emits what happened."""

    def __init__(
        self,
        portfolio: Portfolio,
        executor: Executor,
        max_leverage: float,
        emit: Callable[[Event], None],
    ) -> None:
        self._portfolio = portfolio
        self._executor = executor
        self._max_leverage = max_leverage
        self._emit = emit
        self.next_id = 1
        self.totals = Totals()
        self.entries_paused = False

    def reference_price(self, candle_price: float) -> float:
        """Return where the market stands when the candle says `candle_price`."""
        return self._executor.reference_price(candle_price)

    def execute(self, signal: Signal, candle_price: float, time: int) -> None:
        """Carry a signal out at the market, or reject it with a reason."""
        reference = self._executor.reference_price(candle_price)
        if signal.action is SignalAction.CLOSE:
            reason = self._close_signalled(signal, reference, time)
        else:
            reason = self._open(signal, reference, time)
        if reason:
            self._emit(SignalRejected(time, signal, reason))

    def close(
        self,
        position: Position,
        reference: float,
        time: int,
        reason: ExitReason,
        *,
        ambiguous: bool = False,
    ) -> None:
        """Close a position; a target is filled at its price, all else at the market."""
        if reason is ExitReason.TAKE_PROFIT:
            fill = self._executor.fill_limit(reference, position.size)
        else:
            buying = position.side.sign < 0
            fill = self._executor.fill_market(reference, position.size, buying=buying)
        trade = self._portfolio.close_position(
            position.id,
            time=time,
            price=fill.price,
            fee=fill.fee_usd,
            reason=reason,
            slippage=fill.slippage_usd,
            ambiguous=ambiguous,
        )
        self.totals.fees += fill.fee_usd
        self.totals.slippage += fill.slippage_usd
        self._emit(PositionClosed(time, trade))

    def _close_signalled(self, signal: Signal, reference: float, time: int) -> str | None:
        if signal.position_id is None:
            positions = self._portfolio.positions
        else:
            position = self._portfolio.get_position(signal.position_id)
            if position is None:
                return "unknown position id"
            positions = [position]
        for position in positions:
            self.close(position, reference, time, ExitReason.SIGNAL)
        return None

    def _open(self, signal: Signal, reference: float, time: int) -> str | None:
        buying = signal.action is SignalAction.OPEN_LONG
        side = Side.LONG if buying else Side.SHORT
        price = self._executor.market_price(reference, buying=buying)
        equity = self._portfolio.equity_at(price)
        reason = self._refusal(signal, side, price, equity)
        if reason:
            return reason
        size_usd = equity * signal.size_percent / 100
        size = size_usd / price
        fill = self._executor.fill_market(reference, size, buying=buying)
        position = Position(
            id=self.next_id,
            side=side,
            entry_time=time,
            entry_price=fill.price,
            size=size,
            size_usd=size_usd,
            entry_fee=fill.fee_usd,
            entry_slippage=fill.slippage_usd,
            stop_loss=signal.stop_loss,
            take_profit=signal.take_profit,
        )
        self.next_id += 1
        self._portfolio.open_position(position)
        self.totals.fees += fill.fee_usd
        self.totals.slippage += fill.slippage_usd
        self._emit(PositionOpened(time, position))
        return None

    def _refusal(self, signal: Signal, side: Side, price: float, equity: float) -> str | None:
        if self.entries_paused:
            return "entries are paused"
        if not (math.isfinite(signal.size_percent) and signal.size_percent > 0):
            return "size is not positive"
        if equity <= _DUST_USD:
            return "equity is not positive"
        wrong = _wrong_level(signal, side, price)
        if wrong:
            return wrong
        size_usd = equity * signal.size_percent / 100
        if size_usd / price <= 0:  # too small for a float
            return "size is not positive"
        notional = self._portfolio.notional_at(price) + size_usd
        if notional > self._max_leverage * equity * (1 + _ROUNDING):
            return "over max_leverage"
        return None


def _wrong_level(signal: Signal, side: Side, price: float) -> str | None:
    stop, target, sign = signal.stop_loss, signal.take_profit, side.sign
    if stop is not None:
        if not (math.isfinite(stop) and stop > 0):
            return "stop loss is not a price"
        if -sign * (stop - price) <= 0:
            return "stop loss is on the wrong side of the price"
    if target is not None:
        if not (math.isfinite(target) and target > 0):
            return "take profit is not a price"
        if sign * (target - price) <= 0:
            return "take profit is on the wrong side of the price"
    return None
