import numpy as np
import pytest

from bot.charts import formats

NEW_YEAR = 1_704_067_200_000  # 2024-01-01T00:00:00Z
DAY = 86_400_000


@pytest.mark.parametrize(
    ("value", "text"),
    [(12.34, "+12.3%"), (-1234.5, "−1,234.5%"), (0.0, "0.0%"), (-0.01, "0.0%"), (None, "–")],
)
def test_percentages_carry_a_sign_unless_they_are_nothing(value, text):
    assert formats.format_percent(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234.5, "$1,234.50"), (-3, "−$3.00"), (0, "$0.00"), (0.0123456, "$0.01235")],
)
def test_amounts_have_thousands_separators_and_enough_decimals(value, text):
    assert formats.format_usd(value) == text


def test_the_smallest_prices_are_not_written_as_nothing():
    assert formats.format_number(0.00001234) == "0.00001234"


def test_a_gain_carries_a_plus_where_asked():
    assert formats.format_usd(5, signed=True) == "+$5.00"


def test_a_long_period_is_written_in_days_and_a_short_one_with_hours():
    assert formats.format_period(NEW_YEAR, NEW_YEAR + 30 * DAY) == "2024-01-01 – 2024-01-31 UTC"
    assert (
        formats.format_period(NEW_YEAR, NEW_YEAR + DAY // 2)
        == "2024-01-01 00:00 – 2024-01-01 12:00 UTC"
    )


def test_axis_times_are_utc_text_so_that_no_viewers_zone_shifts_them():
    assert formats.axis_times(np.array([NEW_YEAR, NEW_YEAR + 60_000])) == [
        "2024-01-01T00:00",
        "2024-01-01T00:01",
    ]


def test_axis_times_keep_milliseconds_where_there_are_any():
    assert formats.axis_times(np.array([NEW_YEAR + 1])) == ["2024-01-01T00:00:00.001"]


@pytest.mark.parametrize(
    ("symbol", "prefix"),
    [("BTC/USDT", "$"), ("BTC/USDT:USDT", "$"), ("ETH/BTC", ""), ("BTC", "$"), ("X/FDUSD", "$")],
)
def test_prices_in_dollars_carry_the_dollar_sign(symbol, prefix):
    assert formats.price_prefix(symbol) == prefix
