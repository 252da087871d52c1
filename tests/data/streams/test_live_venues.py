"""Bybit and Hyperliquid as small servers on loopback play them, and what only they do."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from data.ccxt_client import ExchangeSettings
from data.errors import ExchangeUnavailable, UnknownExchange
from data.live import LiveDataProvider
from data.streams.events import StreamUp
from data.venues.base import Instrument, MarketKind
from data.venues.binance_stream import BinanceStream
from data.venues.catalog_stream import find_stream_venue
from engine.candles import Candle, CandleSeries
from engine.timeframe import MINUTE_MS

FIRST = 1_735_741_800_000
GAP_GRACE_S, RECONNECT_S, CHECK_S = 0.25, 1.5, 7.0
IDS = {"bybit": "BTCUSDT", "hyperliquid": "BTC", "binance": "BTCUSDT"}


PING = {"method": "ping"}


def at(minute):
    return FIRST + minute * MINUTE_MS


def candle(minute, close=101.0, volume=3.0):
    return Candle(at(minute), 100.0, 102.0, 99.0, close, volume)


class FakeHistory:
    """A past that the test writes."""

    def __init__(self, exchange):
        self.exchange, self.now_ms, self.candles, self.asked = exchange, at(0) + 30_000, [], []

    async def now(self):
        return self.now_ms

    async def instrument(self, symbol):
        kind = MarketKind.PERPETUAL if ":" in symbol else MarketKind.SPOT
        return Instrument(symbol, IDS[self.exchange], kind)

    async def fetch(self, symbol, start, end):
        self.asked.append(((start - FIRST) // MINUTE_MS, (end - FIRST) // MINUTE_MS))
        inside = [c for c in self.candles if start <= c.timestamp < end]
        return CandleSeries.from_candles(inside) if inside else CandleSeries.empty()

    async def get_historical_candles(self, symbol, timeframe, start, end):
        return await self.fetch(symbol, start, end)


class Server:
    """Answers what it is asked with `answer`, remembers it, and sends what a test says."""

    def __init__(self, answer):
        self.answer, self.requests, self.paths, self.sockets = answer, [], [], []
        self.is_refusing = False
        self._changed = asyncio.Event()

    async def handle(self, socket):
        self.sockets.append(socket)
        self.paths.append(socket.request.path)
        self._changed.set()
        if self.is_refusing:
            return
        try:
            async for text in socket:
                request = json.loads(text)
                self.requests.append(request)
                for reply in self.answer(request):
                    await socket.send(json.dumps(reply))
                self._changed.set()
        except ConnectionClosed:
            pass

    async def send(self, *frames):
        for frame in frames:
            await self.sockets[-1].send(frame if isinstance(frame, str) else json.dumps(frame))

    async def until(self, is_true):
        async with asyncio.timeout(10):
            while not is_true():
                self._changed.clear()
                await self._changed.wait()


class Venue:
    def __init__(self, server, live, history, timing):
        self.server, self.live, self.history, self.timing = server, live, history, timing

    async def until_connected(self):
        async with asyncio.timeout(10):
            while not all(h.is_connected for h in self.live.health()):  # noqa: ASYNC110
                await asyncio.sleep(0.001)


@pytest.fixture
def open_venue(stepped_timing, test_policy):
    @asynccontextmanager
    async def opened(name, answer, *, policy=test_policy, venue=None):
        server, history = Server(answer), FakeHistory(name)
        async with serve(server.handle, "127.0.0.1", 0) as running:
            port = running.sockets[0].getsockname()[1]
            settings = ExchangeSettings(name, ws_url=f"ws://127.0.0.1:{port}")
            timing = stepped_timing.timing()
            found = find_stream_venue(name)
            at_once = replace(found, facts=replace(found.facts, message_interval_s=0.0))
            async with LiveDataProvider(
                settings, history, timing=timing, policy=policy, venue=venue or at_once
            ) as live:
                yield Venue(server, live, history, stepped_timing)

    return opened


def bybit_answer(request):
    if request["op"] == "ping":
        return [{"success": True, "ret_msg": "pong", "conn_id": "1", "op": "ping"}]
    refused = [name for name in request["args"] if "NOPE" in name]
    message = f"error:handler not found,topic:{refused[0]}" if refused else ""
    return [
        {
            "success": not refused,
            "ret_msg": message,
            "conn_id": "1",
            "req_id": request["req_id"],
            "op": request["op"],
        }
    ]


def bybit_candle(*candles, closed=True):
    data = [
        {
            "start": c.timestamp,
            "interval": "1",
            "open": str(c.open),
            "close": str(c.close),
            "high": str(c.high),
            "low": str(c.low),
            "volume": str(c.volume),
            "confirm": closed,
            "timestamp": c.timestamp + MINUTE_MS + 150,
        }
        for c in candles
    ]
    ts = candles[-1].timestamp + (MINUTE_MS + 150 if closed else 30_000)
    return {"topic": "kline.1.BTCUSDT", "type": "snapshot", "ts": ts, "data": data}


def bybit_trade(minute, quantity, side):
    trade = {"T": at(minute) + 1, "s": "BTCUSDT", "S": side, "v": str(quantity), "p": "100.5"}
    return {"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": 1, "data": [trade]}


async def test_bybit_s_candles_come_with_the_delta_of_its_trades(open_venue, recorder):
    async with open_venue("bybit", bybit_answer) as venue:
        listener = recorder()
        await venue.live.subscribe_market("BTC/USDT:USDT", listener, ticks=True)
        await venue.until_connected()
        await venue.server.send(
            bybit_trade(0, 2.0, "Buy"),
            bybit_trade(0, 1.0, "Sell"),
            bybit_candle(candle(0), closed=False),
            bybit_candle(candle(0)),
            bybit_trade(1, 1.0, "Buy"),  # two more are never seen
            bybit_candle(candle(1, close=99.5)),
        )
        first, second = await listener.candles(2)

    assert first == replace(candle(0), volume_delta=1.0)
    assert second == replace(candle(1, close=99.5), volume_delta=-3.0)  # by its direction
    assert [tick.taker_side for tick in listener.ticks] == ["buy", "sell", "buy"]
    assert venue.server.paths == ["/v5/public/linear"]
    assert venue.server.requests[0]["args"] == ["kline.1.BTCUSDT", "publicTrade.BTCUSDT"]


async def test_bybit_s_frames_may_hold_two_candles(open_venue, recorder):
    async with open_venue("bybit", bybit_answer) as venue:
        listener = recorder()
        await venue.live.subscribe_market("BTC/USDT", listener)
        await venue.until_connected()
        await venue.server.send(bybit_candle(candle(0), candle(1)))
        await listener.candles(2)

    assert listener.minutes == [0, 1]
    assert venue.server.paths == ["/v5/public/spot"]


async def test_a_refused_symbol_ends_alone(open_venue, recorder, monkeypatch):
    monkeypatch.setitem(IDS, "bybit", "NOPEUSDT")
    async with open_venue("bybit", bybit_answer) as venue:
        wrong, right = recorder(), recorder()
        await venue.live.subscribe_market("NOPE/USDT", wrong)
        monkeypatch.setitem(IDS, "bybit", "BTCUSDT")
        await venue.live.subscribe_market("BTC/USDT", right)
        await wrong.until(lambda: wrong.failures)
        await venue.until_connected()
        await venue.server.send(bybit_candle(candle(0)))
        await right.candles(1)

        assert "refuses" in wrong.failures[0].reason
        assert "NOPEUSDT" in wrong.failures[0].reason
        assert [health.symbol for health in venue.live.health()] == ["BTC/USDT"]


async def test_the_exchange_s_own_ping_is_sent_and_its_answer_counts(
    open_venue, recorder, test_policy
):
    policy = replace(test_policy, dead_after_s=45.0)
    async with open_venue("bybit", bybit_answer, policy=policy) as venue:
        listener = recorder()
        await venue.live.subscribe_market("BTC/USDT", listener)
        await venue.until_connected()
        for pings in range(1, 6):
            venue.timing.now_s += 21.0
            await venue.timing.wake(CHECK_S)
            await venue.server.until(
                lambda pings=pings: venue.server.requests.count({"op": "ping"}) == pings
            )
            # whoever answers this has answered the ping before it
            await venue.server.send(bybit_candle(candle(pings - 1)))
            await listener.candles(pings)

    assert listener.outages == []


async def test_frames_that_make_no_sense_are_counted_and_survived(open_venue, recorder):
    async with open_venue("bybit", bybit_answer) as venue:
        listener = recorder()
        await venue.live.subscribe_market("BTC/USDT", listener)
        await venue.until_connected()
        broken = replace(candle(0), high=50.0)
        venue.history.candles = [candle(0)]
        await venue.server.send(
            "no json",
            "[]",
            {"topic": "kline.1.BTCUSDT", "data": [{}]},
            bybit_candle(broken),
            bybit_candle(replace(candle(1), close=float("nan"))),
            bybit_candle(candle(1)),
        )
        await venue.timing.wake(GAP_GRACE_S)
        await listener.candles(2)

        assert venue.live.health()[0].unreadable_frames == 3
    assert listener.backfilled == [0]


def hyperliquid_answer(request):
    if request["method"] == "ping":
        return [{"channel": "pong"}]
    return [{"channel": "subscriptionResponse", "data": request}]


def hyperliquid_candle(c):
    data = {"t": c.timestamp, "T": c.timestamp + 59_999, "s": "BTC", "i": "1m", "n": 3}
    prices = {"o": str(c.open), "c": str(c.close), "h": str(c.high), "l": str(c.low)}
    return {"channel": "candle", "data": data | prices | {"v": str(c.volume)}}


def hyperliquid_trades(*trades):
    rows = [
        {"coin": "BTC", "side": side, "px": "100.5", "sz": str(size), "time": time, "tid": 1}
        for side, size, time in trades
    ]
    return {"channel": "trades", "data": rows}


@pytest.fixture
async def hyperliquid(open_venue):
    async with open_venue("hyperliquid", hyperliquid_answer) as venue:
        yield venue


async def test_hyperliquid_closes_a_candle_when_the_next_begins(hyperliquid, recorder):
    listener = recorder()
    await hyperliquid.live.subscribe_market("BTC/USDC:USDC", listener, ticks=True)
    await hyperliquid.until_connected()
    await hyperliquid.server.send(
        "Websocket connection established.",
        hyperliquid_trades(("A", 9.0, at(-3)), ("B", 2.0, at(0) + 1), ("A", 1.0, at(0) + 2)),
        hyperliquid_candle(candle(0, close=100.5, volume=2.0)),
        hyperliquid_candle(candle(0)),
        hyperliquid_candle(candle(1)),
    )
    (first,) = await listener.candles(1)

    assert first == replace(candle(0), volume_delta=1.0)
    assert [tick.quantity for tick in listener.ticks] == [2.0, 1.0]  # not what is long past
    assert hyperliquid.live.health()[0].stale_ticks == 1
    assert hyperliquid.server.paths == ["/ws"]


async def open_with_forming_candle(venue, listener):
    """Subscribe, and receive a state of the first minute, 50 s into it."""
    await venue.live.subscribe_market("BTC/USDC:USDC", listener, ticks=True)
    await venue.until_connected()
    await venue.server.send(
        hyperliquid_candle(candle(0)), hyperliquid_trades(("B", 3.0, at(0) + 50_000))
    )
    await listener.until(lambda: listener.ticks)


async def test_hyperliquid_s_last_candle_is_closed_by_the_clock(hyperliquid, recorder):
    listener = recorder()
    await open_with_forming_candle(hyperliquid, listener)
    await hyperliquid.timing.advance(13.0)  # 3 s after the end: all is silent, so it is pinged
    await hyperliquid.server.until(lambda: PING in hyperliquid.server.requests)
    await hyperliquid.server.send(hyperliquid_trades(("B", 1.0, at(1) + 3_000)))  # behind the pong
    await listener.until(lambda: len(listener.ticks) == 2)
    await hyperliquid.timing.wake(CHECK_S)
    await listener.candles(1)

    assert hyperliquid.history.asked == []  # no need of REST
    assert listener.backfilled == []


async def test_a_socket_that_died_unnoticed_closes_no_candle(open_venue, recorder):
    def answer(request):
        return [] if request == PING else hyperliquid_answer(request)

    async with open_venue("hyperliquid", answer) as venue:
        listener = recorder()
        await open_with_forming_candle(venue, listener)
        venue.history.candles = [candle(0, close=99.5, volume=7.0)]
        await venue.timing.advance(13.0)
        await venue.server.until(lambda: PING in venue.server.requests)
        venue.timing.now_s += 5.0
        await venue.timing.wake(CHECK_S)
        (first,) = await listener.candles(1)

    assert (first.close, first.volume) == (99.5, 7.0)
    assert listener.backfilled == [0]


async def test_an_idle_market_is_not_taken_for_a_mute_stream(hyperliquid, recorder):
    listener = recorder()
    await hyperliquid.live.subscribe_market("BTC/USDC:USDC", listener)
    await hyperliquid.until_connected()
    # REST makes up flat candles for minutes without a trade, and lacks one
    hyperliquid.history.candles = [candle(0, volume=0.0), candle(2, volume=0.0)]
    hyperliquid.history.now_ms = at(3) + 6_000
    await hyperliquid.timing.advance(156.0)
    await listener.candles(2)
    await hyperliquid.server.send(hyperliquid_candle(candle(3)), hyperliquid_candle(candle(4)))
    await listener.candles(3)

    assert listener.minutes == [0, 2, 3]
    assert listener.outages == []


async def test_hyperliquid_is_resubscribed_and_its_old_state_forgotten(hyperliquid, recorder):
    listener = recorder()
    await hyperliquid.live.subscribe_market("BTC/USDC:USDC", listener)
    await hyperliquid.until_connected()
    await hyperliquid.server.send(hyperliquid_candle(candle(0, close=100.1)))
    await hyperliquid.server.sockets[0].close()
    await listener.down()
    hyperliquid.history.candles = [candle(0)]
    hyperliquid.history.now_ms = at(1) + 10_000
    await hyperliquid.timing.wake(RECONNECT_S)
    await listener.up()
    await listener.candles(1)
    await hyperliquid.server.send(hyperliquid_candle(candle(1)), hyperliquid_candle(candle(2)))
    candles = await listener.candles(2)

    assert [c.close for c in candles] == [101.0, 101.0]
    assert listener.outages[1] == StreamUp("BTC/USDC:USDC", at(0), at(1))
    channels = [request["subscription"]["type"] for request in hyperliquid.server.requests]
    assert channels == ["candle", "trades"] * 2


def binance_answer(request):
    return [{"result": None, "id": request["id"]}]


def binance_candle(c):
    k = {"t": c.timestamp, "s": "BTCUSDT", "i": "1m", "x": True, "V": str(c.volume)}
    prices = {"o": str(c.open), "c": str(c.close), "h": str(c.high), "l": str(c.low)}
    k |= prices | {"v": str(c.volume)}
    return {"e": "kline", "E": c.timestamp + MINUTE_MS + 400, "s": "BTCUSDT", "k": k}


@pytest.mark.parametrize("by", ["the clock", "the server"])
async def test_a_connection_is_renewed_before_its_end_and_nobody_notices(open_venue, recorder, by):
    async with open_venue("binance", binance_answer) as venue:
        listener = recorder()
        await venue.live.subscribe_market("BTC/USDT", listener)
        await venue.until_connected()
        await venue.server.send(binance_candle(candle(0)))
        await listener.candles(1)
        if by == "the clock":
            await venue.timing.wake(23 * 3600.0)
        else:
            await venue.server.send({"e": "serverShutdown", "E": 1})
        await venue.server.until(lambda: len(venue.server.requests) == 2)
        await venue.server.sockets[0].wait_closed()
        await venue.server.send(binance_candle(candle(1)))
        await listener.candles(2)

        assert listener.outages == []
        assert venue.live.health()[0].reconnects == 0
    assert listener.backfilled == []
    assert venue.server.paths == ["/ws", "/ws"]


async def test_a_renewal_that_fails_is_tried_again_while_the_old_connection_serves(
    open_venue, recorder
):
    async with open_venue("binance", binance_answer) as venue:
        listener = recorder()
        await venue.live.subscribe_market("BTC/USDT", listener)
        await venue.until_connected()
        venue.server.is_refusing = True
        await venue.timing.wake(23 * 3600.0)
        await venue.timing.asleep(RECONNECT_S)
        await venue.server.sockets[0].send(json.dumps(binance_candle(candle(0))))
        await listener.candles(1)
        venue.server.is_refusing = False
        await venue.timing.wake(RECONNECT_S)
        await venue.server.sockets[0].wait_closed()
        await venue.server.send(binance_candle(candle(1)))
        await listener.candles(2)

    assert listener.outages == []


async def test_candles_come_over_rest_while_no_stream_can_be_opened(open_venue, recorder):
    async with open_venue("binance", binance_answer) as venue:
        listener = recorder()
        await venue.live.subscribe_market("BTC/USDT", listener)
        await venue.until_connected()
        venue.server.is_refusing = True
        await venue.server.sockets[0].close()
        await listener.down()
        for minute in range(3):
            venue.history.candles.append(candle(minute))
            await venue.timing.advance(60.0)
            await listener.candles(minute + 1)

        assert listener.backfilled == [0, 1, 2]
        assert not venue.live.health()[0].is_connected


async def test_a_stream_comes_back_though_the_time_can_not_be_asked(
    open_venue, recorder, monkeypatch
):
    async with open_venue("binance", binance_answer) as venue:
        listener = recorder()
        await venue.live.subscribe_market("BTC/USDT", listener)
        await venue.until_connected()

        async def fail():
            raise ExchangeUnavailable("no answer")

        monkeypatch.setattr(venue.history, "now", fail)
        await venue.server.sockets[0].close()
        await listener.down()
        await venue.timing.wake(RECONNECT_S)
        await listener.up()

    assert listener.outages[1] == StreamUp("BTC/USDT", at(0), at(0))


def test_an_unknown_exchange_is_refused():
    with pytest.raises(UnknownExchange, match="binance, bybit, hyperliquid, simulated"):
        find_stream_venue("mtgox")


async def test_a_subscription_that_is_never_answered_is_not_waited_for(
    open_venue, recorder, test_policy
):
    answers = iter([[], [{"result": None, "id": 1}]])
    async with open_venue("binance", lambda request: next(answers)) as venue:
        listener = recorder()
        await venue.live.subscribe_market("BTC/USDT", listener)
        await venue.server.until(lambda: len(venue.server.requests) == 1)
        venue.timing.now_s += test_policy.answer_within_s + 1
        await venue.timing.wake(CHECK_S)
        await listener.down()
        await venue.timing.wake(RECONNECT_S)
        await venue.until_connected()

    assert "no answer to the subscription of btcusdt@kline_1m" in listener.outages[0].reason


async def test_messages_are_sent_no_faster_than_the_exchange_takes_them(open_venue, recorder):
    facts = replace(BinanceStream().facts, message_interval_s=0.3)
    async with open_venue("binance", binance_answer, venue=BinanceStream(facts)) as venue:
        listener, trader = recorder(), recorder()
        await venue.live.subscribe_market("BTC/USDT", listener)
        await venue.until_connected()
        await venue.live.subscribe_market("BTC/USDT", trader, ticks=True)
        await venue.timing.asleep(0.3)
        assert len(venue.server.requests) == 1
        await venue.timing.wake(0.3)
        await venue.server.until(lambda: len(venue.server.requests) == 2)

    assert venue.server.requests[1]["params"] == ["btcusdt@aggTrade"]


async def test_an_accident_inside_tells_every_listener(open_venue, recorder, monkeypatch):
    async with open_venue("binance", binance_answer) as venue:
        listener = recorder()
        await venue.live.subscribe_market("BTC/USDT", listener)
        await venue.until_connected()

        async def explode(symbol, start, end):
            raise RuntimeError("never thought of")

        monkeypatch.setattr(venue.history, "fetch", explode)
        await venue.server.send(binance_candle(candle(2)))
        await venue.timing.wake(GAP_GRACE_S)
        await listener.until(lambda: listener.failures)

        assert "never thought of" in listener.failures[0].reason
        assert venue.live.health() == ()
