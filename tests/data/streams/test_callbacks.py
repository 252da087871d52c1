"""Coarser candles made of minutes, of which an exchange may lack some."""

import pytest

from data.streams.callbacks import CandleMaker
from engine.candles import Candle
from engine.timeframe import MINUTE_MS

START = 1_735_741_800_000


def candle(minute):
    price = 100.0 + minute
    return Candle(START + minute * MINUTE_MS, price, price + 1, price - 1, price, 2.0)


@pytest.mark.parametrize("last", [2, 3])
def test_a_candle_whose_last_minutes_do_not_exist_comes_with_the_first_of_the_next(last):
    maker = CandleMaker("5m")
    assert [maker.take(candle(minute)) for minute in range(last + 1)] == [[]] * (last + 1)
    (made,) = maker.take(candle(5))

    assert (made.timestamp, made.open, made.close) == (START, 100.0, 100.0 + last)
    assert made.volume == 2.0 * (last + 1)


def test_one_minute_can_show_two_candles_to_be_over():
    maker = CandleMaker("5m")
    maker.take(candle(0))
    made = maker.take(candle(9))

    assert [each.timestamp for each in made] == [START, START + 5 * MINUTE_MS]
    assert [each.volume for each in made] == [2.0, 2.0]
