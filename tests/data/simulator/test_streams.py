"""Real websockets connections to the simulated exchange."""

import asyncio
import json

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from data.simulator.clock import SimulatorClock
from data.simulator.path import MINUTE_MS
from data.simulator.server import SimulatedExchange

MINUTE = 1_735_741_800_000  # the forming minute when the tests begin
STREAM = "btcusdt@kline_1m"


async def ask(socket, method, params=None, number=1):
    message = {"method": method, "id": number}
    if params is not None:
        message["params"] = params
    await socket.send(json.dumps(message))
    return json.loads(await asyncio.wait_for(socket.recv(), 10))


async def receive_until(socket, found):
    """Return the frames up to and including the first one that fits."""
    frames = []
    async with asyncio.timeout(10):
        while not frames or not found(frames[-1]):
            frames.append(json.loads(await socket.recv()))
    return frames


def closes(frame):
    return frame.get("e") == "kline" and frame["k"]["x"]


async def is_silent(socket):
    """Tell whether nothing came before the answer to a question asked now."""
    answer = await ask(socket, "LIST_SUBSCRIPTIONS", number=99)
    return answer.get("id") == 99


async def test_the_candle_of_the_closing_frame_equals_rest_s(exchange, clock, http):
    async with connect(f"{exchange.ws_url}/market/ws", max_queue=None) as socket:
        assert await ask(socket, "SUBSCRIBE", [STREAM]) == {"result": None, "id": 1}
        await clock.advance_to(MINUTE + MINUTE_MS + 1000)
        frames = await receive_until(socket, closes)

    query = {"symbol": "BTCUSDT", "interval": "1m", "startTime": MINUTE, "limit": 1}
    async with http.get("/fapi/v1/klines", params=query) as response:
        (row,) = await response.json()
    candle = frames[-1]["k"]
    names = ("t", "o", "h", "l", "c", "v", "T", "q", "n", "V", "Q", "B")
    assert [candle[name] for name in names] == row
    assert len(frames) > 50
    assert not any(closes(frame) for frame in frames[:-1])


async def test_everything_is_sent_before_advance_returns(exchange, clock):
    async with connect(f"{exchange.ws_url}/market/ws", max_queue=None) as socket:
        await ask(socket, "SUBSCRIBE", [STREAM, "ethusdt@kline_1m"])
        await clock.advance_to(MINUTE + 3 * MINUTE_MS)
        sent = exchange.faults.counters["frames"]
        frames = [json.loads(await asyncio.wait_for(socket.recv(), 10)) for _ in range(sent)]
        assert await is_silent(socket)

    times = [frame["E"] for frame in frames]
    assert times == sorted(times)
    assert {frame["s"] for frame in frames} == {"BTCUSDT", "ETHUSDT"}


async def test_streams_can_be_listed_and_left(exchange, clock):
    async with connect(f"{exchange.ws_url}/market/ws/0") as socket:
        await ask(socket, "SUBSCRIBE", [STREAM, "ethusdt@aggTrade"])
        listed = await ask(socket, "LIST_SUBSCRIPTIONS", number=2)
        assert listed == {"result": [STREAM, "ethusdt@aggTrade"], "id": 2}
        assert await ask(socket, "UNSUBSCRIBE", [STREAM, "ethusdt@aggTrade"], 3) == {
            "result": None,
            "id": 3,
        }
        await clock.advance_to(MINUTE + 2 * MINUTE_MS)
        assert await is_silent(socket)


async def test_combined_streams_are_wrapped_and_named_in_the_address(exchange, clock):
    url = f"{exchange.ws_url}/market/stream?streams=btcusdt@aggTrade/btcusdt@kline_1m"
    async with connect(url, max_queue=None) as socket:
        await clock.advance_to(MINUTE + MINUTE_MS)
        frames = await receive_until(socket, lambda frame: frame["data"]["e"] == "kline")

    assert frames[0]["stream"] == "btcusdt@aggTrade"
    assert frames[0]["data"]["e"] == "aggTrade"


async def test_a_single_stream_can_stand_in_the_path(exchange, clock):
    url = f"{exchange.ws_url}/market/ws/btcusdt@markPrice"
    async with connect(url, max_queue=None) as socket:
        await clock.advance_to(MINUTE + MINUTE_MS)
        frame = json.loads(await asyncio.wait_for(socket.recv(), 10))

    assert frame["e"] == "markPriceUpdate"


@pytest.mark.parametrize("path", ["/ws", "/ws/0", "/stream", "/public/ws"])
async def test_the_legacy_path_acknowledges_and_stays_mute(exchange, clock, path):
    async with connect(exchange.ws_url + path) as socket:
        assert await ask(socket, "SUBSCRIBE", [STREAM]) == {"result": None, "id": 1}
        await clock.advance_to(MINUTE + 5 * MINUTE_MS)
        assert await is_silent(socket)


async def test_a_wrong_message_gets_an_error(exchange):
    async with connect(f"{exchange.ws_url}/market/ws") as socket:
        await socket.send("not json")
        assert json.loads(await socket.recv())["error"]["code"] == 3
        await socket.send("[]")
        assert json.loads(await socket.recv())["error"]["code"] == 2
        assert (await ask(socket, "DANCE", []))["error"]["code"] == 2
        assert (await ask(socket, "SUBSCRIBE", [7]))["error"]["code"] == 2


async def test_sockets_are_closed_when_the_exchange_stops(clock):
    exchange = SimulatedExchange(seed=4, clock=clock)
    async with exchange:
        socket = await connect(f"{exchange.ws_url}/market/ws")
    with pytest.raises(ConnectionClosed) as caught:
        await asyncio.wait_for(socket.recv(), 10)
    assert caught.value.rcvd.code == 1001
    await clock.advance_to(MINUTE + MINUTE_MS)  # nobody left to deliver to


async def test_a_running_clock_keeps_up_at_six_hundred_times_the_speed():
    clock = SimulatorClock(MINUTE, speed=600.0)
    async with (
        SimulatedExchange(seed=4, clock=clock, kline_updates=False) as exchange,
        connect(f"{exchange.ws_url}/market/ws") as socket,
        aiohttp.ClientSession(exchange.rest_url) as http,
    ):
        await ask(socket, "SUBSCRIBE", [STREAM])
        opens = []
        async with asyncio.timeout(20):
            while len(opens) < 10:
                opens.append(json.loads(await socket.recv())["k"]["t"])
        async with http.get("/simulator/state") as response:
            state = await response.json()

    assert opens == list(range(opens[0], opens[0] + 10 * MINUTE_MS, MINUTE_MS))
    assert state["speed"] == 600.0
    assert state["sockets"] == [[STREAM]]
