from dataclasses import replace

import pytest

from bot.services.forward.parity import Cause, compare
from bot.services.forward.revisions import told_of_revision
from data.storage.records import ForwardEvent, StoredTrade
from data.streams.events import Revision
from engine.candles import Candle
from engine.orders import ExitReason, Side, Trade

MINUTE_MS = 60_000
START = 1_704_067_200_000


def at(minute, ms=0):
    return START + minute * MINUTE_MS + ms


def trade(number=1, *, entry=5, leave=9, reason=ExitReason.STOP_LOSS, **changes):
    made = Trade(
        id=number,
        side=Side.LONG,
        entry_time=at(entry),
        entry_price=100.0,
        exit_time=at(leave),
        exit_price=90.0,
        size=1.0,
        size_usd=100.0,
        pnl=-10.0,
        pnl_percent=-10.0,
        fees=0.0,
        exit_reason=reason,
    )
    return replace(made, **changes)


def report(live, backtest, *, open_entries=(), events=(), recovered=(), minutes=1):
    stored = [StoredTrade(1, item, item.id in recovered) for item in live]
    return compare(
        stored,
        backtest,
        open_entries=open_entries,
        events=events,
        start=START,
        end=at(100),
        decided_every_ms=minutes * MINUTE_MS,
    )


def causes(*arguments, **options):
    return [pair.cause for pair in report(*arguments, **options).pairs]


def test_equal_trades_match_without_a_cause():
    found = report(
        [trade(1), trade(2, entry=20, leave=30)], [trade(1), trade(2, entry=20, leave=30)]
    )
    assert [pair.cause for pair in found.pairs] == [Cause.NONE, Cause.NONE]
    assert (found.matched, found.largest_bps) == (2, 0.0)


@pytest.mark.parametrize(
    ("live", "cause", "matches"),
    [
        ({"exit_price": 89.9, "exit_time": at(8, 30_000)}, Cause.TICK_OVERSHOOT, True),
        ({"exit_price": 89.9, "exit_time": at(8)}, Cause.TICK_OVERSHOOT, True),  # its first trade
        ({"entry_price": 100.1}, Cause.LATE_CLOSE, True),
        ({"exit_reason": ExitReason.MANUAL, "exit_time": at(7, 5)}, Cause.MANUAL_CLOSE, False),
        ({"exit_time": at(20)}, Cause.OUTAGE, False),
    ],
)
def test_a_difference_has_its_cause(live, cause, matches):
    [pair] = report([trade(**live)], [trade()]).pairs
    assert (pair.cause, pair.matches) == (cause, matches)


def test_the_first_trade_of_a_minute_belongs_to_that_minute_and_no_later_one():
    [pair] = report([trade(exit_time=at(7))], [trade()]).pairs
    assert not pair.matches
    sold = {"exit_reason": ExitReason.SIGNAL}
    [pair] = report([trade(exit_time=at(8), **sold)], [trade(**sold)]).pairs
    assert not pair.matches


def test_prices_apart_are_told_in_basis_points():
    found = report([trade(entry_price=100.1, exit_price=89.91)], [trade()])
    assert found.pairs[0].entry_bps == pytest.approx(10.0)
    assert found.largest_bps == pytest.approx(10.0)


def test_a_trade_filled_while_away_says_so():
    assert causes([trade(exit_price=91.0)], [trade()], recovered=[1]) == [Cause.RECOVERED]


def test_which_level_came_first_only_ticks_know():
    live = trade(reason=ExitReason.TAKE_PROFIT, exit_time=at(8, 100))
    assert causes([live], [trade(ambiguous=True)]) == [Cause.TICK_ORDER]


def test_trades_of_one_side_alone():
    paused = [ForwardEvent(at(1), "paused"), ForwardEvent(at(10), "resumed")]
    for events in (paused, paused[::-1]):
        assert causes([], [trade()], events=events) == [Cause.PAUSED]
        assert causes([], [trade(entry=12, leave=15)], events=events) == [Cause.OUTAGE]
    assert causes([], [trade()], open_entries=[at(5)]) == [Cause.OPEN]
    assert causes([trade()], []) == [Cause.OUTAGE]
    later = trade(2, entry=20, leave=30)
    assert causes([trade(exit_time=at(7)), later], [trade()]) == [Cause.OUTAGE, Cause.FOLLOWS]


def revised(minute):
    """The event of a revision of the candle that closes at a minute."""
    seen = Candle(at(minute - 1), 100.0, 101.0, 99.0, 100.5, 3.0)
    return told_of_revision(Revision(seen, replace(seen, close=99.5)))


SOLD = {"reason": ExitReason.SIGNAL}


@pytest.mark.parametrize(
    ("live", "backtest", "minute", "cause"),
    [
        ({"entry_price": 100.1}, {}, 5, Cause.REVISED),
        ({"entry_price": 100.1}, {}, 4, Cause.LATE_CLOSE),
        ({"entry_price": 100.1}, {}, 9, Cause.LATE_CLOSE),
        ({"exit_price": 90.5, **SOLD}, SOLD, 9, Cause.REVISED),
        ({"exit_price": 90.5, **SOLD}, SOLD, 8, Cause.LATE_CLOSE),
        ({"exit_price": 90.5}, {}, 5, Cause.REVISED),  # the stop was laid at the entry's candle
        ({"exit_price": 90.5}, {}, 9, Cause.TICK_OVERSHOOT),
        ({"leave": 20, **SOLD}, SOLD, 9, Cause.REVISED),
        ({"leave": 20, **SOLD}, SOLD, 7, Cause.REVISED),  # an average still knows it
        ({"leave": 20, **SOLD}, SOLD, 21, Cause.OUTAGE),
        ({"exit_reason": ExitReason.MANUAL, "exit_time": at(7, 5)}, {}, 5, Cause.MANUAL_CLOSE),
        ({}, {}, 5, Cause.NONE),
    ],
)
def test_a_difference_where_a_candle_was_revised_is_put_down_to_it(live, backtest, minute, cause):
    found = report([trade(**live)], [trade(**backtest)], events=[revised(minute)])
    assert [pair.cause for pair in found.pairs] == [cause]
    assert found.revised == (at(minute),)


def test_a_trade_of_one_side_alone_comes_of_a_revision_before_it():
    assert causes([trade()], [], events=[revised(5)]) == [Cause.REVISED]
    assert causes([], [trade()], events=[revised(2)]) == [Cause.REVISED]
    assert causes([], [trade()], events=[revised(6)]) == [Cause.OUTAGE]
    later = trade(2, entry=20, leave=30)
    told = [revised(5), revised(20)]
    assert causes([trade(), later], [], events=told) == [Cause.REVISED, Cause.REVISED]
    assert causes([trade(), later], [], events=told[:1]) == [Cause.REVISED, Cause.FOLLOWS]


def test_an_outage_since_the_revision_is_the_likelier_cause():
    outage = ForwardEvent(at(4), "stream_down", {"reason": "cut"})
    assert causes([trade()], [], events=[revised(2), outage]) == [Cause.OUTAGE]
    assert causes([trade()], [], events=[revised(5), outage]) == [Cause.REVISED]
    old = trade(1, entry=200, leave=210)
    assert causes([old], [], events=[revised(2)]) == [Cause.OUTAGE]
    assert causes([old], [], events=[revised(2)], minutes=60) == [Cause.REVISED]


def test_a_revised_minute_inside_of_the_candle_that_decided_counts():
    live = [trade(entry_price=100.1)]
    assert causes(live, [trade()], events=[revised(1)], minutes=5) == [Cause.REVISED]
    assert causes(live, [trade()], events=[revised(0)], minutes=5) == [Cause.LATE_CLOSE]


def test_a_revision_is_kept_with_what_was_seen_and_what_it_is_now():
    event = revised(5)
    assert (event.time, event.kind) == (at(5), "candle_revised")
    assert event.details == {"open_time": at(4), "changed": {"close": [100.5, 99.5]}}
