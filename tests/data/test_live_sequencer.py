"""The order of candles: any mixture of stream and REST gives each candle once, in order."""

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from data.streams.sequencer import CandleSequencer
from engine.candles import Candle
from engine.timeframe import MINUTE_MS

START = 1_735_689_600_000


def candle(minute, close=100.0):
    top = max(100.0, close)
    return Candle(START + minute * MINUTE_MS, 100.0, top, 90.0, close, 1.0 + minute)


def minutes(released):
    return [(item.candle.timestamp - START) // MINUTE_MS for item in released]


def test_candles_in_order_pass_at_once():
    sequencer = CandleSequencer(START)
    released = [sequencer.receive(candle(n)) for n in range(3)]

    assert [minutes(part) for part in released] == [[0], [1], [2]]
    assert sequencer.next_open == START + 3 * MINUTE_MS
    assert sequencer.last_open == START + 2 * MINUTE_MS
    assert not released[0][0].backfilled


def test_without_a_beginning_the_first_candle_is_the_beginning():
    sequencer = CandleSequencer()
    assert minutes(sequencer.receive(candle(5))) == [5]
    assert minutes(sequencer.receive(candle(6))) == [6]


def test_a_later_candle_waits_for_the_gap_to_be_filled():
    sequencer = CandleSequencer(START)

    assert sequencer.receive(candle(3)) == []
    assert sequencer.receive(candle(2)) == []
    assert sequencer.gap == (START, START + 2 * MINUTE_MS)
    assert sequencer.held == 2
    released = sequencer.backfill([candle(0), candle(1)])
    assert minutes(released) == [0, 1, 2, 3]
    assert [item.backfilled for item in released] == [True, True, False, False]
    assert (sequencer.backfilled, sequencer.held, sequencer.gap) == (2, 0, None)


def test_a_swapped_pair_needs_no_backfill():
    sequencer = CandleSequencer(START)
    assert sequencer.receive(candle(1)) == []
    assert minutes(sequencer.receive(candle(0))) == [0, 1]
    assert sequencer.backfilled == 0


def test_a_minute_that_rest_lacks_before_a_later_one_does_not_exist():
    sequencer = CandleSequencer(START)
    sequencer.receive(candle(4))

    assert minutes(sequencer.backfill([candle(0), candle(3)])) == [0, 3, 4]
    assert sequencer.missing == 2


def test_a_minute_that_rest_lacks_at_the_end_may_still_come():
    sequencer = CandleSequencer(START)
    sequencer.receive(candle(2))

    assert minutes(sequencer.backfill([candle(0)])) == [0]
    assert sequencer.backfill([]) == []
    assert sequencer.gap == (START + MINUTE_MS, START + 2 * MINUTE_MS)
    assert minutes(sequencer.give_up_gap()) == [2]
    assert sequencer.missing == 1
    assert sequencer.give_up_gap() == []


def test_the_same_candle_twice_is_counted_and_dropped():
    sequencer = CandleSequencer(START)
    sequencer.receive(candle(0))
    sequencer.receive(candle(2))

    assert sequencer.receive(candle(0)) == []
    assert sequencer.receive(candle(2)) == []
    assert sequencer.receive(candle(-9)) == []
    assert (sequencer.duplicates, sequencer.revisions) == (3, 0)


def test_a_late_revision_is_dropped_and_told_with_its_difference():
    sequencer = CandleSequencer(START)
    sequencer.receive(candle(0, close=100.0))

    assert sequencer.receive(candle(0, close=101.5)) == []
    assert (sequencer.duplicates, sequencer.revisions) == (0, 1)
    assert sequencer.last_revision.close_change == 1.5
    assert sequencer.last_revision.volume_change == 0.0


def test_rest_counts_where_the_stream_differs():
    sequencer = CandleSequencer(START)
    sequencer.receive(candle(1, close=99.0))
    released = sequencer.backfill([candle(0), candle(1, close=98.0)])

    assert [item.candle.close for item in released] == [100.0, 98.0]
    assert sequencer.revisions == 1


def test_rest_may_repeat_what_was_delivered():
    sequencer = CandleSequencer(START)
    sequencer.receive(candle(0))
    for _ in range(2):
        assert minutes(sequencer.backfill([candle(0, close=99.0)])) == []

    assert (sequencer.revisions, sequencer.duplicates) == (1, 0)
    assert sequencer.last_revision.close_change == -1.0


def test_a_difference_by_rounding_is_none():
    sequencer = CandleSequencer(START)
    first = candle(0)
    sequencer.receive(first)
    sequencer.receive(dataclasses.replace(first, close=first.close * (1 + 1e-14)))
    assert (sequencer.duplicates, sequencer.revisions) == (1, 0)


@st.composite
def feeds(draw):
    """Some existing minutes, and frames in any order: lost, repeated, shuffled, with backfills."""
    count = draw(st.integers(1, 24))
    existing = sorted(draw(st.sets(st.integers(0, count), min_size=1)))
    frames = draw(st.lists(st.sampled_from(existing), max_size=40))
    fills = draw(st.lists(st.integers(0, len(frames)), max_size=6))
    return existing, frames, fills


@given(feeds())
def test_each_candle_comes_once_and_in_order_whatever_the_stream_does(feed):
    existing, frames, fills = feed
    sequencer = CandleSequencer(START)
    delivered = []
    known = -1  # the latest minute that has closed, as far as frames tell
    for position, minute in enumerate(frames):
        delivered += sequencer.receive(candle(minute))
        known = max(known, minute)
        if position in fills:
            first = (sequencer.next_open - START) // MINUTE_MS
            answer = [n for n in existing if max(0, first - 1) <= n <= known]
            delivered += sequencer.backfill([candle(n) for n in answer])
    delivered += sequencer.backfill([candle(n) for n in existing])

    assert minutes(delivered) == existing
    assert [item.candle for item in delivered] == [candle(n) for n in existing]
    assert (sequencer.held, sequencer.revisions) == (0, 0)
    assert sequencer.missing == existing[-1] + 1 - len(existing)


@given(st.permutations(range(12)), st.integers(0, 11))
def test_no_order_of_arrival_needs_a_backfill_if_nothing_is_lost(order, repeated):
    sequencer = CandleSequencer(START)
    delivered = [r for n in (*order, repeated) for r in sequencer.receive(candle(n))]

    assert minutes(delivered) == list(range(12))
    assert sequencer.duplicates == 1


def test_revisions_of_what_was_delivered_are_told_once_each_and_of_what_is_held_never():
    sequencer = CandleSequencer(START)
    sequencer.receive(candle(0, close=100.0))
    sequencer.receive(candle(2, close=100.0))
    sequencer.receive(candle(2, close=99.0))  # nobody has seen it yet
    assert sequencer.take_revised() == []

    sequencer.receive(candle(0, close=101.0))
    sequencer.receive(candle(0, close=101.0))
    sequencer.backfill([candle(0, close=101.0), candle(1)])
    sequencer.backfill([candle(0, close=102.0)])
    told = [(r.delivered.close, r.revised.close) for r in sequencer.take_revised()]

    assert told == [(100.0, 101.0), (101.0, 102.0)]
    assert sequencer.take_revised() == []
    assert sequencer.oldest_open == START


def test_without_a_beginning_the_first_candle_of_rest_is_the_beginning():
    sequencer = CandleSequencer()

    assert minutes(sequencer.backfill([candle(5), candle(6)])) == [5, 6]
    assert (sequencer.next_open, sequencer.missing) == (START + 7 * MINUTE_MS, 0)
