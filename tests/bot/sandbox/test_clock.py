from hypothesis import given
from hypothesis import strategies as st

from bot.sandbox.clock import ManualClock, iso


@given(st.lists(st.floats(0, 100), max_size=10), st.floats(0, 100))
def test_timers_fire_in_order_once_their_time_is_reached(times, end):
    clock = ManualClock(start=0.0)
    fired = []
    for when in times:
        clock.call_at(when, lambda when=when: fired.append((when, clock.now())))

    clock.advance(end)

    assert fired == [(when, when) for when in sorted(times) if when <= end]
    assert clock.now() == end


def test_a_cancelled_timer_does_not_fire():
    clock = ManualClock(start=0.0)
    fired = []
    cancel = clock.call_at(1.0, lambda: fired.append("cancelled"))
    clock.call_at(2.0, lambda: fired.append("kept"))

    cancel()
    clock.advance(5)

    assert fired == ["kept"]


def test_times_are_written_as_discord_writes_them():
    assert iso(1_700_000_000.5) == "2023-11-14T22:13:20.500000+00:00"
