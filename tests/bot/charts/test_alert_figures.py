"""Figures of alerts are made only of what is known."""

import json

import pytest

from bot.charts.alert_figures import summary_figure_json, trade_figure_json, trade_window
from bot.charts.errors import NothingToDraw
from engine.candles import CandleSeries
from engine.results import EquityCurve
from tests.bot.charts.golden_figures import START, wave_candles, wave_trade


def draw(trade, candles):
    return trade_figure_json(trade, "BTC/USDT", candles, is_simulated=False)


def test_a_trade_with_its_candles_is_drawn():
    candles = wave_candles()
    trade = wave_trade(candles)
    start, end = trade_window(trade)

    figure = json.loads(draw(trade, candles.between(start, end)))

    assert figure["data"][0]["type"] == "candlestick"


@pytest.mark.parametrize(("first", "stop"), [(0, 0), (0, 100), (500, 600), (0, 370), (380, 600)])
def test_a_trade_whose_candles_are_not_known_is_not_drawn(first, stop):
    candles = wave_candles()
    trade = wave_trade(candles)
    part = candles.part(first, stop) if stop else CandleSeries.empty()

    with pytest.raises(NothingToDraw, match="not known"):
        draw(trade, part)


@pytest.mark.parametrize("stop", [431, 429])
def test_the_candle_that_still_forms_may_be_missing(stop):
    candles = wave_candles()

    assert draw(wave_trade(candles), candles.part(150, stop))


@pytest.mark.parametrize(
    ("minutes", "first", "stop"),
    [
        (120, 335, 431),
        (120, 311, 407),
        (120, 323, 419),
        (4, 314, 315),
        (4, 311, 312),
    ],
)
def test_a_fifth_of_a_trade_or_three_minutes_may_be_missing_and_no_minute_more(
    minutes, first, stop
):
    candles = wave_candles()
    trade = wave_trade(candles, 310, 310 + minutes)

    assert draw(trade, candles.part(first, stop))
    for less in (candles.part(first + 1, stop), candles.part(first, stop - 1)):
        with pytest.raises(NothingToDraw, match="not known"):
            draw(trade, less)


def test_a_summary_without_equity_is_not_drawn():
    alone = EquityCurve(wave_candles().timestamp[:1], wave_candles().close[:1])

    with pytest.raises(NothingToDraw, match="no test has equity"):
        summary_figure_json(START, START + 1, {"one": alone}, is_simulated=False)
