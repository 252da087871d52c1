"""Open interest and funding that come along with candles."""

import numpy as np
import pytest

from data.errors import NoCandles
from data.funding import FundingStore
from data.orderflow import OPEN_INTEREST_DELAY_MS

MINUTE = 60_000
PERIOD = 5 * MINUTE
HOUR = 60 * MINUTE
DAY = 24 * HOUR


@pytest.fixture
def present(market):
    """The open time of the forming candle."""
    return market.now // MINUTE * MINUTE


@pytest.fixture
def funding(tmp_path):
    return FundingStore(tmp_path / "funding")


def known_at(close_time):
    """The open interest that a fake exchange had published at a time."""
    return (close_time - OPEN_INTEREST_DELAY_MS) // PERIOD % 1000


async def test_candles_carry_the_open_interest_known_at_their_close(
    binance, provide, store, present
):
    provider, key = provide("binance", binance.url, "BTC/USDT:USDT")
    async with provider:
        summary = await provider.complete(key, present - 5 * DAY, present)

    candles = store.read(key)
    assert summary.notices == ()
    assert candles.open_interest.tolist() == [known_at(t) for t in candles.close_time.tolist()]
    assert candles.volume_delta is not None
    assert store.coverage(key).volume_delta_source == "taker"


async def test_binance_has_open_interest_of_a_month_only(binance, provide, store, market, present):
    provider, key = provide("binance", binance.url, "BTC/USDT:USDT", "1h")
    async with provider:
        await provider.complete(key, present - 60 * DAY, present)

    asked = [int(query["startTime"]) for query in binance.asked("openInterestHist")]
    candles = store.read(key)
    known = ~np.isnan(candles.open_interest)
    assert min(asked) >= market.now - 30 * DAY
    assert known[-29 * 24 :].all()
    assert not known[: 29 * 24].any()


async def test_bybits_open_interest_reaches_back(bybit, provide, store, present):
    provider, key = provide("bybit", bybit.url, "BTC/USDT:USDT", "1h")
    async with provider:
        await provider.complete(key, present - 60 * DAY, present)

    candles = store.read(key)
    assert candles.open_interest.tolist() == [known_at(t) for t in candles.close_time.tolist()]
    assert {query["limit"] for query in bybit.asked("open-interest")} == {"200"}


@pytest.mark.parametrize("symbol", ["BTC/USDT"])
async def test_spot_has_no_open_interest_and_no_funding(symbol, binance, provide, store, present):
    provider, key = provide("binance", binance.url, symbol)
    async with provider:
        await provider.complete(key, present - DAY, present)

    assert store.read(key).open_interest is None
    assert binance.asked("openInterestHist") == []
    assert binance.asked("fundingRate") == []


@pytest.mark.parametrize("what", ["openInterestHist", "fundingRate"])
@pytest.mark.parametrize("answer", [[{"timestamp": 5, "fundingTime": 5, "sumOpenInterest": "1",
                                      "fundingRate": "1"}], {"code": "?"}])  # fmt: skip
async def test_a_failure_of_the_extras_costs_no_candles(
    what, answer, binance, provide, store, funding, present
):
    binance.spoil = lambda path, _query, right: answer if what in path else right
    provider, key = provide("binance", binance.url, "BTC/USDT:USDT")
    async with provider:
        summary = await provider.complete(key, present - DAY, present)

    assert summary.fetched == 24 * 60
    assert len(summary.notices) == 1
    is_interest = what == "openInterestHist"
    assert ("without open interest" if is_interest else "funding rates") in summary.notices[0]
    assert (store.read(key).open_interest is None) == is_interest
    assert (len(funding.read(key.exchange, key.symbol)) > 0) == is_interest


async def test_funding_rates_of_the_candles_time_are_stored(
    binance, provide, store, funding, present
):
    provider, key = provide("binance", binance.url, "BTC/USDT:USDT", "1h")
    async with provider:
        await provider.complete(key, present - 100 * DAY, present)

    history = funding.read("binance", "BTC/USDT:USDT")
    candles = store.read(key)
    settlements = [t for t in candles.timestamp.tolist() if t % (8 * HOUR) == 0]
    assert history.time.tolist() == settlements
    assert set(history.rate.tolist()) == {0.0001}


async def test_funding_is_downloaded_once_and_then_from_where_it_ended(
    binance, provide, funding, market, fake_time
):
    provider, key = provide("binance", binance.url, "BTC/USDT:USDT", "1h")
    async with provider:
        await provider.top_up(key, years=0.2)
        first = len(funding.read("binance", "BTC/USDT:USDT"))
        binance.requests.clear()
        market.now += DAY
        fake_time.now += DAY / 1000
        await provider.top_up(key)

    asked = binance.asked("fundingRate")
    assert len(asked) == 1
    assert int(asked[0]["startTime"]) > market.now - 3 * DAY
    assert len(funding.read("binance", "BTC/USDT:USDT")) == first + 3


async def test_a_rate_that_appears_minutes_late_is_fetched_later(
    binance, provide, funding, market, fake_time
):
    settlement = market.now // (8 * HOUR) * 8 * HOUR + 8 * HOUR
    fake_time.now += (settlement + 2 * MINUTE - market.now) / 1000
    market.now = settlement + 2 * MINUTE
    binance.spoil = lambda path, _query, answer: (
        [row for row in answer if row["fundingTime"] < settlement] if "funding" in path else answer
    )
    provider, key = provide("binance", binance.url, "BTC/USDT:USDT")
    async with provider:
        await provider.top_up(key, years=0.003)
        assert funding.read(key.exchange, key.symbol).time[-1] == settlement - 8 * HOUR
        binance.spoil = lambda _path, _query, answer: answer
        market.now += 20 * MINUTE
        fake_time.now += 20 * 60
        await provider.top_up(key)

    assert funding.read(key.exchange, key.symbol).time[-1] == settlement


async def test_hyperliquids_hourly_funding_is_rounded_to_the_hour(
    hyperliquid, provide, store, funding, present
):
    provider, key = provide("hyperliquid", hyperliquid.url, "BTC/USDC:USDC")
    async with provider:
        await provider.complete(key, present - 2 * DAY, present)

    history = funding.read("hyperliquid", "BTC/USDC:USDC")
    assert (history.time % HOUR == 0).all()
    assert len(history) == 48
    assert store.read(key).open_interest is None


async def test_bybits_funding_comes_newest_first_and_is_put_in_order(
    bybit, provide, funding, present
):
    provider, key = provide("bybit", bybit.url, "BTC/USDT:USDT", "1h")
    async with provider:
        await provider.complete(key, present - 30 * DAY, present)

    history = funding.read("bybit", "BTC/USDT:USDT")
    assert len(history) == 90
    assert (np.diff(history.time) == 8 * HOUR).all()


async def test_damaged_funding_is_told_and_costs_no_candles(
    binance, provide, store, tmp_path, present
):
    file = tmp_path / "funding/binance/BTC_USDT_USDT.parquet"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"nonsense")
    provider, key = provide("binance", binance.url, "BTC/USDT:USDT")
    async with provider:
        summary = await provider.complete(key, present - HOUR, present)

    assert "damaged: delete" in summary.notices[0]
    assert store.coverage(key).candles == 60


async def test_no_candles_no_extras(binance, provide, store, market, present):
    market.listed_at = present + 30 * DAY
    provider, key = provide("binance", binance.url, "BTC/USDT:USDT")
    async with provider:
        await provider.complete(key, present - HOUR, present)

    with pytest.raises(NoCandles):
        store.read(key)
    assert binance.asked("fundingRate") == []
