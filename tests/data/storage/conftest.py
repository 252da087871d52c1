"""A database in the test's folder, a clock that the test moves, and records to store."""

import pytest

from data.database import Database, EquityMark, ForwardEvent, NewForwardTest, NewMessage, StepRecord
from engine.orders import ExitReason, Position, Side, Trade

MINUTE_MS = 60_000


class ManualClock:
    """Tells the time that a test has set, in ms UTC."""

    def __init__(self):
        self.now = 1_700_000_000_000

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "var" / "jesse.sqlite3"


@pytest.fixture
async def database(path, clock):
    async with Database.open(path, clock=clock, busy_timeout_ms=50) as database:
        yield database


@pytest.fixture
def make_new_test():
    def make(name="first", **changes):
        values = {
            "strategy": "ma_crossover",
            "params": {"fast_period": 50},
            "symbol": "BTCUSDT",
            "exchange": "simulated",
            "config": {"initial_balance": 10_000.0},
        }
        return NewForwardTest(name=name, **(values | changes))

    return make


@pytest.fixture
async def test_id(database, make_new_test):
    return (await database.create_forward_test(make_new_test())).id


@pytest.fixture
def make_position():
    def make(position_id=1, **changes):
        values = {
            "side": Side.LONG,
            "entry_time": 1_700_000_000_000,
            "entry_price": 0.1 + 0.2,
            "size": 1 / 3,
            "size_usd": 100.0,
            "entry_fee": 0.05,
            "entry_slippage": 0.01,
            "stop_loss": 90.0,
        }
        return Position(id=position_id, **(values | changes))

    return make


@pytest.fixture
def make_trade():
    def make(trade_id=1, **changes):
        values = {
            "side": Side.SHORT,
            "entry_time": 1_700_000_000_000,
            "entry_price": 0.1 + 0.2,
            "exit_time": 1_700_000_060_000,
            "exit_price": 1 / 3,
            "size": 1e-7,
            "size_usd": 100.0,
            "pnl": -2.5,
            "pnl_percent": -2.5,
            "fees": 0.1,
            "exit_reason": ExitReason.STOP_LOSS,
            "ambiguous": True,
            "slippage": 0.02,
            "take_profit": 0.25,
        }
        return Trade(id=trade_id, **(values | changes))

    return make


@pytest.fixture
def make_step(make_position, make_trade):
    """Make step `n`: it closes trade n and leaves position n + 1 open, so that n tells it all."""

    def make(test_id, n, **changes):
        values = {
            "last_candle_time": n * MINUTE_MS,
            "balance": 1_000.0 + n,
            "equity": 2_000.0 + n,
            "snapshot": {"version": 1, "n": n},
            "positions": (make_position(n + 1),),
            "trades": (make_trade(n),),
            "equity_marks": (EquityMark(n * MINUTE_MS, 2_000.0 + n),),
            "events": (ForwardEvent(n * MINUTE_MS, "outage", {"n": n}),),
            "alerts": (
                NewMessage(
                    dedupe_key=f"{test_id}:{n}",
                    kind="trade",
                    channel="42",
                    payload={"n": n},
                    test_id=test_id,
                ),
            ),
        }
        return StepRecord(test_id=test_id, step=n, **(values | changes))

    return make


@pytest.fixture
def read_step():
    """Return the step that everything stored of a test agrees on; fail where it does not agree."""

    async def read(database, test_id):
        portfolio = await database.get_portfolio(test_id)
        n = 0 if portfolio is None else portfolio.step
        if n:
            assert (portfolio.balance, portfolio.equity) == (1_000.0 + n, 2_000.0 + n)
            assert portfolio.last_candle_time == n * MINUTE_MS
            assert (await database.get_strategy_state(test_id))["n"] == n
        positions = await database.get_open_positions(test_id)
        trades = await database.get_trades(test_id)
        curve = await database.get_equity_curve(test_id)
        events = await database.get_events(test_id, limit=n + 1)
        messages = await database.take_due_messages(1_000_000)
        steps = list(range(1, n + 1))
        assert [position.id for position in positions] == ([n + 1] if n else [])
        assert [stored.trade.id for stored in trades] == steps
        assert curve.time.tolist() == [step * MINUTE_MS for step in steps]
        assert [event.details["n"] for event in reversed(events)] == steps
        assert [one.payload["n"] for one in messages if one.test_id == test_id] == steps
        return n

    return read
