"""Downloads from the simulated exchange, each of its faults among them."""

import asyncio

import pytest

from data.errors import ExchangeUnavailable
from data.funding import FundingStore
from data.simulator.clock import SteppedClock
from data.simulator.faults import Gap
from data.simulator.server import SimulatedExchange

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NOW = 1_737_383_430_250  # 2025-01-20 14:30:30.250
PRESENT = NOW // MINUTE * MINUTE
START = PRESENT - 3 * DAY


@pytest.fixture
async def simulated():
    async with SimulatedExchange(seed=4, clock=SteppedClock(NOW)) as exchange:
        yield exchange


def assert_same(candles, simulated, start, end):
    truth = simulated.market.candles("BTCUSDT", start, (end - start) // MINUTE)
    assert candles.timestamp.tolist() == truth["timestamp"].tolist()
    for name in ("open", "high", "low", "close", "volume"):
        assert getattr(candles, name).tolist() == truth[name].tolist()
    delta = 2.0 * truth["taker_buy_base"] - truth["volume"]
    assert candles.volume_delta.tolist() == delta.tolist()


@pytest.mark.parametrize("symbol", ["BTC/USDT", "BTC/USDT:USDT"])
async def test_candles_are_those_of_the_market(symbol, simulated, provide, store):
    provider, key = provide("simulated", simulated.rest_url, symbol)
    async with provider:
        summary = await provider.complete(key, START, NOW)

    assert_same(store.read(key), simulated, START, PRESENT)
    assert summary.fetched == 3 * 24 * 60
    assert summary.notices == ()
    assert store.coverage(key).volume_delta_source == "taker"


async def test_symbols_are_offered_in_the_short_spelling(simulated, connect):
    async with connect("simulated", simulated.rest_url) as exchange:
        symbols = await exchange.symbols()

    assert "BTC/USDT" in symbols
    assert len(symbols) == len(simulated.market.symbols)


async def test_open_interest_and_funding_come_along(simulated, provide, store, tmp_path):
    provider, key = provide("simulated", simulated.rest_url)
    async with provider:
        await provider.complete(key, START, NOW)

    interest = store.read(key).open_interest
    history = FundingStore(tmp_path / "funding").read("simulated", "BTC/USDT")
    assert (interest > 0).all()
    assert len(history) == 9


@pytest.mark.parametrize(
    "fault", ["too_many_requests", "banned", "server_error", "reset", "truncated"]
)
async def test_passing_faults_cost_no_candle(fault, simulated, provide, store):
    provider, key = provide("simulated", simulated.rest_url)
    async with provider:
        await provider.now()
        # twice as many resets: the HTTP client repeats a broken GET once by itself
        simulated.faults.set(**{fault: 6, "retry_after_s": 30})
        await provider.complete(key, START, NOW)

    assert simulated.faults.counters[fault] == 6
    assert_same(store.read(key), simulated, START, PRESENT)
    assert store.known_gaps(key) == ()


async def test_a_wait_that_the_exchange_asks_for_is_kept(simulated, provide, fake_time):
    provider, key = provide("simulated", simulated.rest_url)
    async with provider:
        await provider.now()
        simulated.faults.set(too_many_requests=1, retry_after_s=45)
        began = fake_time.now
        await provider.complete(key, START, NOW)

    assert fake_time.now - began >= 45


async def test_slow_answers_are_given_up_and_asked_for_again(simulated, provide, store):
    provider, key = provide("simulated", simulated.rest_url, timeout_s=0.8)
    async with provider:
        await provider.now()
        simulated.faults.set(rest_path="/fapi/v1/klines", slow=2, slow_seconds=1.5)
        await provider.complete(key, START, NOW)

    assert simulated.faults.counters["slow"] == 2
    assert_same(store.read(key), simulated, START, PRESENT)


async def test_a_long_ban_is_told(simulated, provide):
    provider, key = provide("simulated", simulated.rest_url)
    async with provider:
        await provider.now()
        simulated.faults.set(banned=1, retry_after_s=7200)
        with pytest.raises(ExchangeUnavailable, match="asks for a pause of 120 minutes"):
            await provider.complete(key, START, NOW)


async def test_an_outage_is_given_up_with_advice(simulated, provide, store):
    provider, key = provide("simulated", simulated.rest_url)
    async with provider:
        await provider.now()
        await simulated.set_faults(outage_until_ms=NOW + HOUR)
        with pytest.raises(ExchangeUnavailable, match="check the network"):
            await provider.complete(key, START, NOW)
        await simulated.set_faults(outage_until_ms=0)
        await provider.complete(key, START, NOW)

    assert_same(store.read(key), simulated, START, PRESENT)


async def test_gaps_of_the_exchange_stay_gaps(simulated, provide, store):
    first, last = START + 10 * HOUR, START + 13 * HOUR
    simulated.faults.set(gaps=(Gap("BTCUSDT", first, last),))
    provider, key = provide("simulated", simulated.rest_url)
    async with provider:
        summary = await provider.complete(key, START, NOW)
        requests = simulated.faults.counters["GET /fapi/v1/klines"]
        await provider.complete(key, START, PRESENT)

    assert [(gap.first, gap.last) for gap in summary.gaps] == [(first, last)]
    assert [(gap.first, gap.last) for gap in store.coverage(key).gaps] == [(first, last)]
    assert simulated.faults.counters["GET /fapi/v1/klines"] == requests


async def test_a_wrong_machine_clock_changes_nothing(simulated, provide, store, fake_time):
    fake_time.now = -5e9
    provider, key = provide("simulated", simulated.rest_url)
    async with provider:
        assert await provider.now() == NOW
        await provider.complete(key, START, NOW + DAY)

    assert store.coverage(key).last == PRESENT - MINUTE


@pytest.mark.parametrize("offset_ms", [-2 * HOUR, -500, 20_000, 89_000])
async def test_a_server_time_that_is_off_stores_no_forming_candle(
    offset_ms, simulated, provide, store
):
    simulated.faults.set(time_offset_ms=offset_ms)
    provider, key = provide("simulated", simulated.rest_url)
    async with provider:
        await provider.complete(key, START, NOW + DAY)

    candles = store.read(key)
    assert candles.timestamp[-1] < PRESENT
    assert_same(candles, simulated, START, int(candles.close_time[-1]))
    assert store.known_gaps(key) == ()


async def test_the_market_moves_on_and_the_cache_follows(simulated, provide, store):
    provider, key = provide("simulated", simulated.rest_url)
    async with provider:
        await provider.complete(key, START, NOW)
        for hours in (1, 2, 26):
            await simulated.clock.advance_to(NOW + hours * HOUR)
            await provider.top_up(key)
            end = (NOW + hours * HOUR) // MINUTE * MINUTE
            assert_same(store.read(key), simulated, START, end)


async def test_the_enforced_weight_is_respected_when_asked_to(provide, store, fake_time):
    async with SimulatedExchange(seed=4, clock=SteppedClock(NOW), rate_limit=True) as simulated:
        provider, key = provide("simulated", simulated.rest_url, rate_limit=True)
        async with provider:
            await provider.complete(key, PRESENT - 10 * DAY, NOW)

        assert simulated.faults.counters["over_weight"] == 0
        assert simulated.faults.counters["GET /fapi/v1/klines"] >= 29
    assert store.coverage(key).candles == 10 * 24 * 60


async def test_two_fetches_at_once_disturb_nothing(simulated, provide, store):
    one, key = provide("simulated", simulated.rest_url)
    two, _ = provide("simulated", simulated.rest_url)
    async with one, two:
        await asyncio.gather(one.complete(key, START, NOW), two.complete(key, START + DAY, NOW))

    assert_same(store.read(key), simulated, START, PRESENT)


async def test_a_coin_listed_lately_is_fetched_from_its_listing(provide, store):
    listed_at = PRESENT - 40 * DAY
    clock = SteppedClock(NOW)
    async with SimulatedExchange(seed=4, clock=clock, listed_at=listed_at) as simulated:
        provider, key = provide("simulated", simulated.rest_url)
        async with provider:
            await provider.top_up(key)
            requests = simulated.faults.counters["GET /fapi/v1/klines"]
            await provider.complete(key, NOW - 4 * 365 * DAY, PRESENT)

        assert simulated.faults.counters["GET /fapi/v1/klines"] == requests
        assert requests < 40 * 24 * 60 // 1499 + 25
    assert store.coverage(key).first == listed_at
    assert store.coverage(key).gaps == ()
