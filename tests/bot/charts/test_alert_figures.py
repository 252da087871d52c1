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


def test_a_summary_without_equity_is_not_drawn():
    alone = EquityCurve(wave_candles().timestamp[:1], wave_candles().close[:1])

    with pytest.raises(NothingToDraw, match="no test has equity"):
        summary_figure_json(START, START + 1, {"one": alone}, is_simulated=False)
