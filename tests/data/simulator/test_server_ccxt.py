"""Unmodified ccxt works against the simulated exchange."""

import asyncio

import ccxt
import pytest

from data.simulator.clock import SimulatorClock
from data.simulator.path import DAY_MS, MINUTE_MS
from data.simulator.server import SimulatedExchange

SYMBOL = "BTC/USDT:USDT"


async def test_ccxt_loads_the_markets_with_their_steps(exchange, connect_ccxt):
    async with connect_ccxt(exchange) as client:
        markets = await client.load_markets()

    assert len(markets) == len(exchange.market.symbols)
    bitcoin = markets[SYMBOL]
    assert (bitcoin["precision"]["amount"], bitcoin["precision"]["price"]) == (0.001, 0.1)
    assert bitcoin["swap"]
    assert bitcoin["linear"]
    assert bitcoin["active"]
    assert set(exchange.faults.counters) == {"GET /fapi/v1/exchangeInfo"}


async def test_ccxt_fetches_candles_with_the_forming_one_last(exchange, clock, connect_ccxt):
    async with connect_ccxt(exchange) as client:
        rows = await client.fetch_ohlcv(SYMBOL, "1m", limit=10)

    forming_open = clock.now_ms() // MINUTE_MS * MINUTE_MS
    assert [row[0] for row in rows] == [forming_open - i * MINUTE_MS for i in range(9, -1, -1)]
    expected = exchange.market.candles("BTCUSDT", rows[0][0], 9)
    names = ["timestamp", "open", "high", "low", "close", "volume"]
    assert [tuple(row) for row in rows[:-1]] == [tuple(row) for row in expected[names].tolist()]


async def test_ccxt_fetches_candles_from_a_time_on(exchange, clock, connect_ccxt):
    since = clock.now_ms() - 100 * DAY_MS
    async with connect_ccxt(exchange) as client:
        rows = await client.fetch_ohlcv(SYMBOL, "1h", since=since, limit=1000)

    assert len(rows) == 1000
    assert 0 < rows[0][0] - since <= 3_600_000


async def test_the_raw_klines_have_twelve_fields_of_text(exchange, connect_ccxt):
    async with connect_ccxt(exchange) as client:
        rows = await client.fapiPublicGetKlines({"symbol": "BTCUSDT", "interval": "5m"})

    assert len(rows) == 500
    for row in rows:
        assert len(row) == 12
        assert all(isinstance(row[i], str) for i in (1, 2, 3, 4, 5, 7, 9, 10, 11))
        assert 0 <= float(row[9]) <= float(row[5])
        assert int(row[6]) - int(row[0]) == 5 * MINUTE_MS - 1


async def test_ccxt_reads_the_time(exchange, clock, connect_ccxt):
    async with connect_ccxt(exchange) as client:
        assert await client.fetch_time() == clock.now_ms()


async def test_ccxt_fetches_funding_history(exchange, clock, connect_ccxt):
    async with connect_ccxt(exchange) as client:
        rates = await client.fetch_funding_rate_history(
            SYMBOL, since=clock.now_ms() - 30 * DAY_MS, limit=1000
        )
        current = await client.fetch_funding_rate(SYMBOL)

    assert len(rates) == 90
    times = [rate["timestamp"] for rate in rates]
    assert times == list(range(times[0], times[0] + 90 * 28_800_000, 28_800_000))
    assert all(abs(rate["fundingRate"]) < 0.001 for rate in rates)
    assert current["fundingTimestamp"] == rates[-1]["timestamp"] + 8 * 3_600_000


async def test_ccxt_fetches_open_interest_history(exchange, clock, connect_ccxt):
    async with connect_ccxt(exchange) as client:
        rows = await client.fetch_open_interest_history(SYMBOL, "5m", limit=500)
        newest = await client.fetch_open_interest(SYMBOL)
        with pytest.raises(ccxt.BaseError, match="startTime"):
            await client.fetch_open_interest_history(SYMBOL, "5m", clock.now_ms() - 40 * DAY_MS)

    assert len(rows) == 500
    assert rows[-1]["timestamp"] == clock.now_ms() // 300_000 * 300_000
    assert rows[-1]["openInterestAmount"] == newest["openInterestAmount"]
    assert rows[-1]["openInterestValue"] > rows[-1]["openInterestAmount"]


async def test_ccxt_fetches_a_ticker(exchange, connect_ccxt):
    async with connect_ccxt(exchange) as client:
        ticker = await client.fetch_ticker(SYMBOL)
        candles = await client.fetch_ohlcv(SYMBOL, "1m", limit=1000)

    assert ticker["last"] == candles[-1][4]
    assert ticker["low"] <= ticker["last"] <= ticker["high"]


async def test_ccxt_names_a_wrong_symbol_and_too_many_requests(exchange, connect_ccxt):
    async with connect_ccxt(exchange) as client:
        with pytest.raises(ccxt.BadSymbol):
            await client.fapiPublicGetKlines({"symbol": "NOPEUSDT", "interval": "1m"})
        exchange.faults.set(too_many_requests=1)
        with pytest.raises(ccxt.DDoSProtection):
            await client.fetch_time()
        exchange.faults.set(banned=1)
        with pytest.raises(ccxt.DDoSProtection):
            await client.fetch_time()
        exchange.faults.set(reset=2)  # the HTTP client repeats a broken GET once by itself
        with pytest.raises(ccxt.NetworkError):
            await client.fetch_time()


async def test_ccxt_watches_candles_over_its_own_socket(connect_ccxt):
    clock = SimulatorClock(1_735_741_830_250, speed=20.0)
    async with (
        SimulatedExchange(seed=4, clock=clock) as exchange,
        connect_ccxt(exchange, pro=True) as client,
    ):
        candles = await asyncio.wait_for(client.watch_ohlcv(SYMBOL, "1m"), 20)

    assert candles[-1][0] >= 1_735_741_800_000
    assert candles[-1][5] > 0
