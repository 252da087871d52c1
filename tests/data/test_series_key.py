"""What a folder of the store is taken for, and what is none of its own."""

import pytest

from data.series_key import SeriesKey


@pytest.mark.parametrize(
    "key",
    [SeriesKey("binance", "BTC/USDT", "1m"), SeriesKey("bybit", "BTC/USDT:USDT", "4h")],
)
def test_the_name_of_a_folder_leads_back_to_its_series(key):
    assert SeriesKey.from_folder(key.exchange, key.folder) == key


@pytest.mark.parametrize(
    "folder", ["notes", "BTC_USDT.parquet", "BTC_USDT_7m.parquet", "_1m.parquet", ".tmp_1m.parquet"]
)
def test_a_folder_that_is_no_series_is_passed_over(folder):
    assert SeriesKey.from_folder("binance", folder) is None
