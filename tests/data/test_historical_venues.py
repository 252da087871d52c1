"""Downloads from Bybit, Hyperliquid and Binance's perpetuals, in their own protocols."""

import numpy as np
import pytest

from data.errors import UnknownSymbol
from data.orderflow import approximate_volume_delta

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


@pytest.fixture
def present(market):
    """The open time of the forming candle."""
    return market.now // MINUTE * MINUTE


def assert_same(candles, market, start, end):
    times = market.opens(start, end - 1, MINUTE)
    rows = np.array([market.row(t) for t in times], dtype=float)
    assert candles.timestamp.tolist() == times
    for index, name in enumerate(("open", "high", "low", "close", "volume")):
        assert np.array_equal(getattr(candles, name), rows[:, index])


@pytest.mark.parametrize("symbol", ["BTC/USDT", "BTC/USDT:USDT"])
async def test_bybit_pages_that_come_newest_first_become_one_series(
    symbol, bybit, provide, store, market, present
):
    provider, key = provide("bybit", bybit.url, symbol)
    start, end = present - 60 * HOUR, present
    async with provider:
        candles = await provider.get_historical_candles(symbol, "1m", start, end)

    assert_same(candles, market, start, end)
    category = "linear" if ":" in symbol else "spot"
    klines = bybit.asked("/v5/market/kline")
    assert {query["category"] for query in klines} == {category}
    assert {query["limit"] for query in klines} == {"1000"}
    assert len([query for query in klines if query["interval"] == "1"]) == 4
    assert store.coverage(key).gaps == ()


async def test_bybits_volume_delta_is_approximated_and_says_so(bybit, provide, store, present):
    provider, key = provide("bybit", bybit.url)
    async with provider:
        candles = await provider.get_historical_candles("BTC/USDT", "1m", present - HOUR, present)

    expected = approximate_volume_delta(candles.open, candles.close, candles.volume)
    assert np.array_equal(candles.volume_delta, expected)
    assert store.coverage(key).volume_delta_source == "approximated"


async def test_bybits_listing_is_found_though_lists_come_newest_first(
    bybit, provide, store, market, present
):
    market.listed_at = present - 20 * DAY
    provider, key = provide("bybit", bybit.url)
    async with provider:
        summary = await provider.complete(key, present - 4 * 365 * DAY, present)

    assert summary.first == market.listed_at
    assert store.missing_ranges(key, present - 4 * 365 * DAY, present) == []
    assert len(bybit.requests) < 60


async def test_hyperliquids_newest_candles_come_in_one_request(
    hyperliquid, provide, store, market, present
):
    provider, key = provide("hyperliquid", hyperliquid.url, "BTC/USDC:USDC")
    async with provider:
        summary = await provider.complete(key, present - 30 * DAY, market.now)

    candles = store.read(key)
    assert_same(candles, market, present - 4999 * MINUTE, present)
    (request,) = hyperliquid.asked("candleSnapshot")
    assert request["req"]["coin"] == "BTC"
    assert summary.notices[0].startswith("hyperliquid keeps only the latest 5000 candles")
    assert store.known_gaps(key) == ()


async def test_what_hyperliquid_no_longer_has_is_not_asked_for(
    hyperliquid, provide, store, present
):
    provider, key = provide("hyperliquid", hyperliquid.url, "BTC/USDC:USDC")
    async with provider:
        summary = await provider.complete(key, present - 30 * DAY, present - 20 * DAY)

    assert hyperliquid.asked("candleSnapshot") == []
    assert summary.fetched == 0
    assert "keeps only" in summary.notices[0]


async def test_hyperliquids_spot_pairs_go_by_their_number(hyperliquid, provide, store, present):
    provider, key = provide("hyperliquid", hyperliquid.url, "HFUN/USDC")
    async with provider:
        await provider.complete(key, present - HOUR, present)

    assert hyperliquid.asked("candleSnapshot")[0]["req"]["coin"] == "@1"
    assert store.coverage(key).candles == 60


async def test_a_binance_symbol_names_hyperliquids_own(hyperliquid, provide, present):
    provider, key = provide("hyperliquid", hyperliquid.url, "BTC/USDT")
    async with provider:
        with pytest.raises(UnknownSymbol, match="did you mean BTC/USDC:USDC"):
            await provider.complete(key, present - HOUR, present)


async def test_idle_minutes_of_hyperliquid_are_gaps_once_they_are_old(
    hyperliquid, provide, store, market, present
):
    idle = [
        (present - number * 7 * MINUTE, present - (number * 7 - 1) * MINUTE) for number in (1, 5)
    ]
    market.gaps += idle
    provider, key = provide("hyperliquid", hyperliquid.url, "BTC/USDC:USDC")
    async with provider:
        await provider.complete(key, present - HOUR, present)

    assert store.known_gaps(key) == (idle[1],)
    assert store.coverage(key).candles == 58


async def test_binance_perpetuals_are_fetched_from_their_own_server(
    binance, provide, store, market, present
):
    provider, key = provide("binance", binance.url, "BTC/USDT:USDT")
    start, end = present - 20 * HOUR, present
    async with provider:
        candles = await provider.get_historical_candles("BTC/USDT:USDT", "1m", start, end)

    assert_same(candles, market, start, end)
    rows = [market.row(t) for t in candles.timestamp.tolist()]
    assert candles.volume_delta.tolist() == [2 * row[5] - row[4] for row in rows]
    assert store.coverage(key).volume_delta_source == "taker"
    assert binance.asked("/api/v3") == []
