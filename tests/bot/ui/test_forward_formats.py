"""Prices and sizes as people write them, however small or large they are."""

import pytest

from bot.ui.forward_formats import amount, level, price, reason_text, side_title


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (43_211.5, "$43,211.50"),
        (2.5, "$2.5000"),
        (0.123456789, "$0.123457"),
        (0.00001234, "$0.00001234"),
        (0.0, "$0"),
    ],
)
def test_a_price_has_the_decimals_that_it_needs_and_no_exponent(value, text):
    assert price(value, "BTC/USDT") == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0.1523, "0.1523 SHIB"),
        (1_234.5, "1,234.5 SHIB"),
        (12_345_678.0, "12,345,700 SHIB"),
        (0.00000012, "0.00000012 SHIB"),
    ],
)
def test_a_size_is_written_out_with_its_asset(size, text):
    assert amount(size, "SHIB/USDT") == text


def test_a_level_tells_how_far_away_it_is_where_a_price_is_known():
    assert level(None, 100.0, "BTC/USDT") == "–"
    assert level(95.0, None, "BTC/USDT") == "$95.0000"
    assert level(95.0, 100.0, "BTC/USDT") == "$95.0000 (−5.00 %)"


def test_a_side_and_a_reason_are_words():
    assert side_title("long", "BTC/USDT") == "🟢 Long BTC/USDT"
    assert reason_text("manual") == "closed by hand"
    assert reason_text("take_profit") == "take profit"
