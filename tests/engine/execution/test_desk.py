import math

import pytest

from engine.execution import BacktestExecutor, FixedCosts, PaperExecutor
from engine.execution.desk import TradingDesk
from engine.orders import ExitReason, PositionClosed, PositionOpened, Signal, SignalRejected
from engine.portfolio import Portfolio


@pytest.fixture
def events():
    return []


@pytest.fixture
def desk(events):
    executor = BacktestExecutor(FixedCosts(fee_rate=0.001, slippage_bps=10))
    return TradingDesk(Portfolio(1000.0), executor, 1.0, events.append)


def test_a_long_is_bought_above_and_sold_below_the_price(desk, events):
    desk.execute(Signal.open_long(50), 100.0, 0)
    desk.execute(Signal.close(), 100.0, 60_000)
    opened, closed = events
    assert isinstance(opened, PositionOpened)
    assert isinstance(closed, PositionClosed)
    assert opened.position.entry_price == pytest.approx(100.1)
    assert closed.trade.exit_price == pytest.approx(99.9)
    assert closed.trade.slippage == pytest.approx(0.2 * opened.position.size)


def test_size_comes_from_equity_at_the_fill_price(desk, events):
    desk.execute(Signal.open_long(50), 100.0, 0)
    position = events[0].position
    assert position.size_usd == 500.0
    assert position.size == pytest.approx(500 / 100.1)
    assert position.entry_fee == pytest.approx(0.5)


def test_a_target_is_filled_at_its_price_without_slippage(desk, events):
    desk.execute(Signal.open_long(50, take_profit=120.0), 100.0, 0)
    desk.close(events[0].position, 120.0, 60_000, ExitReason.TAKE_PROFIT)
    assert events[1].trade.exit_price == 120.0


@pytest.mark.parametrize(
    ("signal", "reason"),
    [
        (Signal.open_long(0), "size is not positive"),
        (Signal.open_long(-5), "size is not positive"),
        (Signal.open_long(math.nan), "size is not positive"),
        (Signal.open_long(math.inf), "size is not positive"),
        (Signal.open_long(5e-324), "size is not positive"),
        (Signal.open_long(10, stop_loss=101), "stop loss is on the wrong side"),
        (Signal.open_long(10, stop_loss=100.1), "stop loss is on the wrong side"),
        (Signal.open_long(10, take_profit=99), "take profit is on the wrong side"),
        (Signal.open_short(10, stop_loss=99), "stop loss is on the wrong side"),
        (Signal.open_short(10, take_profit=101), "take profit is on the wrong side"),
        (Signal.open_long(10, stop_loss=math.nan), "stop loss is not a price"),
        (Signal.open_long(10, stop_loss=-1), "stop loss is not a price"),
        (Signal.open_short(10, take_profit=0), "take profit is not a price"),
        (Signal.open_long(100.1), "over max_leverage"),
        (Signal.close(7), "unknown position id"),
    ],
)
def test_a_signal_that_can_not_be_carried_out_is_rejected_with_its_reason(
    desk, events, signal, reason
):
    desk.execute(signal, 100.0, 0)
    (event,) = events
    assert isinstance(event, SignalRejected)
    assert reason in event.reason


def test_an_exact_fit_passes_the_leverage_limit(desk, events):
    desk.execute(Signal.open_long(100), 100.0, 0)
    assert isinstance(events[0], PositionOpened)


def test_positions_opened_earlier_count_towards_the_leverage(desk, events):
    desk.execute(Signal.open_long(60), 100.0, 0)
    desk.execute(Signal.open_short(60), 100.0, 0)
    assert isinstance(events[1], SignalRejected)


def test_closing_everything_when_nothing_is_open_is_no_mistake(desk, events):
    desk.execute(Signal.close(), 100.0, 0)
    assert events == []


def test_while_entries_are_paused_only_closing_works(desk, events):
    desk.execute(Signal.open_long(10), 100.0, 0)
    desk.entries_paused = True
    desk.execute(Signal.open_long(10), 100.0, 0)
    desk.execute(Signal.close(1), 100.0, 0)
    assert [type(event) for event in events] == [PositionOpened, SignalRejected, PositionClosed]


def test_paper_fills_at_the_last_tick(events):
    executor = PaperExecutor(FixedCosts(fee_rate=0.0))
    desk = TradingDesk(Portfolio(1000.0), executor, 1.0, events.append)
    executor.on_tick(101.0)
    desk.execute(Signal.open_long(10), 100.0, 0)
    executor.forget_ticks()
    desk.execute(Signal.open_long(10), 100.0, 0)
    assert [event.position.entry_price for event in events] == [101.0, 100.0]
