from dataclasses import replace

import pytest

from bot.services.forward.parity import Cause, compare
from data.storage.records import ForwardEvent, StoredTrade
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


def report(live, backtest, *, open_entries=(), events=(), recovered=()):
    stored = [StoredTrade(1, item, item.id in recovered) for item in live]
    return compare(
        stored, backtest, open_entries=open_entries, events=events, start=START, end=at(100)
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
