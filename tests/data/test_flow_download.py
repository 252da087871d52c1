"""Open interest and funding asked for alone: where an exchange has none, and what is refused."""

import numpy as np
import pytest

from data.errors import ExchangeUnavailable
from data.flow_download import fetch_open_interest
from data.funding_download import check_window, download_funding
from data.venues.base import TimedValues

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


async def test_spot_candles_that_wait_for_open_interest_get_none_and_ask_nothing(
    binance, connect, market
):
    closes = np.array([market.now - 2 * MINUTE, market.now - MINUTE])
    async with connect("binance", binance.url) as exchange:
        spot = await exchange.instrument("BTC/USDT")
        values = await fetch_open_interest(exchange, spot, closes, now=market.now)

    assert np.isnan(values).tolist() == [True, True]
    assert binance.asked("openInterest") == []


async def test_candles_older_than_the_history_of_open_interest_get_none_and_ask_nothing(
    binance, connect, market
):
    closes = np.array([market.now - 60 * DAY, market.now - 60 * DAY + HOUR])
    async with connect("binance", binance.url) as exchange:
        perpetual = await exchange.instrument("BTC/USDT:USDT")
        values = await fetch_open_interest(exchange, perpetual, closes, now=market.now)

    assert np.isnan(values).tolist() == [True, True]
    assert binance.asked("openInterest") == []


async def test_spot_has_no_funding_to_download(binance, connect, market):
    async with connect("binance", binance.url) as exchange:
        spot = await exchange.instrument("BTC/USDT")
        missing = [(market.now - DAY, market.now)]
        pages = [page async for page in download_funding(exchange, spot, missing)]

    assert pages == []
    assert binance.asked("fundingRate") == []


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_rate_that_is_no_number_is_refused_by_name(wrong):
    values = TimedValues(np.array([0, HOUR]), np.array([0.1, wrong]))
    with pytest.raises(ExchangeUnavailable, match="funding rates of X: a value is not a number"):
        check_window(values, (0, DAY), "funding rates of X")


def test_rates_of_other_times_than_asked_for_are_refused_with_one_of_them():
    values = TimedValues(np.array([0, HOUR, DAY]), np.array([0.1, 0.1, 0.1]))
    with pytest.raises(ExchangeUnavailable, match=f"1 of 3 values are for other times.*{DAY}"):
        check_window(values, (0, DAY), "funding rates of X")


async def test_candles_stay_as_they_are_where_the_exchange_tells_no_open_interest(
    binance, provide, store, market
):
    binance.spoil = lambda path, query, answer: [] if "openInterestHist" in path else answer
    provider, key = provide("binance", binance.url, "BTC/USDT:USDT")
    present = market.now // MINUTE * MINUTE
    async with provider:
        summary = await provider.complete(key, present - DAY, present)

    assert binance.asked("openInterestHist")
    assert summary.notices == ()
    assert store.read(key).open_interest is None
    assert store.coverage(key).candles == DAY // MINUTE
