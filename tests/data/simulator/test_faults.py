"""Each fault, as a client meets it."""

import asyncio
import json

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

from data.simulator.errors import FaultRequestError
from data.simulator.faults import FaultControl, Faults, Gap, GapWhere
from data.simulator.path import MINUTE_MS
from data.simulator.server import SimulatedExchange

MINUTE = 1_735_741_800_000
STREAM = "btcusdt@kline_1m"
KLINES = "/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=100"


@pytest.fixture
async def exchange(clock):
    async with SimulatedExchange(seed=4, clock=clock, kline_updates=False) as running:
        yield running


@pytest.fixture
async def socket(exchange):
    async with connect(f"{exchange.ws_url}/market/stream?streams={STREAM}") as opened:
        # an answer shows that the exchange knows the socket
        await opened.send('{"method": "LIST_SUBSCRIPTIONS", "id": 1}')
        await opened.recv()
        yield opened


async def minutes_closed(socket, exchange, clock, minutes):
    """Let minutes pass; return the candles of the closing frames in the order received."""
    before = exchange.faults.counters["frames"]
    await clock.advance_to(clock.now_ms() + minutes * MINUTE_MS)
    count = exchange.faults.counters["frames"] - before
    frames = [json.loads(await asyncio.wait_for(socket.recv(), 10)) for _ in range(count)]
    return [frame["data"]["k"] for frame in frames]


def opens(candles):
    return [(candle["t"] - MINUTE) // MINUTE_MS for candle in candles]


@pytest.mark.parametrize(
    ("fault", "status"), [("too_many_requests", 429), ("banned", 418), ("server_error", 503)]
)
async def test_the_next_answers_are_refusals_and_then_all_is_well(exchange, http, fault, status):
    exchange.faults.set(**{fault: 2}, retry_after_s=7)
    answers = []
    for _ in range(3):
        async with http.get(KLINES) as response:
            answers.append((response.status, response.headers.get("Retry-After")))

    wait = None if status == 503 else "7"
    assert answers == [(status, wait), (status, wait), (200, None)]
    assert exchange.faults.counters[fault] == 2


async def test_a_fault_can_concern_one_path_only(exchange, http):
    exchange.faults.set(server_error=1, rest_path="/fapi/v1/klines")
    async with http.get("/fapi/v1/time") as response:
        assert response.status == 200
    async with http.get(KLINES) as response:
        assert response.status == 503


async def test_an_answer_can_be_slow(exchange, http):
    exchange.faults.set(slow=1, slow_seconds=30.0)
    with pytest.raises(TimeoutError):
        async with http.get(KLINES, timeout=aiohttp.ClientTimeout(total=0.05)):
            pass
    async with http.get(KLINES) as response:
        assert response.status == 200


async def test_a_slow_answer_is_complete(exchange, http):
    exchange.faults.set(slow=1, slow_seconds=0.01)
    async with http.get(KLINES) as response:
        assert len(await response.json()) == 100


async def test_a_connection_can_be_reset(exchange, http):
    exchange.faults.set(reset=2)  # some clients try a second time by themselves
    with pytest.raises(aiohttp.ClientError):
        await http.get(KLINES)
    exchange.faults.set(reset=0)
    async with http.get(KLINES) as response:
        assert response.status == 200
    assert exchange.faults.counters["reset"] >= 1


async def test_a_body_can_be_truncated(exchange, http):
    exchange.faults.set(truncated=1)
    async with http.get(KLINES) as response:
        assert response.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_sockets_can_be_dropped_now(exchange, socket):
    await exchange.set_faults(drop_sockets=True)
    with pytest.raises(ConnectionClosed) as caught:
        await asyncio.wait_for(socket.recv(), 10)

    assert caught.value.rcvd is None  # no closing handshake
    assert exchange.faults.counters["dropped_sockets"] == 1


async def test_mute_sockets_lose_their_frames(exchange, clock, socket):
    exchange.faults.set(mute=True)
    assert await minutes_closed(socket, exchange, clock, 3) == []
    exchange.faults.set(mute=False)

    assert opens(await minutes_closed(socket, exchange, clock, 2)) == [3, 4]
    assert exchange.faults.counters["muted_frames"] == 3


async def test_an_outage_resets_every_connection_until_its_end(exchange, clock, http, socket):
    await exchange.set_faults(outage_until_ms=MINUTE + 5 * MINUTE_MS)
    with pytest.raises(ConnectionClosed):
        await asyncio.wait_for(socket.recv(), 10)
    with pytest.raises(aiohttp.ClientError):
        await http.get(KLINES)
    with pytest.raises((InvalidHandshake, InvalidMessage, OSError)):
        await connect(f"{exchange.ws_url}/market/ws")
    async with http.get("/simulator/state") as response:  # the controls stay reachable
        assert (await response.json())["counters"]["refused_connections"] >= 2

    await clock.advance_to(MINUTE + 5 * MINUTE_MS)
    async with http.get(KLINES) as response:
        assert response.status == 200


async def test_candles_can_be_missing_everywhere(exchange, clock, http, socket):
    exchange.faults.set(gaps=(Gap("BTCUSDT", MINUTE + MINUTE_MS, MINUTE + 2 * MINUTE_MS),))
    candles = await minutes_closed(socket, exchange, clock, 5)
    async with http.get(KLINES, params={"startTime": MINUTE}) as response:
        rows = await response.json()
    async with http.get("/fapi/v1/klines?symbol=ETHUSDT&interval=1m&limit=5") as response:
        others = await response.json()

    assert opens(candles) == [0, 3, 4]
    assert [(row[0] - MINUTE) // MINUTE_MS for row in rows] == [0, 3, 4, 5]
    assert len(others) == 5


async def test_candles_can_be_missing_from_the_stream_only(exchange, clock, http, socket):
    gap = Gap("BTCUSDT", MINUTE, MINUTE + MINUTE_MS, GapWhere.STREAM)
    exchange.faults.set(gaps=(gap,))
    candles = await minutes_closed(socket, exchange, clock, 4)
    async with http.get(KLINES, params={"startTime": MINUTE}) as response:
        rows = await response.json()

    assert opens(candles) == [2, 3]
    assert len(rows) == 5


async def test_a_longer_candle_shows_though_part_of_it_is_missing(exchange, http):
    exchange.faults.set(gaps=(Gap("BTCUSDT", MINUTE - 3_600_000, MINUTE),))
    async with http.get("/fapi/v1/klines?symbol=BTCUSDT&interval=15m&limit=12") as response:
        rows = await response.json()

    missing = {(row[0] - MINUTE) // (15 * MINUTE_MS) for row in rows}
    assert missing.isdisjoint({-4, -3, -2, -1})
    assert 0 in missing  # its first minute is missing, the others are not


async def test_a_closing_frame_can_be_late(exchange, clock, socket):
    exchange.faults.set(late_closes=1, late_ms=70_000)
    candles = await minutes_closed(socket, exchange, clock, 3)

    assert opens(candles) == [1, 0, 2]


async def test_a_late_frame_is_sent_at_its_time(exchange, clock, socket):
    exchange.faults.set(late_closes=1, late_ms=20_000)
    await clock.advance_to(MINUTE + MINUTE_MS + 19_000)
    assert exchange.faults.counters["frames"] == 0
    await clock.advance_to(MINUTE + MINUTE_MS + 21_500)
    assert exchange.faults.counters["frames"] == 1


async def test_closing_frames_can_change_places(exchange, clock, socket):
    exchange.faults.set(swapped_closes=1)
    candles = await minutes_closed(socket, exchange, clock, 4)

    assert opens(candles) == [1, 0, 2, 3]


async def test_a_closing_frame_can_come_twice(exchange, clock, socket):
    exchange.faults.set(duplicate_closes=1)
    candles = await minutes_closed(socket, exchange, clock, 3)

    assert opens(candles) == [0, 0, 1, 2]
    assert candles[0] == candles[1]


async def test_a_closing_frame_can_differ_from_what_rest_says_later(exchange, clock, http, socket):
    exchange.faults.set(revised_closes=1)
    candles = await minutes_closed(socket, exchange, clock, 2)
    async with http.get(KLINES, params={"startTime": MINUTE}) as response:
        rows = await response.json()

    assert candles[0]["c"] != rows[0][4]
    assert float(candles[0]["v"]) < float(rows[0][5])
    assert float(candles[0]["l"]) <= float(candles[0]["c"]) <= float(candles[0]["h"])
    assert candles[1]["c"] == rows[1][4]


async def test_the_server_s_time_can_be_off(exchange, clock, http):
    exchange.faults.set(time_offset_ms=-90_000)
    async with http.get("/fapi/v1/time") as response:
        assert (await response.json())["serverTime"] == clock.now_ms() - 90_000


async def test_faults_can_be_set_over_http(exchange, clock, http, socket):
    body = {
        "too_many_requests": 1,
        "outage_ms": 0,
        "drop_sockets": True,
        "gaps": [{"symbol": "BTCUSDT", "first_ms": 1, "last_ms": 2, "where": "stream"}],
    }
    async with http.post("/simulator/faults", json=body) as response:
        state = await response.json()
    with pytest.raises(ConnectionClosed):
        await asyncio.wait_for(socket.recv(), 10)
    async with http.get(KLINES) as response:
        assert response.status == 429

    assert state["simulated"] is True
    assert state["seed"] == 4
    assert state["now_ms"] == clock.now_ms()
    assert state["faults"]["too_many_requests"] == 1
    assert exchange.faults.current.gaps == (Gap("BTCUSDT", 1, 2, GapWhere.STREAM),)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ('{"explode": 1}', "there are"),
        ('{"slow": "yes"}', "must be int"),
        ('{"mute": 1}', "must be bool"),
        ('{"slow": true}', "must be int"),
        ('{"gaps": [{"symbol": "BTCUSDT"}]}', "list of"),
        ('{"gaps": 5}', "list of"),
        ("[]", "JSON object"),
        ("{", "Expecting"),
        ('{"drop_sockets": true, "outage_ms": "long"}', "invalid literal"),
    ],
)
async def test_a_wrong_request_for_faults_is_explained(exchange, http, body, word):
    async with http.post("/simulator/faults", data=body) as response:
        answer = await response.json()

    assert response.status == 400
    assert word in answer["error"]
    assert exchange.faults.current == Faults()


def test_faults_given_at_the_start_are_shown_and_can_be_cleared():
    control = FaultControl(Faults(banned=2, slow_seconds=0.5))

    assert control.take_rest_fault("/fapi/v1/time") == "banned"
    control.set(slow_seconds=2)
    control.clear()
    assert control.take_rest_fault("/fapi/v1/time") is None
    with pytest.raises(FaultRequestError, match="no fault nonsense"):
        control.set(nonsense=1)
