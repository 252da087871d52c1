"""The listeners of one symbol: who leaves or fails is told nothing more, and harms no other."""

import pytest

from data.retry import Timing
from data.streams.audience import Audience
from data.streams.events import Revision, StreamDown
from data.streams.lane import Lane
from data.streams.policy import StreamPolicy
from data.streams.sequencer import Released
from data.streams.tasks import TaskOwner
from engine.candles import Candle
from engine.timeframe import MINUTE_MS

START = 1_735_741_800_000


def candle(minute, close=100.0):
    return Candle(START + minute * MINUTE_MS, 100.0, 120.0, 90.0, close, 5.0)


def released(minute):
    return Released(candle(minute), False, START + minute * MINUTE_MS)


class Listener:
    """Remembers what it is told; `fails_at` are the methods that raise."""

    def __init__(self, *fails_at):
        self.told = []
        self._fails_at = fails_at

    def on_candle(self, event):
        self._note("candle", (event.candle.timestamp - START) // MINUTE_MS)

    def on_tick(self, tick):
        self._note("tick", tick)

    def on_outage(self, event):
        self._note("outage", event.reason)

    def on_revision(self, event):
        self._note("revision", event.revision.revised.close)

    def on_failure(self, event):
        self._note("failure", event.reason)

    def _note(self, kind, what):
        self.told.append((kind, what))
        if kind in self._fails_at:
            raise RuntimeError(f"no {kind}, please")


@pytest.fixture
def left():
    """The moments at which a listener left."""
    return []


@pytest.fixture
def audience(left):
    tasks = TaskOwner()

    async def fetch(start, end):
        raise AssertionError("nothing is missing")

    def make_lane(name, begins, deliver, revise):
        return Lane(
            name,
            begins,
            fetch=fetch,
            deliver=deliver,
            timing=Timing(),
            policy=StreamPolicy(),
            tasks=tasks,
            on_death=lambda error: None,
            on_revised=revise,
        )

    return Audience("BTC/USDT", make_lane, lambda: START, lambda: left.append(True))


def fill_lane(audience, listener, minutes):
    """Add a listener whose lane holds candles back; return what lets them all go at once."""
    lane = audience.add(listener, ticks=False, begins=START)
    for minute in minutes:
        lane.sequencer.receive(candle(minute))
    return lane


async def test_a_listener_that_fails_at_the_first_of_several_candles_is_not_told_the_others(
    audience, left
):
    listener = Listener("candle")
    lane = fill_lane(audience, listener, (1, 2))
    lane.pass_on(released(0))

    kinds = [kind for kind, _ in listener.told]
    assert kinds == ["candle", "failure"]
    assert "subscribe again" in listener.told[1][1]
    assert (len(audience), left) == (0, [True])


async def test_a_listener_that_fails_at_a_revision_is_not_told_the_next(audience):
    failing, sound = Listener("revision"), Listener()
    lanes = [audience.add(each, ticks=False, begins=START) for each in (failing, sound)]
    for minute in (0, 1):
        audience.pass_on(released(minute))
    for lane in lanes:  # both corrections come in one answer
        lane.sequencer.receive(candle(0, 101.0))
        lane.compare(candle(1, 102.0))

    assert [kind for kind, _ in failing.told] == ["candle", "candle", "revision", "failure"]
    assert sound.told[2:] == [("revision", 101.0), ("revision", 102.0)]


async def test_a_listener_is_not_told_the_revision_of_a_candle_that_it_never_had(audience):
    late = Listener()
    audience.add(late, ticks=False, begins=START + 5 * MINUTE_MS)
    audience.revise(Revision(candle(5), candle(5, 101.0)))
    audience.revise(Revision(candle(4), candle(4, 101.0)))

    assert late.told == []


async def test_a_listener_that_fails_while_it_is_told_of_its_failure_harms_no_other(
    audience, caplog
):
    hopeless, sound = Listener("outage", "failure"), Listener()
    for listener in (hopeless, sound):
        audience.add(listener, ticks=False, begins=START)
    audience.tell_outage(StreamDown("BTC/USDT", "broken", START))

    assert "failed while told of a failure" in caplog.text
    assert sound.told == [("outage", "broken")]
    assert not audience.knows(hopeless)
    assert audience.knows(sound)


async def test_who_leaves_twice_leaves_once(audience, left):
    leaving, staying = Listener(), Listener()
    for listener in (leaving, staying):
        audience.add(listener, ticks=True, begins=START)
    audience.remove(leaving)
    audience.remove(leaving)
    audience.pass_on(released(0))

    assert (leaving.told, staying.told, left) == ([], [("candle", 0)], [True])
