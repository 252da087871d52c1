"""The reference's account: cash, positions, fills, stops, funding, liquidation. No candle loop.

Written from the rules of simulation alone, in plain floats; nothing of the engine's portfolio or
execution may be used or looked at here.
"""

import math
from dataclasses import dataclass, field

from engine.candles import Candle
from engine.orders import Signal, SignalAction

DUST_USD = 1e-6


@dataclass
class OpenPosition:
    """A position that is open: `side` is +1 for long and -1 for short, the rest as in a trade."""

    id: int
    side: int
    entry_time: int
    entry_price: float
    size: float
    size_usd: float
    entry_fee: float
    entry_slippage: float
    stop_loss: float | None
    take_profit: float | None


@dataclass
class ClosedTrade:
    """A closed position; times in ms, money in USD, `pnl` net of both fees."""

    id: int
    side: str
    entry_time: int
    entry_price: float
    exit_time: int
    exit_price: float
    size: float
    size_usd: float
    pnl: float
    pnl_percent: float
    fees: float
    exit_reason: str
    ambiguous: bool
    slippage: float
    stop_loss: float | None
    take_profit: float | None


@dataclass
class Account:
    """Cash, open positions and what became of them. Prices given to it are before slippage."""

    balance: float
    fee_rate: float
    slippage_bps: float
    max_leverage: float
    positions: list[OpenPosition] = field(default_factory=list)
    trades: list[ClosedTrade] = field(default_factory=list)
    rejections: list[tuple[int, str]] = field(default_factory=list)
    opened: int = 0
    fees: float = 0.0
    slippage: float = 0.0
    funding: float = 0.0

    def equity(self, price: float) -> float:
        """Return cash plus what closing all at this price would give, before fees."""
        total = self.balance
        for position in self.positions:
            total += position.side * position.size * (price - position.entry_price)
        return total

    def bought(self, price: float) -> float:
        """Return what a market order to buy pays."""
        return price * (1 + self.slippage_bps / 1e4)

    def sold(self, price: float) -> float:
        """Return what a market order to sell gets."""
        return price * (1 - self.slippage_bps / 1e4)

    def execute(self, signal: Signal, price: float, time: int) -> None:
        """Carry out a signal at a market price, or reject it."""
        if signal.action is not SignalAction.CLOSE:
            self.enter(signal, price, time)
        elif signal.position_id is None:
            for position in list(self.positions):
                self.leave_at_market(position, price, time, "signal")
        else:
            named = [p for p in self.positions if p.id == signal.position_id]
            if not named:
                self.rejections.append((time, "unknown_position"))
            for position in named:
                self.leave_at_market(position, price, time, "signal")

    def enter(self, signal: Signal, price: float, time: int) -> None:
        """Open a position at a market price, or reject the signal."""
        side = 1 if signal.action is SignalAction.OPEN_LONG else -1
        fill = self.bought(price) if side == 1 else self.sold(price)
        kind = self.find_fault(signal, side, fill)
        if kind:
            self.rejections.append((time, kind))
            return
        size_usd = self.equity(fill) * signal.size_percent / 100
        size = size_usd / fill
        fee = self.fee_rate * size * fill
        lost = abs(fill - price) * size
        self.opened += 1
        self.balance -= fee
        self.fees += fee
        self.slippage += lost
        self.positions.append(
            OpenPosition(
                self.opened,
                side,
                time,
                fill,
                size,
                size_usd,
                fee,
                lost,
                signal.stop_loss,
                signal.take_profit,
            )
        )

    def find_fault(self, signal: Signal, side: int, fill: float) -> str | None:
        """Return the kind of the first thing that forbids to open at this fill, if any."""
        percent, stop, target = signal.size_percent, signal.stop_loss, signal.take_profit
        if math.isnan(percent) or math.isinf(percent) or percent <= 0:
            return "size"
        equity = self.equity(fill)
        # A liquidation without costs leaves exactly nothing, which floats show as some 1e-13.
        if not equity > DUST_USD:
            return "equity"
        # Infinity would pass as a far target; it's taken for what it is, no price.
        if stop is not None and (not math.isfinite(stop) or stop <= 0):
            return "level"
        if target is not None and (not math.isfinite(target) or target <= 0):
            return "level"
        if stop is not None and (stop >= fill if side == 1 else stop <= fill):
            return "level"
        if target is not None and (target <= fill if side == 1 else target >= fill):
            return "level"
        # A share of equity may be too small for a float, which then has nothing left of it.
        if equity * percent / 100 / fill == 0:
            return "size"
        notional = equity * percent / 100
        for position in self.positions:
            notional += position.size * fill
        if notional > self.max_leverage * equity * (1 + 1e-9):
            return "leverage"
        return None

    def leave_at_market(
        self,
        position: OpenPosition,
        price: float,
        time: int,
        reason: str,
        ambiguous: bool = False,
    ) -> None:
        """Close a position by a market order at this price, with slippage."""
        fill = self.sold(price) if position.side == 1 else self.bought(price)
        self.leave(position, fill, abs(fill - price) * position.size, time, reason, ambiguous)

    def leave(
        self,
        position: OpenPosition,
        fill: float,
        lost: float,
        time: int,
        reason: str,
        ambiguous: bool,
    ) -> None:
        """Close a position at exactly this fill."""
        gross = position.side * position.size * (fill - position.entry_price)
        fee = self.fee_rate * position.size * fill
        pnl = gross - position.entry_fee - fee
        self.balance += gross - fee
        self.fees += fee
        self.slippage += lost
        self.positions.remove(position)
        self.trades.append(
            ClosedTrade(
                position.id,
                "long" if position.side == 1 else "short",
                position.entry_time,
                position.entry_price,
                time,
                fill,
                position.size,
                position.size_usd,
                pnl,
                100 * pnl / position.size_usd,
                position.entry_fee + fee,
                reason,
                ambiguous,
                position.entry_slippage + lost,
                position.stop_loss,
                position.take_profit,
            )
        )

    def settle(self, position: OpenPosition, candle: Candle, time: int) -> None:
        """Close a position whose stop or target this base candle reaches."""
        stop, target, long = position.stop_loss, position.take_profit, position.side == 1
        stop_hit = target_hit = stop_at_open = target_at_open = False
        if stop is not None:
            stop_hit = candle.low <= stop if long else candle.high >= stop
            stop_at_open = candle.open <= stop if long else candle.open >= stop
        if target is not None:
            target_hit = candle.high >= target if long else candle.low <= target
            target_at_open = candle.open >= target if long else candle.open <= target
        if stop_at_open:
            self.leave_at_market(position, candle.open, time, "stop_loss")
        elif target_at_open:
            self.leave(position, candle.open, 0.0, time, "take_profit", False)
        elif stop_hit and stop is not None:
            self.leave_at_market(position, stop, time, "stop_loss", ambiguous=target_hit)
        elif target_hit and target is not None:
            self.leave(position, target, 0.0, time, "take_profit", False)

    def liquidate(self, candle: Candle, time: int) -> None:
        """Close everything where the whole account is worth nothing."""
        net = gross = spent = 0.0
        for position in self.positions:
            net += position.side * position.size
            gross += position.size
            spent += position.side * position.size * position.entry_price
        # Longs and shorts of one size are hedged whatever rounding leaves of their sum.
        if abs(net) <= 1e-9 * gross:
            return
        price = -(self.balance - spent) / net
        if not price > 0 or not (candle.low <= price if net > 0 else candle.high >= price):
            return
        if candle.open <= price if net > 0 else candle.open >= price:
            price = candle.open
        for position in list(self.positions):
            self.leave_at_market(position, price, time, "liquidation")

    def pay_funding(self, rate: float, price: float) -> None:
        """Let each open position pay funding: longs pay a positive rate, shorts receive it."""
        for position in self.positions:
            paid = position.side * rate * position.size * price
            self.balance -= paid
            self.funding += paid
