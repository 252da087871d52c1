"""The pictures of alerts are those that were reviewed."""

import json

import pytest

from tests.bot.charts.golden_figures import FOLDER, compute, lost_trade, wave_candles, wave_trade


def close_to(value):
    """Compare numbers nearly and everything else exactly, however deep."""
    if isinstance(value, dict):
        return {key: close_to(item) for key, item in value.items()}
    if isinstance(value, list):
        return [close_to(item) for item in value]
    return pytest.approx(value, rel=1e-6, abs=1e-5) if isinstance(value, float) else value


@pytest.mark.parametrize("name", ["one_trade", "one_trade_lost", "summary"])
def test_a_figure_is_the_one_that_was_reviewed(name):
    reviewed = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))

    assert compute()[name] == close_to(reviewed)


def test_every_golden_figure_is_computed():
    assert {path.stem for path in FOLDER.glob("*.json")} == set(compute())


@pytest.mark.parametrize("make", [wave_trade, lost_trade])
def test_the_trades_of_the_pictures_can_be_true(make):
    trade = make(wave_candles())

    fell = trade.entry_price - trade.exit_price
    assert trade.pnl == pytest.approx(trade.size * fell - trade.fees)
    assert trade.pnl_percent == pytest.approx(100 * trade.pnl / trade.size_usd)
    assert trade.take_profit < trade.entry_price < trade.stop_loss
    assert trade.exit_price == (trade.take_profit if fell > 0 else trade.stop_loss)
