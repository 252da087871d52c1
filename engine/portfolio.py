"""The book of one run: balance and open positions. It records; pricing and rules live elsewhere."""

from collections.abc import Iterable
from typing import Final

from engine.orders import ExitReason, Position, Trade

_ROUNDING: Final = 1e-12


class Portfolio:
    """Balance in USD and open positions in opening order.

    Equity is balance plus unrealised profit. It is computed from the net size and its cost, which
    are summed anew at each change: the same book has the same equity to the last bit.
    """

    def __init__(self, balance: float) -> None:
        self.balance = balance
        self.last_price = 0.0
        self.net_size = 0.0
        self.net_cost = 0.0
        self._gross_size = 0.0
        self.open_positions: dict[int, Position] = {}

    @property
    def positions(self) -> list[Position]:
        """Open positions in opening order."""
        return list(self.open_positions.values())

    @property
    def has_position(self) -> bool:
        """Whether any position is open."""
        return bool(self.open_positions)

    @property
    def equity(self) -> float:
        """Balance plus unrealised profit at the last price, in USD."""
        return self.equity_at(self.last_price)

    def equity_at(self, price: float) -> float:
        """Return balance plus unrealised profit at a price, in USD."""
        return self.balance + (self.net_size * price - self.net_cost)

    def notional_at(self, price: float) -> float:
        """Return the value of all open positions at a price, long and short added up."""
        notional = 0.0
        for position in self.open_positions.values():
            notional += position.notional(price)
        return notional

    def get_position(self, position_id: int) -> Position | None:
        """Return an open position, None when there is none of that id."""
        return self.open_positions.get(position_id)

    def open_position(self, position: Position) -> None:
        """Add a position and pay its entry fee."""
        self.open_positions[position.id] = position
        self.balance -= position.entry_fee
        self._sum_up()

    def close_position(
        self,
        position_id: int,
        *,
        time: int,
        price: float,
        fee: float,
        reason: ExitReason,
        slippage: float = 0.0,
        ambiguous: bool = False,
    ) -> Trade:
        """Remove a position, book its profit and exit fee, and return the trade."""
        position = self.open_positions.pop(position_id)
        gross = position.unrealized_pnl(price)
        self.balance += gross - fee
        self._sum_up()
        pnl = gross - position.entry_fee - fee
        return Trade(
            id=position.id,
            side=position.side,
            entry_time=position.entry_time,
            entry_price=position.entry_price,
            exit_time=time,
            exit_price=price,
            size=position.size,
            size_usd=position.size_usd,
            pnl=pnl,
            pnl_percent=100 * pnl / position.size_usd,
            fees=position.entry_fee + fee,
            exit_reason=reason,
            ambiguous=ambiguous,
            slippage=position.entry_slippage + slippage,
            stop_loss=position.stop_loss,
            take_profit=position.take_profit,
        )

    def pay(self, amount_usd: float) -> None:
        """Take money out of the balance (funding); a negative amount puts it in."""
        self.balance -= amount_usd

    def restore(self, balance: float, positions: Iterable[Position]) -> None:
        """Put back a book that was saved."""
        self.balance = balance
        self.open_positions = {position.id: position for position in positions}
        self._sum_up()

    @property
    def liquidation_price(self) -> float | None:
        """The price at which equity is gone, None where no price does that."""
        if abs(self.net_size) <= _ROUNDING * self._gross_size:
            return None  # long and short cancel out, but for what rounding leaves of them
        price = (self.net_cost - self.balance) / self.net_size
        return price if price > 0 else None

    def _sum_up(self) -> None:
        self.net_size = self.net_cost = self._gross_size = 0.0
        for position in self.open_positions.values():
            signed = position.side.sign * position.size
            self.net_size += signed
            self.net_cost += signed * position.entry_price
            self._gross_size += position.size


class PortfolioView:
    """What a strategy sees of its book; it can't change anything."""

    __slots__ = ("_portfolio",)

    def __init__(self, portfolio: Portfolio) -> None:
        self._portfolio = portfolio

    @property
    def positions(self) -> list[Position]:
        """Open positions in opening order."""
        return self._portfolio.positions

    @property
    def has_position(self) -> bool:
        """Whether any position is open."""
        return bool(self._portfolio.open_positions)

    @property
    def balance(self) -> float:
        """Balance in USD without unrealised profit."""
        return self._portfolio.balance

    @property
    def equity(self) -> float:
        """Balance plus unrealised profit at the last price, in USD."""
        return self._portfolio.equity

    def get_position(self, position_id: int) -> Position | None:
        """Return an open position, None when there is none of that id."""
        return self._portfolio.get_position(position_id)
