"""Open interest over the streams of Bybit and Hyperliquid, which small servers on loopback play."""

import asyncio
import json
import logging
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from data.ccxt_client import ExchangeSettings
from data.interest_record import InterestRecord
from data.live import LiveDataProvider, LiveInterest
from data.venues.base import Instrument, MarketKind
from data.venues.catalog_stream import find_stream_venue
from engine.candles import Candle, CandleSeries
from engine.timeframe import MINUTE_MS

FIRST = 1_735_741_800_000
GAP_GRACE_S, RECONNECT_S = 0.25, 1.5
IDS = {"bybit": "BTCUSDT", "hyperliquid": "BTC"}
SYMBOLS = {"bybit": "BTC/USDT:USDT", "hyperliquid": "BTC/USDC:USDC"}
CHANNELS = {"bybit": "tickers.BTCUSDT", "hyperliquid": "activeAssetCtx"}


def at(minute, ms=0):
    return FIRST + minute * MINUTE_MS + ms


class Past:
    """The past of candles and of open interest; what it is asked is remembered."""

    def __init__(self, exchange):
        self.exchange, self.now_ms, self.candles = exchange, at(0) + 30_000, []
        self.interest, self.asked = {}, []

    async def now(self):
        return self.now_ms

    async def instrument(self, symbol):
        kind = MarketKind.PERPETUAL if ":" in symbol else MarketKind.SPOT
        return Instrument(symbol, IDS[self.exchange], kind)

    async def fetch(self, symbol, start, end):
        inside = [c for c in self.candles if start <= c.timestamp < end]
        return CandleSeries.from_candles(inside) if inside else CandleSeries.empty()

    async def get_historical_candles(self, symbol, timeframe, start, end):
        raise NotImplementedError

    def is_asked_for(self, instrument):
        return False

    async def newest(self, symbol):
        raise NotImplementedError

    async def at_closes(self, symbol, opens):
        self.asked.append([(time - FIRST) // MINUTE_MS for time in opens])
        return [self.interest.get(time) for time in opens]


class Server:
    """Takes every subscription but those that a test refuses, and sends what a test says."""

    def __init__(self, name):
        self.name, self.refused, self.subscribed, self.sockets = name, "", [], []

    async def handle(self, socket):
        self.sockets.append(socket)
        try:
            async for text in socket:
                await self._answer(socket, json.loads(text))
        except ConnectionClosed:
            pass

    async def _answer(self, socket, request):
        if self.name == "bybit":
            args = request["args"]
            ok = not (self.refused and self.refused in args)
            self.subscribed += args if ok else []
            reply = {"success": ok, "op": request["op"], "req_id": request["req_id"]}
            await socket.send(json.dumps(reply | {"ret_msg": "" if ok else "no such topic"}))
            return
        if request["method"] == "ping":
            return
        self.subscribed.append(request["subscription"]["type"])
        await socket.send(json.dumps({"channel": "subscriptionResponse", "data": request}))

    async def send(self, *frames):
        for frame in frames:
            await self.sockets[-1].send(json.dumps(frame))

    def candle(self, minute):
        """Return the closing frames of a minute: Hyperliquid closes it by the next one's first."""
        prices = {"o": "100", "c": "101", "h": "102", "l": "99", "v": "3"}
        if self.name == "hyperliquid":
            return [
                {"channel": "candle", "data": {"t": at(n), "s": "BTC", "i": "1m", **prices}}
                for n in (minute, minute + 1)
            ]
        long = {"open": "100", "close": "101", "high": "102", "low": "99", "volume": "3"}
        data = [{"start": at(minute), "confirm": True, **long}]
        return [{"topic": "kline.1.BTCUSDT", "ts": at(minute + 1, 150), "data": data}]

    def interest(self, value, time_ms):
        if self.name == "hyperliquid":
            ctx = {"openInterest": str(value)}
            return {"channel": "activeAssetCtx", "data": {"coin": "BTC", "ctx": ctx}}
        data = {"symbol": "BTCUSDT"} | ({} if value is None else {"openInterest": str(value)})
        return {"topic": "tickers.BTCUSDT", "type": "delta", "data": data, "ts": time_ms}


@pytest.fixture
def record(tmp_path):
    return InterestRecord(tmp_path / "open_interest")


@pytest.fixture
def open_live(stepped_timing, test_policy, record):
    @asynccontextmanager
    async def opened(name):
        server, past = Server(name), Past(name)
        async with serve(server.handle, "127.0.0.1", 0) as running:
            port = running.sockets[0].getsockname()[1]
            found = find_stream_venue(name)
            async with LiveDataProvider(
                ExchangeSettings(name, ws_url=f"ws://127.0.0.1:{port}"),
                past,
                timing=stepped_timing.timing(),
                policy=test_policy,
                venue=replace(found, facts=replace(found.facts, message_interval_s=0.0)),
                interest=LiveInterest(name, past, record),
            ) as live:
                yield live, server, past

    return opened


async def until_connected(live):
    async with asyncio.timeout(10):
        while not all(health.is_connected for health in live.health()):  # noqa: ASYNC110
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("name", IDS)
async def test_a_candle_carries_the_last_value_before_its_close(open_live, recorder, name):
    async with open_live(name) as (live, server, past):
        listener = recorder()
        await live.subscribe_market(SYMBOLS[name], listener)
        await until_connected(live)
        await server.send(
            server.interest(500.25, at(0, 40_000)),
            server.interest(510.5, at(0, 59_000)),
            *server.candle(0),
        )
        (first,) = await listener.candles(1)
        [health] = live.health()

    assert first.open_interest == 510.5
    assert CHANNELS[name] in server.subscribed
    assert health.open_interest_ms is not None
    assert past.asked == []


async def test_a_value_of_the_next_minute_is_not_this_candle_s(open_live, recorder):
    async with open_live("bybit") as (live, server, _):
        listener = recorder()
        await live.subscribe_market(SYMBOLS["bybit"], listener)
        await until_connected(live)
        await server.send(
            server.interest(500.0, at(0, 40_000)),
            server.interest(900.0, at(1, 50)),
            *server.candle(0),
            *server.candle(1),
        )
        first, second = await listener.candles(2)

    assert (first.open_interest, second.open_interest) == (500.0, 900.0)


@pytest.mark.parametrize("value", [900.0, None])
async def test_a_value_of_a_time_to_come_holds_none_back(open_live, recorder, value):
    async with open_live("bybit") as (live, server, _):
        listener = recorder()
        await live.subscribe_market(SYMBOLS["bybit"], listener)
        await until_connected(live)
        await server.send(
            server.interest(500.0, at(0, 40_000)),
            server.interest(value, at(1_000_000)),
            *server.candle(0),
            server.interest(510.0, at(1, 40_000)),
            *server.candle(1),
        )
        first, second = await listener.candles(2)
        [health] = live.health()

    assert (first.open_interest, second.open_interest) == (500.0, 510.0)
    assert health.open_interest_ms == at(1, 40_000)


async def test_a_frame_without_open_interest_says_that_it_is_what_it_was(
    open_live, recorder, stepped_timing
):
    async with open_live("bybit") as (live, server, past):
        listener = recorder()
        await live.subscribe_market(SYMBOLS["bybit"], listener)
        await until_connected(live)
        await server.send(server.interest(500.0, at(0, 40_000)))
        stepped_timing.now_s += 90 * 60
        await server.send(server.interest(None, at(90)))
        past.candles = [
            Candle(at(n), 100.0, 102.0, 99.0, 101.0, 3.0, volume_delta=3.0) for n in range(90)
        ]
        await server.send(*server.candle(90))
        await stepped_timing.wake(GAP_GRACE_S)
        await listener.candles(91)

    assert listener.arrived[90].candle.open_interest == 500.0
    assert past.asked == [list(range(90))]
    assert listener.arrived[0].candle.open_interest is None  # REST's history has none


async def test_what_is_fetched_has_the_history_s_value_and_keeps_it(
    open_live, recorder, record, stepped_timing
):
    async with open_live("bybit") as (live, server, past):
        listener, late = recorder(), recorder()
        await live.subscribe_market(SYMBOLS["bybit"], listener)
        await until_connected(live)
        await server.send(server.interest(500.0, at(0, 40_000)), *server.candle(0))
        await listener.candles(1)
        await server.sockets[0].close()
        await listener.down()
        past.candles = [Candle(at(n), 100.0, 102.0, 99.0, 101.0, 3.0) for n in range(3)]
        past.interest = {at(0): 1.0, at(1): 480.0}
        past.now_ms = at(3, 10_000)
        await stepped_timing.wake(RECONNECT_S)
        await listener.candles(3)
        past.interest = {at(n): 7.0 for n in range(3)}
        await live.subscribe_market(SYMBOLS["bybit"], late, after=at(-1))
        candles = await late.candles(3)

    assert [c.open_interest for c in candles] == [500.0, 480.0, None]
    assert [event.candle.open_interest for event in listener.arrived] == [500.0, 480.0, None]
    assert past.asked == [[1, 2]]
    assert record.find("bybit", SYMBOLS["bybit"], [at(n) for n in range(4)]) == {
        at(0): 500.0,
        at(1): 480.0,
        at(2): None,
    }


async def test_a_refused_channel_costs_no_candle_and_is_told_once(open_live, recorder, caplog):
    caplog.set_level(logging.WARNING)
    async with open_live("bybit") as (live, server, _):
        server.refused = CHANNELS["bybit"]
        listener = recorder()
        await live.subscribe_market(SYMBOLS["bybit"], listener)
        await until_connected(live)
        await server.send(*server.candle(0), *server.candle(1))
        candles = await listener.candles(2)

    assert [candle.open_interest for candle in candles] == [None, None]
    assert listener.failures == []
    told = [r.message for r in caplog.records if "without open interest" in r.message]
    assert told == ["BTC/USDT:USDT: candles go on without open interest: no such topic"]


async def test_spot_has_none_and_nothing_is_asked(open_live, recorder, record):
    async with open_live("bybit") as (live, server, past):
        listener = recorder()
        await live.subscribe_market("BTC/USDT", listener)
        await until_connected(live)
        await server.send(*server.candle(0))
        (first,) = await listener.candles(1)

    assert first.open_interest is None
    assert "tickers.BTCUSDT" not in server.subscribed
    assert record.find("bybit", "BTC/USDT", [at(0)]) == {}
    assert past.asked == []
