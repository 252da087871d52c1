"""Market time at a speed, and by hand."""

import pytest

from data.simulator.clock import SimulatorClock, SteppedClock
from data.simulator.errors import MarketTimeError


def test_market_time_runs_at_its_speed():
    real = [10.0]
    clock = SimulatorClock(1_000, speed=600.0, monotonic=lambda: real[0])

    assert clock.now_ms() == 1_000
    real[0] += 0.5
    assert clock.now_ms() == 301_000
    assert clock.speed == 600.0


def test_market_time_starts_at_the_machine_s_time_unless_told_otherwise():
    clock = SimulatorClock(monotonic=lambda: 0.0)

    assert clock.now_ms() > 1_700_000_000_000


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan")])
def test_a_clock_that_would_not_run_is_refused(speed):
    with pytest.raises(MarketTimeError, match="speed"):
        SimulatorClock(0, speed=speed)


async def test_a_stepped_clock_stands_still_until_it_is_moved():
    clock = SteppedClock(5_000)
    assert clock.now_ms() == 5_000
    await clock.advance_to(6_000)
    assert clock.now_ms() == 6_000
    with pytest.raises(MarketTimeError, match="before the clock"):
        await clock.advance_to(5_999)


async def test_a_stepped_clock_shows_the_time_of_what_is_being_delivered():
    clock = SteppedClock(0)
    seen = []

    async def deliver(after_ms, until_ms, reach):
        assert (after_ms, until_ms) == (0, 100)
        for time_ms in (30, 70):
            reach(time_ms)
            seen.append(clock.now_ms())

    clock.attach(deliver)
    await clock.advance_to(100)

    assert seen == [30, 70]
    assert clock.now_ms() == 100
    with pytest.raises(MarketTimeError, match="already moves"):
        clock.attach(deliver)
    clock.detach()
    clock.attach(deliver)
