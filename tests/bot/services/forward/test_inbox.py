import asyncio

import pytest

from bot.services.forward.inbox import Inbox, LookedAt, Order
from data.storage.records import StepRecord
from data.streams.events import CandleArrived, Tick
from engine.candles import Candle

STEP = StepRecord(test_id=1, step=1, last_candle_time=1, balance=1.0, equity=1.0, snapshot={})


def arrival(minute, *, backfilled=False):
    candle = Candle(minute * 60_000, 1.0, 1.0, 1.0, 1.0, 1.0)
    return CandleArrived("X/USDT", candle, backfilled, candle.timestamp + 60_100)


def filled(*events):
    inbox = Inbox()
    for event in events:
        inbox.put(event)
    return inbox


def test_candles_of_one_kind_are_taken_together():
    inbox = filled(arrival(2), arrival(3), arrival(4, backfilled=True), arrival(5))
    taken = inbox.take_along(arrival(1), 10)
    assert [candle.timestamp // 60_000 for candle in taken] == [1, 2, 3]
    assert len(inbox) == 2


def test_no_more_candles_are_taken_than_allowed():
    inbox = filled(arrival(2), arrival(3))
    assert len(inbox.take_along(arrival(1), 2)) == 2
    assert inbox.take() == arrival(3)


def test_a_candle_behind_a_trade_is_left_there():
    inbox = filled(Tick("X/USDT", 1.0, 1.0, 1, "buy"), arrival(2))
    assert len(inbox.take_along(arrival(1), 10)) == 1
    assert len(inbox) == 2


async def test_orders_are_refused_and_the_rest_dropped():
    order, gone = Order(lambda: STEP), Order(lambda: STEP)
    gone.done.cancel()
    inbox = filled(arrival(1), order, gone)
    inbox.refuse_orders(ValueError("it rests"))
    assert len(inbox) == 0
    with pytest.raises(ValueError, match="it rests"):
        await order.done


async def test_whoever_ordered_gets_the_step():
    order = Order(lambda: STEP)
    order.fulfil(STEP)
    order.fulfil(STEP)
    assert await order.done is STEP


async def test_waiting_ends_when_something_comes():
    inbox = Inbox()
    waiting = asyncio.ensure_future(inbox.arrived())
    await asyncio.sleep(0)
    assert not waiting.done()
    inbox.put(arrival(1))
    await waiting
    await inbox.arrived()


def test_a_trade_that_was_looked_at_gives_its_step_or_what_was_raised():
    assert LookedAt(STEP).record() is STEP
    with pytest.raises(ZeroDivisionError):
        LookedAt(ZeroDivisionError("oops")).record()
