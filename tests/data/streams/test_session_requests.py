"""What a socket is asked, which answer belongs to which request, and what else comes over it."""

import asyncio
import json

import pytest

from data.retry import Timing
from data.streams.policy import StreamPolicy
from data.streams.session import SessionEnded, StreamSession
from data.venues.base import MarketKind
from data.venues.binance_stream import simulated_stream

BTC, ETH = "btcusdt@kline_1m", "ethusdt@kline_1m"
CHECK_S, ANSWER_WITHIN_S = 1.0, 15.0


class Socket:
    """Sends what a test gives, and remembers what it was sent."""

    def __init__(self):
        self.sent = []
        self._frames = asyncio.Queue()

    def give(self, frame):
        self._frames.put_nowait(frame if isinstance(frame, bytes) else json.dumps(frame))

    def hang_up(self):
        self._frames.put_nowait(None)

    async def __aiter__(self):
        while (frame := await self._frames.get()) is not None:
            yield frame

    async def send(self, text):
        self.sent.append(json.loads(text))

    async def ping(self):
        return asyncio.get_running_loop().create_future()

    async def close(self):
        pass


class Owner:
    """Remembers what a session tells."""

    def __init__(self):
        self.messages, self.refused, self.unreadable = [], [], []
        self.now_s = 100.0
        self._checks = asyncio.Queue()

    async def sleep(self, seconds):
        await self._checks.get()

    def pass_time(self, seconds):
        """Let time pass; the session looks at its watch."""
        self.now_s += seconds
        self._checks.put_nowait(None)

    def open(self, socket):
        return StreamSession(
            socket,
            simulated_stream(),
            MarketKind.PERPETUAL,
            timing=Timing(sleep=self.sleep, monotonic=lambda: self.now_s, random=lambda: 0.0),
            policy=StreamPolicy(check_s=CHECK_S, answer_within_s=ANSWER_WITHIN_S, dead_after_s=60),
            on_message=lambda session, message: self.messages.append(message),
            on_refused=lambda channel, error: self.refused.append((channel, error)),
            on_unreadable=self.unreadable.append,
        )


@pytest.fixture
async def socket():
    return Socket()


@pytest.fixture
async def owner():
    return Owner()


async def serve(session, socket):
    """Serve a session until everything that was given is read."""
    socket.hang_up()
    with pytest.raises(SessionEnded):
        await session.run()


async def test_a_new_socket_gives_back_what_was_left_while_it_was_opened(owner, socket):
    session = owner.open(socket)
    session.subscribe([BTC])
    session.match([ETH])
    served = asyncio.create_task(session.run())
    while len(socket.sent) < 3:  # noqa: ASYNC110 - no event
        await asyncio.sleep(0)
    socket.hang_up()
    with pytest.raises(SessionEnded):
        await served

    asked = [(request["method"], request["params"]) for request in socket.sent]
    assert asked == [("SUBSCRIBE", [BTC]), ("UNSUBSCRIBE", [BTC]), ("SUBSCRIBE", [ETH])]
    assert len({request["id"] for request in socket.sent}) == 3


async def test_a_refusal_that_names_no_request_is_taken_for_the_oldest(owner, socket):
    session = owner.open(socket)
    session.subscribe([BTC])
    session.subscribe([ETH])
    socket.give({"error": {"code": 2, "msg": "Invalid request: unknown symbol"}})
    socket.give({"result": None, "id": 2})
    await serve(session, socket)

    assert owner.refused == [(BTC, "Invalid request: unknown symbol")]
    assert session.ready.is_set()


async def test_an_error_that_no_request_waits_for_is_logged_and_ends_nothing(owner, socket, caplog):
    session = owner.open(socket)
    socket.give({"error": {"code": 3, "msg": "Invalid JSON"}})
    await serve(session, socket)

    assert owner.refused == []
    assert "simulated answers: Invalid JSON" in caplog.text


async def test_a_binary_frame_is_a_sign_of_life_and_nothing_else(owner, socket):
    session = owner.open(socket)
    owner.now_s += 5.0
    socket.give(b"\x00\x01")
    await serve(session, socket)

    assert session.last_heard == owner.now_s
    assert owner.messages == owner.unreadable == []


async def test_a_frame_of_an_unknown_event_is_left_out_without_a_word(owner, socket):
    session = owner.open(socket)
    socket.give({"e": "markPriceUpdate", "s": "BTCUSDT", "p": "1"})
    socket.give({"stream": "unheard_of", "data": {"some": "thing"}})
    await serve(session, socket)

    assert owner.messages == owner.unreadable == owner.refused == []


async def test_a_subscription_may_stay_unanswered_for_a_while_but_not_for_ever(owner, socket):
    session = owner.open(socket)
    session.subscribe([BTC])
    served = asyncio.create_task(session.run())
    owner.pass_time(ANSWER_WITHIN_S)
    for _ in range(5):
        await asyncio.sleep(0)
    assert not served.done()
    owner.pass_time(1.0)

    with pytest.raises(SessionEnded, match=f"no answer to the subscription of {BTC}"):
        await served
