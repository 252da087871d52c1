import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.columns import Columns, series_columns
from engine.execution.monitor import SLTPMonitor, decide_exit
from engine.orders import ExitReason, Position, Side

STOP, TARGET = ExitReason.STOP_LOSS, ExitReason.TAKE_PROFIT


def _position(side="long", stop=None, target=None):
    return Position(1, Side(side), 0, 100.0, 1.0, 100.0, 0.0, 0.0, stop, target)


# open, high, low -> reason, price, ambiguous; a long with stop 90 and target 110
LONG = [
    ((100, 105, 95), None),
    ((100, 105, 90), (STOP, 90, False)),
    ((100, 110, 95), (TARGET, 110, False)),
    ((100, 110, 90), (STOP, 90, True)),
    ((89, 95, 88), (STOP, 89, False)),
    ((90, 115, 85), (STOP, 90, False)),
    ((112, 115, 111), (TARGET, 112, False)),
    ((110, 115, 85), (TARGET, 110, False)),
]


@pytest.mark.parametrize(("candle", "expected"), LONG)
def test_a_long_is_closed_as_the_rules_say(candle, expected):
    found = decide_exit(_position(stop=90, target=110), *candle)
    assert (found and (found.reason, found.price, found.ambiguous)) == expected


@pytest.mark.parametrize(("candle", "expected"), LONG)
def test_a_short_is_its_mirror_image(candle, expected):
    open_price, high, low = (200 - price for price in candle)
    found = decide_exit(_position("short", stop=110, target=90), open_price, low, high)
    mirrored = expected and (expected[0], 200 - expected[1], expected[2])
    assert (found and (found.reason, found.price, found.ambiguous)) == mirrored


def test_without_levels_nothing_closes_a_position():
    assert decide_exit(_position(), 1, 1000, 0.01) is None


@given(
    length=st.integers(1, 900),
    seed=st.integers(0, 20),
    stop=st.one_of(st.none(), st.floats(95, 99.9)),
    target=st.one_of(st.none(), st.floats(100.1, 105)),
    start=st.integers(0, 900),
    cuts=st.sets(st.integers(1, 900), max_size=8),
    at_once=st.booleans(),
)
def test_the_search_finds_the_first_candle_that_reaches_a_level(
    walk, length, seed, stop, target, start, cuts, at_once
):
    series = walk(length, seed=seed)
    start = min(start, length)
    base = Columns()
    if at_once:
        base.replace_tail(0, series_columns(series, 0.0))
    monitor = SLTPMonitor(base)
    monitor.watch(_position(stop=stop, target=target), start)
    expected = next(
        (
            index
            for index in range(start, length)
            if (stop is not None and series.low[index] <= stop)
            or (target is not None and series.high[index] >= target)
        ),
        None,
    )
    for cut in [*sorted(cut for cut in cuts if start < cut < length), length]:
        base.replace_tail(len(base), series_columns(series.part(len(base), max(cut, len(base))), 0))
        known = expected is not None and expected < cut
        assert monitor.next_hit(cut) == (expected if known else cut)
        if known:
            break


def test_a_position_that_is_gone_is_not_watched(walk):
    base = Columns()
    base.replace_tail(0, series_columns(walk(100), 0.0))
    monitor = SLTPMonitor(base)
    monitor.watch(_position(stop=1000.0), 0)
    assert monitor.next_hit(100) == 0
    monitor.forget(1)
    assert monitor.next_hit(100) == 100
