"""A burst of frames is read in turns with everything else on the loop."""

import asyncio
import json
from itertools import pairwise

import pytest

from data.retry import Timing
from data.streams.policy import StreamPolicy
from data.streams.session import SessionEnded, StreamSession
from data.venues.base import MarketKind
from data.venues.binance_stream import simulated_stream

FRAMES = 200


class Burst:
    """A socket whose frames are all here already."""

    def __init__(self):
        self.is_closed = False

    async def __aiter__(self):
        for number in range(FRAMES):
            trade = {"e": "aggTrade", "s": "BTCUSDT", "p": "1", "q": "1", "T": number, "m": True}
            yield json.dumps(trade)

    async def send(self, text):
        raise AssertionError("nothing is asked for")

    async def close(self):
        self.is_closed = True


class Clock:
    """Each look at it takes a while."""

    def __init__(self, step_s):
        self.now_s, self.step_s = 0.0, step_s

    def __call__(self):
        self.now_s += self.step_s
        return self.now_s


async def read_burst(step_s):
    """Read a burst; return how many trades were taken between two looks of the loop."""
    taken, looks = [], []

    async def sleep(seconds):
        await asyncio.Event().wait()

    async def watch():
        while True:
            looks.append(len(taken))
            await asyncio.sleep(0)

    session = StreamSession(
        Burst(),
        simulated_stream(),
        MarketKind.PERPETUAL,
        timing=Timing(sleep=sleep, monotonic=Clock(step_s), random=lambda: 0.0),
        policy=StreamPolicy(),
        on_message=lambda session, message: taken.append(message),
        on_refused=lambda channel, error: None,
        on_unreadable=lambda problem: None,
    )
    watching = asyncio.create_task(watch())
    with pytest.raises(SessionEnded):
        await session.run()
    watching.cancel()
    assert [trade.time_ms for trade in taken] == list(range(FRAMES))
    looks.append(len(taken))
    return [after - before for before, after in pairwise(looks)]


async def test_a_slow_burst_is_read_in_many_turns():
    steps = await read_burst(0.0005)
    assert 1 < max(steps) <= 5


async def test_a_quick_burst_is_read_in_one():
    assert max(await read_burst(0.0)) == FRAMES
