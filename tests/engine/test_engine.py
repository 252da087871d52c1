import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Signal, Strategy
from engine.engine import Engine, EngineConfig
from engine.errors import InvalidRun, StrategyFailed
from engine.execution import BacktestExecutor, FixedCosts, PaperExecutor
from engine.indicators import sma
from engine.orders import ExitReason, PositionClosed, PositionOpened

MINUTE = 60_000
MONDAY = 1_704_067_200_000


class Busy(Strategy):
    """Trades often, with stops, targets and a memory."""

    timeframes = ("3m", "15m")

    def on_init(self, data):
        self.fast = data["3m"].indicator(sma, 3)
        self.slow = data["15m"].indicator(sma, 2)
        self.count = 0

    def on_candle(self, data, portfolio):
        self.count += 1
        close = data["3m"].latest.close
        if self.count % 7 == 0:
            return [Signal.close()]
        if self.fast[-1] > self.slow[-1]:
            return [Signal.open_long(20, stop_loss=close * 0.997, take_profit=close * 1.004)]
        return [Signal.open_short(20, stop_loss=close * 1.003, take_profit=close * 0.996)]

    def get_state(self):
        return {"count": self.count}

    def set_state(self, state):
        self.count = state["count"]


def _engine(executor=None, **config):
    costs = FixedCosts(0.0005, 1.0)
    return Engine(Busy(), EngineConfig(**config), executor or BacktestExecutor(costs))


FUNDING = [(MONDAY + 60 * MINUTE, 0.001), (MONDAY + 120 * MINUTE, -0.002)]


@given(
    cuts=st.sets(st.integers(1, 399), max_size=60),
    skip=st.sets(st.integers(1, 398), max_size=60),
    seed=st.integers(0, 9),
    fill=st.sampled_from(["close", "next_open"]),
)
def test_any_split_into_blocks_gives_the_same_events(walk, cuts, skip, seed, fill):
    series = walk(400, seed=seed, skip=sorted(skip))
    whole, split = _engine(fill=fill), _engine(fill=fill)
    for engine in (whole, split):
        engine.add_funding(FUNDING)
        engine.start()
    expected = whole.advance(series)
    events, last = [], 0
    for cut in [*sorted(cut for cut in cuts if cut < len(series)), len(series)]:
        events += split.advance(series.part(last, cut))
        last = cut
    assert events == expected
    assert split.portfolio.equity == whole.portfolio.equity


@given(
    cut=st.integers(1, 399),
    skip=st.sets(st.integers(1, 398), max_size=60),
    seed=st.integers(0, 9),
    fill=st.sampled_from(["close", "next_open"]),
)
def test_a_snapshot_put_back_has_the_same_future(walk, cut, skip, seed, fill):
    series = walk(400, seed=seed, skip=sorted(skip))
    cut = min(cut, len(series) - 1)
    engine = _engine(fill=fill)
    engine.add_funding(FUNDING)
    engine.start()
    engine.advance(series.part(0, cut))
    snapshot = json.loads(json.dumps(engine.snapshot()))
    expected = engine.advance(series.part(cut, len(series)))
    resumed = _engine(fill=fill)
    resumed.warm_up(series.part(0, cut))
    resumed.start()
    resumed.restore(snapshot)
    assert resumed.advance(series.part(cut, len(series))) == expected
    assert resumed.snapshot() == engine.snapshot()


def test_a_snapshot_of_another_candle_or_version_is_refused(walk):
    engine = _engine()
    engine.start()
    engine.advance(walk(30))
    snapshot = engine.snapshot()
    other = _engine()
    other.warm_up(walk(29))
    with pytest.raises(InvalidRun, match="warmed up to"):
        other.restore(snapshot)
    with pytest.raises(InvalidRun, match="version"):
        engine.restore({**snapshot, "version": 99})


@pytest.fixture
def opened(walk):
    """Return an engine that has just opened its first position."""
    engine = _engine(PaperExecutor(FixedCosts(0.0, 0.0)))
    engine.start()
    series = walk(400)
    for index in range(400):
        events = engine.advance(series.part(index, index + 1))
        if any(isinstance(event, PositionOpened) for event in events):
            return engine
    raise AssertionError("nothing was opened")


def test_a_tick_beyond_the_stop_closes_at_the_ticks_price(opened):
    (position,) = opened.portfolio.positions
    beyond = position.stop_loss - position.side.sign * 0.5
    (event,) = opened.on_tick(beyond, MONDAY)
    assert isinstance(event, PositionClosed)
    assert (event.trade.exit_reason, event.trade.exit_price) == (ExitReason.STOP_LOSS, beyond)


def test_a_tick_beyond_the_target_is_filled_at_the_target(opened):
    (position,) = opened.portfolio.positions
    beyond = position.take_profit + position.side.sign * 0.5
    (event,) = opened.on_tick(beyond, MONDAY)
    assert event.trade.exit_reason is ExitReason.TAKE_PROFIT
    assert event.trade.exit_price == position.take_profit


def test_a_tick_between_the_levels_only_marks_the_price(opened):
    (position,) = opened.portfolio.positions
    price = (position.stop_loss + position.take_profit) / 2
    assert opened.on_tick(price, MONDAY) == []
    assert opened.portfolio.last_price == price


def test_a_position_can_be_closed_by_hand(opened):
    (position,) = opened.portfolio.positions
    (event,) = opened.close_position(position.id, ExitReason.MANUAL, MONDAY)
    assert event.trade.exit_reason is ExitReason.MANUAL
    with pytest.raises(InvalidRun, match="no open position"):
        opened.close_position(position.id, ExitReason.MANUAL, MONDAY)


@given(seed=st.integers(0, 40), leverage=st.sampled_from([1.0, 3.0]))
def test_money_is_conserved(walk, seed, leverage):
    engine = _engine(max_leverage=leverage)
    engine.start()
    events = engine.advance(walk(500, seed=seed)) + engine.close_all(ExitReason.END)
    trades = [event.trade for event in events if isinstance(event, PositionClosed)]
    assert trades
    assert engine.portfolio.balance == pytest.approx(10_000 + sum(t.pnl for t in trades))
    assert engine.desk.totals.fees == pytest.approx(sum(t.fees for t in trades))
    assert engine.desk.totals.slippage == pytest.approx(sum(t.slippage for t in trades))


def test_the_ledger_of_a_restored_engine_begins_with_its_book(walk):
    series = walk(200)
    engine = _engine()
    engine.start()
    engine.advance(series)
    assert engine.portfolio.has_position
    resumed = _engine()
    resumed.warm_up(series)
    resumed.start()
    resumed.restore(json.loads(json.dumps(engine.snapshot())))
    (entry,) = resumed.ledger
    assert entry == (199, *engine.ledger[-1][1:])


class Failing(Busy):
    """Fails at one call, far into a block."""

    timeframes = ("1m",)

    def on_init(self, data):
        self.calls = []

    def on_candle(self, data, portfolio):
        self.calls.append(data["1m"].latest.timestamp)
        if len(self.calls) == 5:
            raise RuntimeError("out of ideas")
        return []

    def get_state(self):
        return {}


def test_an_engine_whose_strategy_failed_in_a_block_stands_at_the_candle_of_that_call(walk):
    series = walk(20)
    engine = Engine(Failing(), EngineConfig(), BacktestExecutor(FixedCosts(0.0, 0.0)))
    engine.start()
    with pytest.raises(StrategyFailed, match="out of ideas"):
        engine.advance(series)
    assert engine.market.position == 5
    assert engine.portfolio.last_price == series.close[4]
    engine.rest()
    engine.advance_to(20)
    assert engine.market.position == 20
    assert engine.portfolio.last_price == series.close[19]
