"""Candles without a closing mark, and volume deltas made of trades."""

import pytest

from data.streams.closing import StateCloser, TradeTally
from data.venues.base_stream import StreamTrade
from engine.candles import Candle
from engine.timeframe import MINUTE_MS


def state(open_time, close=10.0, volume=1.0):
    return Candle(open_time, 9.0, 11.0, 8.0, close, volume)


def test_a_candle_is_closed_when_a_later_one_begins():
    closer = StateCloser()

    assert closer.update(state(0, 9.5)) == []
    assert closer.update(state(0, 10.5)) == []
    assert closer.update(state(3 * MINUTE_MS)) == [state(0, 10.5)]


def test_a_candle_is_due_once_its_minute_is_over():
    closer = StateCloser()
    assert not closer.is_due(MINUTE_MS)
    closer.update(state(0))

    assert not closer.is_due(MINUTE_MS - 1)
    assert closer.is_due(MINUTE_MS)
    assert closer.close() == [state(0)]
    assert closer.close() == []
    assert closer.update(state(MINUTE_MS)) == []


def test_a_state_that_comes_late_is_handed_on():
    closer = StateCloser()
    closer.update(state(MINUTE_MS))
    assert closer.update(state(0, 12.0)) == [state(0, 12.0)]


def test_a_broken_connection_closes_nothing():
    closer = StateCloser()
    closer.update(state(0))
    closer.forget()
    assert closer.update(state(MINUTE_MS)) == []


def test_trades_that_make_up_the_volume_give_the_delta():
    tally = TradeTally()
    tally.add(StreamTrade("X", 10.0, 0.75, 59_999, "buy"))
    tally.add(StreamTrade("X", 10.0, 0.25, 0, "sell"))
    tally.add(StreamTrade("X", 10.0, 9.0, 60_000, "sell"))

    assert tally.complete(state(0)).volume_delta == 0.5
    assert tally.complete(state(2 * MINUTE_MS, volume=0.0)).volume_delta == 0.0


@pytest.mark.parametrize(("close", "delta"), [(10.0, 1.0), (8.5, -1.0), (9.0, 0.0)])
def test_where_trades_are_missing_the_direction_stands_in(close, delta):
    tally = TradeTally()
    tally.add(StreamTrade("X", 10.0, 0.75, 0, "buy"))
    assert tally.complete(state(0, close)).volume_delta == delta


def test_a_known_delta_is_kept():
    candle = Candle(0, 9.0, 11.0, 8.0, 10.0, 1.0, volume_delta=-0.25)
    assert TradeTally().complete(candle) is candle


def test_only_a_few_minutes_are_remembered():
    tally = TradeTally()
    for minute in range(20):
        tally.add(StreamTrade("X", 10.0, 1.0, minute * MINUTE_MS, "sell"))

    assert tally.complete(state(19 * MINUTE_MS)).volume_delta == -1.0
    assert tally.complete(state(0)).volume_delta == 1.0  # by direction: forgotten
