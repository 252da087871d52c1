"""A simulator whose frames stop tells why, whoever waits and however it ends."""

import asyncio

import pytest

from data.simulator.clock import SteppedClock
from data.simulator.server import SimulatedExchange

NOW = 1_735_741_830_250


class BreakingClock:
    """A clock that runs by itself, until it breaks."""

    speed = 1.0

    def __init__(self):
        self.is_broken = False

    def now_ms(self):
        if self.is_broken:
            raise OverflowError("the clock ran out")
        return NOW


async def test_what_stopped_the_frames_reaches_who_waits_for_it():
    clock = BreakingClock()
    exchange = SimulatedExchange(seed=4, clock=clock)
    await exchange.__aenter__()
    clock.is_broken = True
    with pytest.raises(OverflowError, match="the clock ran out"):
        await exchange.wait_broken()
    with pytest.raises(OverflowError, match="the clock ran out"):
        await exchange.__aexit__(None, None, None)


async def test_what_stopped_the_frames_unseen_is_raised_at_the_end():
    clock = BreakingClock()
    exchange = SimulatedExchange(seed=4, clock=clock)
    await exchange.__aenter__()
    (frames,) = [task for task in asyncio.all_tasks() if task.get_name() == "simulator-frames"]
    clock.is_broken = True
    await asyncio.wait([frames], timeout=10)

    with pytest.raises(OverflowError, match="the clock ran out"):
        await exchange.__aexit__(None, None, None)


async def test_a_clock_moved_by_hand_never_stops_the_frames():
    async with SimulatedExchange(seed=4, clock=SteppedClock(NOW)) as exchange:
        waiting = asyncio.create_task(exchange.wait_broken())
        await exchange.clock.advance_to(NOW + 60_000)
        for _ in range(5):
            await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()
        await asyncio.wait([waiting])

    assert waiting.cancelled()
