"""Settlement: closes the positions whose stop, target or liquidation the market has reached."""

from collections.abc import Sequence

from engine.execution.desk import TradingDesk
from engine.execution.monitor import decide_exit
from engine.orders import ExitReason
from engine.portfolio import Portfolio


class Settlement:
    """Settles open positions in opening order, then the account as a whole."""

    def __init__(self, portfolio: Portfolio, desk: TradingDesk) -> None:
        self._portfolio = portfolio
        self._desk = desk

    def settle_candle(self, prices: Sequence[float], time: int) -> None:
        """Settle against open, high and low of a base candle that closed at `time` (ms UTC)."""
        for position in self._portfolio.positions:
            found = decide_exit(position, *prices)
            if found:
                self._desk.close(
                    position, found.price, time, found.reason, ambiguous=found.ambiguous
                )
        self._liquidate(prices, time)

    def settle_tick(self, price: float, time: int) -> None:
        """Settle against a trade on the exchange: a target is filled at its own price."""
        for position in self._portfolio.positions:
            found = decide_exit(position, price, price, price)
            if found:
                target = found.reason is ExitReason.TAKE_PROFIT
                level = position.take_profit if target and position.take_profit else price
                self._desk.close(position, level, time, found.reason)
        self._liquidate((price, price, price), time)

    def _liquidate(self, prices: Sequence[float], time: int) -> None:
        level = self._portfolio.liquidation_price
        if level is None:
            return
        open_price, high, low = prices
        if self._portfolio.net_size > 0:
            reached, price = low <= level, min(level, open_price)
        else:
            reached, price = high >= level, max(level, open_price)
        if reached:
            for position in self._portfolio.positions:
                self._desk.close(position, price, time, ExitReason.LIQUIDATION)
