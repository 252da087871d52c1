import pytest

from engine.orders import ExitReason, Position, Side
from engine.portfolio import Portfolio, PortfolioView


def _position(position_id=1, side=Side.LONG, price=100.0, size=2.0, fee=0.1):
    return Position(position_id, side, 0, price, size, price * size, fee)


def test_an_entry_costs_its_fee_and_nothing_else():
    portfolio = Portfolio(1000.0)
    portfolio.open_position(_position())
    assert portfolio.balance == pytest.approx(999.9)
    assert portfolio.equity_at(100.0) == pytest.approx(999.9)


@pytest.mark.parametrize(("side", "price", "profit"), [("long", 110, 20), ("short", 110, -20)])
def test_unrealised_profit_follows_the_price(side, price, profit):
    portfolio = Portfolio(1000.0)
    position = _position(side=Side(side), fee=0.0)
    portfolio.open_position(position)
    assert position.unrealized_pnl(price) == profit
    assert portfolio.equity_at(price) == pytest.approx(1000 + profit)


def test_a_trade_is_net_of_both_fees():
    portfolio = Portfolio(1000.0)
    portfolio.open_position(_position())
    trade = portfolio.close_position(1, time=60_000, price=110.0, fee=0.2, reason=ExitReason.SIGNAL)
    assert trade.pnl == pytest.approx(20 - 0.3)
    assert trade.pnl_percent == pytest.approx(100 * 19.7 / 200)
    assert trade.fees == pytest.approx(0.3)
    assert portfolio.balance == pytest.approx(1019.7)
    assert not portfolio.has_position


def test_long_and_short_of_one_size_cancel_each_other_out():
    portfolio = Portfolio(1000.0)
    portfolio.open_position(_position(1, Side.LONG, fee=0.0))
    portfolio.open_position(_position(2, Side.SHORT, fee=0.0))
    assert portfolio.equity_at(50.0) == portfolio.equity_at(500.0) == 1000.0
    assert portfolio.notional_at(100.0) == 400.0


def test_positions_are_listed_in_opening_order():
    portfolio = Portfolio(1000.0)
    for position_id in (1, 2, 3):
        portfolio.open_position(_position(position_id))
    portfolio.close_position(2, time=0, price=100.0, fee=0.0, reason=ExitReason.MANUAL)
    assert [position.id for position in portfolio.positions] == [1, 3]


def test_what_a_strategy_sees_can_not_be_changed():
    portfolio = Portfolio(1000.0)
    view = PortfolioView(portfolio)
    portfolio.open_position(_position())
    assert view.has_position
    assert view.get_position(1) == _position()
    assert view.get_position(9) is None
    with pytest.raises(AttributeError):
        view.balance = 5.0
    view.positions.clear()
    assert view.positions
