"""REST answers: bounds of klines, errors, weights and labels."""

import json

import aiohttp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.simulator.clock import SteppedClock
from data.simulator.intervals import interval_ms, interval_names, next_open_time, open_time_of
from data.simulator.klines import select_klines
from data.simulator.limits import WeightLimit, request_weight
from data.simulator.market import LISTED_AT_MS, SimulatedMarket
from data.simulator.path import MINUTE_MS
from data.simulator.render import decimal_text, klines_json
from data.simulator.server import SimulatedExchange

MARKET = SimulatedMarket(21)
NOON = 1_735_732_800_000  # 2025-01-01 12:00


async def get(http, path, **query):
    async with http.get(path, params=query) as response:
        return response, await response.json()


@settings(max_examples=150, deadline=None)
@given(
    interval=st.sampled_from(interval_names()),
    now=st.integers(NOON, NOON + 7 * 86_400_000),
    limit=st.integers(1, 60),
    back=st.none() | st.integers(-100_000, 90_000_000),
    span=st.none() | st.integers(0, 90_000_000),
)
def test_klines_are_those_within_the_inclusive_bounds(interval, now, limit, back, span):
    start = None if back is None else now - back
    end = None if span is None else (now - 90_000_000 if start is None else start) + span
    rows = select_klines(
        MARKET, "ETHUSDT", interval, now_ms=now, limit=limit, start_ms=start, end_ms=end
    )

    length = interval_ms(interval)
    last = open_time_of(now if end is None else min(now, end), length)
    first = last - 59 * length if start is None else next_open_time(start, length)
    expected = list(range(first, last + 1, length))
    expected = expected[-limit:] if start is None else expected[:limit]
    assert rows["timestamp"].tolist() == expected


@settings(max_examples=60, deadline=None)
@given(interval=st.sampled_from(interval_names()), now=st.integers(NOON, NOON + 7 * 86_400_000))
def test_the_forming_candle_holds_what_has_traded_and_no_more(interval, now):
    length = interval_ms(interval)
    forming = select_klines(MARKET, "ETHUSDT", interval, now_ms=now, limit=1)[0]
    final = MARKET.bars("ETHUSDT", interval, open_time_of(now, length), 1)[0]
    ticks = MARKET.ticks("ETHUSDT", open_time_of(now, MINUTE_MS))
    seen = int(np.searchsorted(ticks.time_ms, now, side="right"))

    assert forming["timestamp"] == final["timestamp"]
    assert forming["open"] == final["open"]
    assert forming["close"] == ticks.price[seen - 1]
    assert final["low"] <= forming["low"] <= forming["high"] <= final["high"]
    for name in ("volume", "quote_volume", "trades", "taker_buy_base", "taker_buy_quote"):
        assert 0 <= forming[name] <= final[name]


@pytest.mark.parametrize("interval", interval_names())
def test_a_candle_is_complete_in_its_last_millisecond(interval):
    length = interval_ms(interval)
    opened = open_time_of(NOON, length)
    forming = select_klines(MARKET, "ETHUSDT", interval, now_ms=opened + length - 1, limit=1)

    assert forming[0] == MARKET.bars("ETHUSDT", interval, opened, 1)[0]


def test_there_is_nothing_before_the_listing_and_nothing_in_the_future():
    before = select_klines(MARKET, "ETHUSDT", "1m", now_ms=LISTED_AT_MS - 1, limit=5)
    early = select_klines(MARKET, "ETHUSDT", "1m", now_ms=NOON, limit=5, start_ms=0)
    ended = select_klines(MARKET, "ETHUSDT", "1m", now_ms=NOON, limit=5, end_ms=1000)
    future = select_klines(MARKET, "ETHUSDT", "1m", now_ms=NOON, limit=5, start_ms=NOON + 1)

    assert len(before) == len(ended) == len(future) == 0
    assert early["timestamp"][0] == LISTED_AT_MS


@pytest.mark.parametrize("symbol", ["BTCUSDT", "DOGEUSDT", "SOLUSDT"])
def test_the_text_of_klines_is_exact(symbol):
    spec = MARKET.spec(symbol)
    units = MARKET.minutes(symbol, NOON, NOON + 20 * MINUTE_MS)
    rows = json.loads(klines_json(units, spec, MINUTE_MS))

    floats = MARKET.candles(symbol, NOON, 20)
    for row, unit, value in zip(rows, units, floats, strict=True):
        assert row[0] == unit["timestamp"]
        assert row[6] == unit["timestamp"] + 59_999
        assert row[1] == decimal_text(int(unit["open"]), spec.price_decimals)
        assert row[10] == decimal_text(int(unit["taker_buy_quote"]), spec.quote_decimals)
        assert [float(row[i]) for i in (1, 2, 3, 4, 5)] == [
            value[name] for name in ("open", "high", "low", "close", "volume")
        ]
        assert float(row[7]) == value["quote_volume"]
        assert float(row[9]) == value["taker_buy_base"]
        assert row[8] == value["trades"]
        assert row[11] == "0"
    assert klines_json(units[:0], spec, MINUTE_MS) == "[]"


def test_decimals_keep_their_zeros():
    assert decimal_text(5, 3) == "0.005"
    assert decimal_text(64_049_30, 2) == "64049.30"
    assert decimal_text(7, 0) == "7"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"symbol": "NOPEUSDT", "interval": "1m"}, -1121),
        ({"interval": "1m"}, -1102),
        ({"symbol": "BTCUSDT"}, -1102),
        ({"symbol": "BTCUSDT", "interval": "2m"}, -1120),
        ({"symbol": "BTCUSDT", "interval": "1m", "startTime": "yesterday"}, -1100),
        ({"symbol": "BTCUSDT", "interval": "1m", "limit": "1501"}, -1130),
        ({"symbol": "BTCUSDT", "interval": "1m", "limit": "0"}, -1130),
        ({"symbol": "BTCUSDT", "interval": "1m", "startTime": "2", "endTime": "1"}, -1023),
    ],
)
async def test_wrong_parameters_get_the_exchange_s_errors(http, query, code):
    response, body = await get(http, "/fapi/v1/klines", **query)

    assert response.status == 400
    assert body["code"] == code
    assert body["msg"]


async def test_everything_is_labelled_simulated(http):
    response, body = await get(http, "/fapi/v1/exchangeInfo")
    assert body["simulated"] is True
    for path in ("/fapi/v1/ping", "/fapi/v1/klines", "/nowhere", "/simulator/state"):
        async with http.get(path) as answer:
            assert answer.headers["X-Simulated"] == "1"
    assert response.headers["X-Simulated"] == "1"


async def test_the_same_seed_and_time_give_the_same_bytes(clock, http):
    query = {"symbol": "SOLUSDT", "interval": "15m", "limit": "1500"}
    async with (
        SimulatedExchange(seed=4, clock=SteppedClock(clock.now_ms())) as twin,
        aiohttp.ClientSession(twin.rest_url) as other,
        http.get("/fapi/v1/klines", params=query) as first,
        other.get("/fapi/v1/klines", params=query) as second,
    ):
        assert await first.read() == await second.read()


async def test_funding_and_open_interest_end_at_the_market_s_present(http, clock):
    _, funding = await get(http, "/fapi/v1/fundingRate", symbol="BTCUSDT", limit="3")
    _, everyone = await get(http, "/fapi/v1/fundingRate", limit="1")
    _, early = await get(
        http, "/fapi/v1/fundingRate", symbol="BTCUSDT", startTime=str(LISTED_AT_MS), limit="2"
    )
    _, never = await get(http, "/fapi/v1/fundingRate", symbol="BTCUSDT", endTime="1000")
    _, interest = await get(http, "/futures/data/openInterestHist", symbol="BTCUSDT", period="1h")
    response, wrong = await get(
        http, "/futures/data/openInterestHist", symbol="BTCUSDT", period="3m"
    )

    assert len(funding) == 3
    assert funding[-1]["fundingTime"] <= clock.now_ms() < funding[-1]["fundingTime"] + 28_800_000
    assert len(everyone) == 20
    assert [row["fundingTime"] for row in early] == [LISTED_AT_MS, LISTED_AT_MS + 28_800_000]
    assert never == []
    assert len(interest) == 30
    assert interest[-1]["timestamp"] == clock.now_ms() // 3_600_000 * 3_600_000
    assert (response.status, wrong["code"]) == (400, -1120)


async def test_prices_of_all_symbols_come_at_once(http):
    _, premiums = await get(http, "/fapi/v1/premiumIndex")
    _, tickers = await get(http, "/fapi/v1/ticker/24hr")

    assert len(premiums) == len(tickers) == 20
    assert all(row["nextFundingTime"] > row["time"] for row in premiums)
    assert all(
        float(row["lowPrice"]) <= float(row["lastPrice"]) <= float(row["highPrice"])
        for row in tickers
    )


async def test_every_answer_tells_the_weight_used(http):
    for _ in range(2):
        response, _ = await get(
            http, "/fapi/v1/klines", symbol="BTCUSDT", interval="1m", limit="1500"
        )
    assert int(response.headers["X-MBX-USED-WEIGHT-1M"]) in (10, 20)  # a minute may just begin


@pytest.mark.parametrize(
    ("path", "query", "weight"),
    [
        ("/fapi/v1/klines", {"limit": "99"}, 1),
        ("/fapi/v1/klines", {"limit": "100"}, 2),
        ("/fapi/v1/klines", {"limit": "500"}, 5),
        ("/fapi/v1/klines", {"limit": "1000"}, 5),
        ("/fapi/v1/klines", {"limit": "1001"}, 10),
        ("/fapi/v1/klines", {}, 5),
        ("/fapi/v1/klines", {"limit": "many"}, 5),
        ("/fapi/v1/premiumIndex", {"symbol": "BTCUSDT"}, 1),
        ("/fapi/v1/premiumIndex", {}, 10),
        ("/fapi/v1/ping", {}, 1),
        ("/futures/data/openInterestHist", {}, 0),
    ],
)
def test_weights_are_the_exchange_s(path, query, weight):
    assert request_weight(path, query) == weight


def test_requests_over_the_limit_wait_for_the_next_minute():
    now = [120.0]
    limit = WeightLimit(20, monotonic=lambda: now[0])

    assert limit.admit(20).allowed
    now[0] = 150.0
    refused = limit.admit(1)
    assert not refused.allowed
    assert refused.retry_after_s == 31
    now[0] += refused.retry_after_s
    assert limit.admit(1).used_weight == 1
    assert WeightLimit(1, enforced=False, monotonic=lambda: 0.0).admit(100).allowed


async def test_the_server_refuses_more_than_its_weight_per_minute(clock):
    query = {"symbol": "BTCUSDT", "interval": "1m", "limit": "1001"}
    async with (
        SimulatedExchange(seed=4, clock=clock) as strict,
        aiohttp.ClientSession(strict.rest_url) as http,
    ):
        # two minutes' worth: wherever the minute begins, one of them is over its limit
        answers = [await get(http, "/fapi/v1/klines", **query) for _ in range(481)]

    refused = [(response, body) for response, body in answers if response.status == 429]
    assert refused
    assert refused[0][1]["code"] == -1003
    assert 1 <= int(refused[0][0].headers["Retry-After"]) <= 61
