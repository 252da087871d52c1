import asyncio
import dataclasses
import logging
from itertools import pairwise

import pytest

from bot.errors import InvalidInput
from bot.services.forward.funding import FundingWatch
from bot.services.forward.runner import ForwardRunner
from bot.services.forward.turns import Turns
from data.errors import DatabaseFull, ExchangeUnavailable, RecordConflict
from data.streams.events import (
    CandleArrived,
    CandleRevised,
    FeedFailed,
    Revision,
    StreamDown,
    StreamUp,
    Tick,
)
from engine import Signal, Strategy
from engine.orders import ExitReason
from tests.soak.world import Watcher, settle

START = 1_704_067_200_000
MINUTE_MS = 60_000


class Buyer(Strategy):
    """Buys at the first close; sells at the close of the third minute."""

    timeframes = ("1m",)

    def on_init(self, data):
        self.calls = 0

    def on_candle(self, data, portfolio):
        self.calls += 1
        if self.calls == 3:
            return [Signal.close()]
        return [] if self.calls > 1 else [Signal.open_long(50, stop_loss=90.0, take_profit=120.0)]


class Raises(Buyer):
    def on_candle(self, data, portfolio):
        signals = super().on_candle(data, portfolio)
        if self.calls == 2:
            raise ZeroDivisionError("oops")
        return signals


@pytest.fixture
async def start(make_session, fake_store):
    """Start a runner with a store of its own; all are stopped at the end."""
    runners = []

    def started(strategy=Buyer, **options):
        store, watcher = fake_store(), Watcher()
        runner = ForwardRunner(make_session(strategy), store, watcher, **options)
        runner.start()
        runners.append(runner)
        return runner, store, watcher

    yield started
    for runner in runners:
        await runner.stop()


@pytest.fixture
def arrival(flat_candles):
    def make(minute, price=100.0, *, backfilled=False):
        [candle] = flat_candles([price], first=START + minute * MINUTE_MS)
        return CandleArrived("X/USDT", candle, backfilled, candle.timestamp + MINUTE_MS + 200)

    return make


def tick(minute, price, ms=100):
    return Tick("X/USDT", price, 1.0, START + minute * MINUTE_MS + ms, "buy")


async def test_each_candle_is_stepped_once_and_in_order(start, arrival):
    runner, store, _ = start()
    for minute in (0, 1, 1, 0, 2):
        runner.on_candle(arrival(minute))
    await settle(runner)
    marks = [mark.time for record in store.records for mark in record.equity_marks]
    assert marks == [START + minute * MINUTE_MS for minute in (1, 2, 3)]
    assert [record.step for record in store.records] == list(range(1, len(store.records) + 1))


async def test_trades_of_the_next_minute_wait_for_the_close_before_them(start, arrival):
    runner, store, _ = start()
    runner.on_candle(arrival(0))
    runner.on_candle(arrival(1))
    # The third minute's closing frame is late: below the stop, but the strategy sells first.
    runner.on_tick(tick(3, 89.0))
    runner.on_tick(tick(3, 91.0, ms=200))
    await settle(runner)
    assert store.trades == []
    runner.on_candle(arrival(2))
    await settle(runner)
    [trade] = store.trades
    # Filled where the market stands when the close is known.
    assert (trade.exit_reason, trade.exit_price) == (ExitReason.SIGNAL, 91.0)
    assert trade.exit_time == START + 3 * MINUTE_MS


async def test_trades_that_waited_reach_stops_when_their_minute_comes(start, arrival):
    runner, store, _ = start()
    runner.on_candle(arrival(0))
    for ms, price in ((100, 95.0), (200, 88.0), (300, 100.0)):
        runner.on_tick(tick(2, price, ms=ms))
    runner.on_candle(arrival(1))
    await settle(runner)
    [trade] = store.trades
    assert (trade.exit_reason, trade.exit_price) == (ExitReason.STOP_LOSS, 88.0)
    assert trade.exit_time == START + 2 * MINUTE_MS + 200
    assert runner.session.engine.portfolio.last_price == 100.0


async def test_a_trade_that_nothing_waits_before_is_looked_at_as_it_comes(start, arrival):
    runner, store, _ = start()
    runner.on_candle(arrival(0))
    await settle(runner)
    runner.on_tick(tick(1, 95.0))
    assert runner.session.engine.portfolio.last_price == 95.0
    runner.on_tick(tick(1, 89.0, ms=200))
    # Behind the stop everything waits until its step is stored.
    runner.on_tick(tick(1, 80.0, ms=300))
    assert runner.backlog == 2
    assert store.trades == []
    await settle(runner)
    [trade] = store.trades
    assert (trade.exit_reason, trade.exit_price) == (ExitReason.STOP_LOSS, 89.0)
    assert [record.step for record in store.records] == [1, 2]


async def test_what_is_raised_at_a_trade_faults_the_test_and_not_the_stream(start, arrival):
    runner, store, _ = start()
    runner.on_candle(arrival(0))
    await settle(runner)

    def fail(price, time):
        raise ZeroDivisionError("oops")

    runner.session.engine.on_tick = fail
    runner.on_tick(tick(1, 95.0))
    await runner.faulted.wait()
    assert "ZeroDivisionError: oops" in runner.fault
    assert store.statuses[-1][0] == "faulted"


async def test_a_backlog_of_trades_is_worked_off_in_turns(start, arrival):
    runner, store, _ = start()
    store.gate.clear()
    runner.on_candle(arrival(0))
    await asyncio.sleep(0)
    for number in range(1_000):
        runner.on_tick(tick(1, 95.0, ms=number))
    backlog = [runner.backlog]
    store.gate.set()
    while runner.backlog:
        await asyncio.sleep(0)
        backlog.append(runner.backlog)
    most = max(before - after for before, after in pairwise(backlog))
    assert backlog[0] == 1_000
    assert 0 < most <= 128


async def test_many_runners_that_share_turns_decide_a_few_at_a_time(start, arrival):
    turns = Turns(at_once=2)
    started = [start(turns=turns) for _ in range(10)]
    for runner, _, _ in started:
        runner.on_candle(arrival(0))
    decided = [0]
    while decided[-1] < 10:
        await asyncio.sleep(0)
        decided.append(sum(runner.session.step for runner, _, _ in started))
    assert max(after - before for before, after in pairwise(decided)) == 2
    await asyncio.gather(*(settle(runner) for runner, _, _ in started))
    assert all(len(store.records) == 1 for _, store, _ in started)


async def test_trades_of_a_minute_that_has_passed_are_left_out(start, arrival):
    runner, store, _ = start()
    runner.on_candle(arrival(0))
    runner.on_tick(tick(0, 50.0))
    await settle(runner)
    assert store.trades == []


async def test_a_strategy_that_raises_is_faulted_and_its_stop_still_fills(start, arrival):
    runner, store, watcher = start(Raises)
    for minute in range(3):
        runner.on_candle(arrival(minute))
    runner.on_tick(tick(3, 85.0))
    await settle(runner)
    [(status, reason)] = store.statuses
    assert status == "faulted"
    assert "ZeroDivisionError: oops" in reason
    assert "test_runner.py, line" in reason
    assert [name for name, _ in watcher.faults] == ["t"]
    assert [trade.exit_reason for trade in store.trades] == [ExitReason.STOP_LOSS]
    assert runner.faulted.is_set()
    assert not runner.is_interrupted


async def test_a_full_disk_interrupts_and_what_was_stored_is_whole(start, arrival, caplog):
    runner, store, watcher = start()
    runner.on_candle(arrival(0))
    await settle(runner)
    store.errors.append(DatabaseFull("no space left"))
    runner.on_candle(arrival(1))
    await watcher.wait_until(lambda: watcher.faults)
    assert runner.is_interrupted
    assert "no space left" in runner.fault
    assert store.statuses == []  # it passes: the test goes on from what is stored
    assert [record.step for record in store.records] == [1]
    with pytest.raises(InvalidInput, match="stands still: state can't be stored"):
        await runner.order(lambda: runner.session.set_paused(True, 0))


async def test_what_contradicts_the_store_is_a_lasting_fault(start, arrival, caplog):
    runner, store, watcher = start()
    store.errors.append(RecordConflict("is the test run twice?"))
    runner.on_candle(arrival(0))
    await watcher.wait_until(lambda: watcher.faults)
    assert not runner.is_interrupted
    assert [status for status, _ in store.statuses] == ["faulted"]


async def test_an_order_whose_step_cant_be_stored_is_answered(start, caplog):
    runner, store, _ = start()
    store.errors.append(DatabaseFull("no space left"))
    with pytest.raises(InvalidInput, match="no space left"):
        await runner.order(lambda: runner.session.set_paused(True, START))


async def test_orders_that_wait_when_it_stops_are_answered(start, arrival):
    runner, store, _ = start()
    store.gate.clear()
    runner.on_candle(arrival(0))
    orders = [
        asyncio.ensure_future(runner.order(lambda: runner.session.set_paused(True, START)))
        for _ in range(2)
    ]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await runner.stop()
    for order in orders:
        with pytest.raises(InvalidInput, match="it was stopped"):
            await order
    with pytest.raises(InvalidInput, match="not running"):
        await runner.order(lambda: runner.session.set_paused(True, START))


async def test_an_order_that_raises_stops_nothing(start, arrival):
    runner, store, _ = start()
    runner.on_candle(arrival(0))

    def broken():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await runner.order(broken)
    runner.on_candle(arrival(1))
    await settle(runner)
    assert len(store.records) == 2


async def test_an_order_given_up_by_who_asked_is_left_out(start, arrival):
    runner, store, _ = start()
    store.gate.clear()
    runner.on_candle(arrival(0))
    order = asyncio.ensure_future(runner.order(lambda: runner.session.set_paused(True, START)))
    await asyncio.sleep(0)
    order.cancel()
    store.gate.set()
    await settle(runner)
    assert not runner.session.entries_paused
    assert runner.fault is None


async def test_it_stops_at_its_end_and_takes_nothing_more(start, arrival):
    runner, store, _ = start(until=START + 2 * MINUTE_MS)
    for minute in range(4):
        runner.on_candle(arrival(minute))
    runner.on_tick(tick(4, 1.0))
    await settle(runner)
    assert runner.reached_end.is_set()
    assert runner.session.last_open_time == START + MINUTE_MS
    assert store.trades == []


async def test_outages_are_noted_and_the_end_of_the_data_is_a_fault(start, caplog):
    runner, store, _ = start()
    runner.on_outage(StreamDown("X/USDT", "cut", START))
    await settle(runner)
    assert runner.down_since == START
    runner.on_outage(StreamUp("X/USDT", START, START + MINUTE_MS))
    runner.on_failure(FeedFailed("X/USDT", "refused"))
    await settle(runner)
    assert runner.down_since is None
    assert [event.kind for event in store.events] == ["stream_down", "stream_up"]
    assert store.statuses == [("faulted", "no more market data: refused")]


async def test_a_defect_of_ours_is_told_and_logged(start, arrival, monkeypatch, caplog):
    runner, _, watcher = start()
    monkeypatch.setattr(runner.session.engine, "advance", lambda block: 1 / 0)
    with caplog.at_level(logging.ERROR):
        runner.on_candle(arrival(0))
        await watcher.wait_until(lambda: watcher.faults)
    assert "unexpected ZeroDivisionError" in runner.fault
    assert "Traceback" in caplog.text


class Rates:
    """An exchange's rates; `answers` are given one by one, the last for ever."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    async def rates(self, symbol, start, end):
        self.asked.append((start - START, end - START))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def watch_of(rates, *, known=(), since=START):
    async def no_pause(seconds):
        pass

    hourly = known or [(START - 2 * 60 * MINUTE_MS, 0.1), (START - 60 * MINUTE_MS, 0.1)]
    return FundingWatch("X/USDT", rates, known=hourly, since=since, sleep=no_pause)


HOUR_MS = 60 * MINUTE_MS


async def test_rates_are_asked_for_when_due_only():
    rates = Rates([(START + HOUR_MS, 0.01)])
    watch = watch_of(rates)
    due = [minute for minute in range(1, 62) if watch.is_due(START + minute * MINUTE_MS)]
    assert due == [60, 61]
    assert await watch.due(START + HOUR_MS) == [(START + HOUR_MS, 0.01)]
    assert rates.asked == [(1, HOUR_MS + 1)]
    assert not watch.is_due(START + 61 * MINUTE_MS)
    assert watch.is_due(START + 2 * HOUR_MS)


async def test_a_rate_that_is_late_is_waited_for_then_asked_for_at_later_closes(caplog):
    rate = [(START + HOUR_MS, 0.01)]
    rates = Rates([], ExchangeUnavailable("down"), [], [], [], rate)
    watch = watch_of(rates)
    assert await watch.due(START + HOUR_MS) == []
    assert len(rates.asked) == 4
    assert await watch.due(START + HOUR_MS + MINUTE_MS) == []
    assert len(rates.asked) == 5
    assert await watch.due(START + HOUR_MS + 2 * MINUTE_MS) == rate


async def test_a_rate_that_never_comes_is_given_up():
    watch = watch_of(Rates([]))
    assert await watch.due(START + HOUR_MS) == []
    assert await watch.due(START + 2 * HOUR_MS) == []
    assert not watch.is_due(START + 2 * HOUR_MS + MINUTE_MS)


async def test_where_no_funding_is_paid_it_is_asked_for_once():
    watch = watch_of(Rates(None))
    assert await watch.due(START + HOUR_MS) == []
    assert not watch.is_due(START + 5 * HOUR_MS)


async def test_a_runner_knows_a_rate_before_its_candle_passes(start, arrival):
    rates = Rates([(START + HOUR_MS, 0.01)])
    runner, store, _ = start(funding=watch_of(rates))
    for minute in (0, 58, 59):
        runner.on_candle(arrival(minute))
        await settle(runner)
    told = [event for record in store.records for event in record.events]
    assert [(e.kind, e.time) for e in told if e.kind == "funding_paid"] == [
        ("funding_paid", START + HOUR_MS)
    ]
    # The strategy sold at that close, after funding was paid: now nothing is owed, nor asked for.
    runner.on_candle(arrival(119))
    await settle(runner)
    assert len(rates.asked) == 1


async def test_a_revised_candle_is_noted_and_what_was_traded_stays(start, arrival):
    runner, store, _ = start()
    event = arrival(0)
    runner.on_candle(event)
    revised = dataclasses.replace(event.candle, high=event.candle.high + 1.0)
    runner.on_revision(CandleRevised("X/USDT", Revision(event.candle, revised)))
    await settle(runner)
    [told] = store.events
    assert (told.time, told.kind) == (START + MINUTE_MS, "candle_revised")
    assert told.details["changed"] == {"high": [event.candle.high, event.candle.high + 1.0]}
    assert runner.session.last_open_time == START
