from types import SimpleNamespace

from bot.services.forward.health import BackAgain, Stalled, StallWatch


def runner(last_open, fault=None):
    test = SimpleNamespace(id=1, name="one")
    session = SimpleNamespace(test=test, last_open_time=last_open)
    return SimpleNamespace(session=session, fault=fault)


def watch():
    now = [0.0]
    return now, StallWatch(300.0, lambda: now[0])


def test_a_stall_is_noticed_once_and_so_is_its_end():
    now, stalls = watch()
    assert stalls.look([runner(60_000)]) == []
    now[0] = 299.0
    assert stalls.look([runner(60_000)]) == []
    now[0] = 300.0
    [stalled] = stalls.look([runner(60_000)])
    assert isinstance(stalled, Stalled)
    assert stalled.silent_s == 300.0
    now[0] = 900.0
    assert stalls.look([runner(60_000)]) == []
    [back] = stalls.look([runner(120_000)])
    assert isinstance(back, BackAgain)
    assert back.silent_s == 900.0
    assert stalls.look([runner(120_000)]) == []


def test_a_test_that_never_had_a_candle_stalls_too():
    now, stalls = watch()
    stalls.look([runner(None)])
    now[0] = 301.0

    assert isinstance(stalls.look([runner(None)])[0], Stalled)


def test_faulted_tests_and_those_that_are_gone_are_left_alone():
    now, stalls = watch()
    stalls.look([runner(60_000, fault="broken")])
    now[0] = 1_000.0
    assert stalls.look([runner(60_000, fault="broken")]) == []
    assert stalls.look([]) == []
    assert stalls.look([runner(60_000)]) == []


def test_candles_that_come_each_minute_are_no_stall():
    now, stalls = watch()
    for minute in range(60):
        now[0] = 60.0 * minute
        assert stalls.look([runner(60_000 * minute)]) == []
