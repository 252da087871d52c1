import json

import pytest

from engine import Signal, Strategy
from engine.engine import Engine
from engine.errors import InvalidRun, StrategyFailed
from engine.orders import ExitReason

MINUTE_MS = 60_000


class Buyer(Strategy):
    """Buys at the first close, with a stop at 90, and counts in a state that it shares."""

    timeframes = ("1m",)

    def on_init(self, data):
        self.memory = {"calls": 0}

    def on_candle(self, data, portfolio):
        self.memory["calls"] += 1
        return [] if portfolio.has_position else [Signal.open_long(50, stop_loss=90.0)]

    def get_state(self):
        return self.memory

    def set_state(self, state):
        self.memory = state


class Breaking(Buyer):
    """Raises at the third close."""

    def on_candle(self, data, portfolio):
        signals = super().on_candle(data, portfolio)
        if self.memory["calls"] == 3:
            self.memory["half"] = "done"
            raise KeyError("no such thing")
        return signals


def records_of(session, candles, **options):
    return list(session.on_candles(candles, **options))


def test_each_candle_at_which_something_happens_is_a_step_of_its_own(make_session, flat_candles):
    session = make_session(Buyer)
    records = records_of(session, flat_candles([100.0, 101.0, 102.0, 80.0, 80.0]))
    # Bought at the first, stopped and bought again (its stop on the wrong side) at the fourth.
    assert [len(record.equity_marks) for record in records] == [1, 3, 1]
    assert [record.step for record in records] == [1, 2, 3]
    assert [trade.exit_reason for r in records for trade in r.trades] == [ExitReason.STOP_LOSS]
    assert [alert.kind for r in records for alert in r.alerts] == ["trade_open", "trade_close"]


def test_one_candle_at_a_time_or_all_at_once_gives_the_same_book(make_session, flat_candles):
    prices = [100.0, 101.0, 95.0, 89.0, 100.0, 100.0]
    whole, single = make_session(Buyer), make_session(Buyer)
    at_once = records_of(whole, flat_candles(prices), recovered=True)
    candles = flat_candles(prices)
    apart = [r for i in range(6) for r in records_of(single, candles.part(i, i + 1))]
    for name in ("trades", "equity_marks"):
        joined = [[x for r in records for x in getattr(r, name)] for records in (at_once, apart)]
        assert joined[0] == joined[1]
    assert at_once[-1].snapshot == apart[-1].snapshot

    def told(records):
        return [{**a.payload, "recovered": 0} for r in records for a in r.alerts]

    assert told(at_once) == told(apart)


def test_a_strategy_that_raises_rests_and_the_rest_of_the_block_passes(make_session, flat_candles):
    session = make_session(Breaking)
    records = records_of(session, flat_candles([100.0, 100.0, 100.0, 95.0, 89.0, 89.0]))
    assert "KeyError: 'no such thing'" in session.fault
    assert __file__ in session.fault
    assert sum(len(record.equity_marks) for record in records) == 6
    # Its stop was watched behind the failure, and nothing was told twice.
    assert [t.exit_reason for r in records for t in r.trades] == [ExitReason.STOP_LOSS]
    assert [a.kind for r in records for a in r.alerts] == ["trade_open", "trade_close"]


class Leaving(Breaking):
    def on_candle(self, data, portfolio):
        try:
            return super().on_candle(data, portfolio)
        except KeyError:
            raise SystemExit(3) from None


def test_a_strategy_that_calls_exit_rests_and_ends_nothing_else(make_session, flat_candles):
    session = make_session(Leaving)
    records = records_of(session, flat_candles([100.0, 100.0, 100.0, 95.0, 89.0, 89.0]))
    assert "SystemExit: 3" in session.fault
    assert [t.exit_reason for r in records for t in r.trades] == [ExitReason.STOP_LOSS]


def test_the_state_that_is_kept_is_the_last_good_one(make_session, flat_candles):
    session = make_session(Breaking)
    records = records_of(session, flat_candles([100.0] * 5))
    assert records[-1].snapshot["strategy_state"] == {"calls": 2}


def test_a_session_that_rests_keeps_the_state_across_restarts(make_session, flat_candles):
    first = make_session(Breaking)
    snapshot = records_of(first, flat_candles([100.0] * 5))[-1].snapshot
    again = make_session(None, begin=False)
    history = flat_candles([100.0] * 65, first=1_704_067_200_000 - 60 * MINUTE_MS)
    again.resume(history, json.loads(json.dumps(snapshot)), 7)
    more = flat_candles([95.0, 89.0], first=1_704_067_200_000 + 5 * MINUTE_MS)
    records = records_of(again, more)
    assert records[-1].snapshot["strategy_state"] == {"calls": 2}
    assert [t.exit_reason for r in records for t in r.trades] == [ExitReason.STOP_LOSS]
    assert records[0].step == 8


class StateFails(Buyer):
    def get_state(self):
        if self.memory["calls"] == 2:
            raise RuntimeError("not now")
        return dict(self.memory)


class StateIsNoJson(Buyer):
    def get_state(self):
        return {"calls": self.memory["calls"], "bad": {1, 2}} if self.memory["calls"] == 2 else {}


@pytest.mark.parametrize(
    ("strategy", "reason"), [(StateFails, "not now"), (StateIsNoJson, "can't be stored")]
)
def test_a_state_that_cant_be_had_puts_the_strategy_to_rest(
    make_session, flat_candles, strategy, reason
):
    session = make_session(strategy)
    records = records_of(session, flat_candles([100.0, 100.0, 89.0]))
    assert reason in session.fault
    assert [t.exit_reason for r in records for t in r.trades] == [ExitReason.STOP_LOSS]
    assert [a.kind for r in records for a in r.alerts] == ["trade_open", "trade_close"]


def test_a_strategy_that_cant_take_its_state_back_is_named_with_its_line(
    make_session, flat_candles
):
    class Forgetful(Buyer):
        def set_state(self, state):
            raise ValueError("what is this?")

    snapshot = records_of(make_session(Buyer), flat_candles([100.0]))[-1].snapshot
    history = flat_candles([100.0] * 61, first=1_704_067_200_000 - 60 * MINUTE_MS)
    with pytest.raises(StrategyFailed, match=r"set_state raised ValueError: what is this\?.*line"):
        make_session(Forgetful, begin=False).resume(history, snapshot, 1)


def test_a_strategy_that_cant_be_made_is_named_with_its_line(make_session):
    class Unmakeable(Buyer):
        def __init__(self, params=None):
            raise ValueError("no")

    with pytest.raises(StrategyFailed, match=r"__init__ raised ValueError: no .*line"):
        make_session(Unmakeable)


def test_a_snapshot_of_another_history_is_refused(make_session, flat_candles):
    snapshot = records_of(make_session(Buyer), flat_candles([100.0]))[-1].snapshot
    history = flat_candles([100.0] * 60, first=1_704_067_200_000 - 60 * MINUTE_MS)
    with pytest.raises(InvalidRun, match="snapshot was taken at candle"):
        make_session(Buyer, begin=False).resume(history, snapshot, 1)


class Gappy(Buyer):
    """Trades at closes of 5m, which a gap in the candles puts off."""

    timeframes = ("5m",)


def test_a_snapshot_with_an_overdue_candle_gives_the_same_future(make_session, flat_candles):
    # Minutes 4 and 5 don't exist: the candle of 0..5 is closed only by minute 6.
    start = 1_704_067_200_000
    prices = [100.0, 101.0, 102.0, 103.0, 104.0, 105.0, 106.0, 107.0, 108.0]
    whole = flat_candles(prices)
    kept = [i for i in range(9) if i not in (4, 5)]
    candles = [whole.part(i, i + 1) for i in kept]
    straight = make_session(Gappy)
    expected = [r for c in candles for r in records_of(straight, c)]
    assert sum(len(r.positions) for r in expected) > 0
    for cut in range(1, len(candles)):
        before = make_session(Gappy)
        snapshot = [r for c in candles[:cut] for r in records_of(before, c)][-1].snapshot
        warm = [*flat_candles([100.0] * 60, first=start - 60 * MINUTE_MS)]
        seen = [candle for c in candles[:cut] for candle in c]
        after = make_session(Gappy, begin=False)
        after.resume(
            type(whole).from_candles([*warm, *seen]), json.loads(json.dumps(snapshot)), cut
        )
        rest = [r for c in candles[cut:] for r in records_of(after, c)]
        assert [r.positions for r in rest] == [r.positions for r in expected[cut:]]
        assert [r.equity for r in rest] == [r.equity for r in expected[cut:]]
        assert [r.snapshot for r in rest] == [r.snapshot for r in expected[cut:]]


def test_pausing_refuses_entries_and_is_part_of_the_state(make_session, flat_candles):
    session = make_session(Buyer)
    paused = session.set_paused(True, 5)
    assert paused.snapshot["entries_paused"]
    assert [event.kind for event in paused.events] == ["paused"]
    [record] = records_of(session, flat_candles([100.0]))
    assert not record.positions
    assert [event.details["reason"] for event in record.events] == ["entries are paused"]


def test_closing_by_hand_is_all_or_nothing(make_session, flat_candles):
    session = make_session(Buyer)
    records_of(session, flat_candles([100.0]))
    with pytest.raises(InvalidRun, match="no open position 9"):
        session.close_positions([1, 9], 10)
    assert session.engine.portfolio.has_position
    session.on_tick(105.0, 1_704_067_300_000)
    record = session.close_positions(None, 1_704_067_300_500)
    [trade] = record.trades
    assert (trade.exit_reason, trade.exit_price) == (ExitReason.MANUAL, 105.0)
    assert session.close_positions(None, 1_704_067_300_600).trades == ()


def test_an_order_is_filled_at_the_newest_price_known(make_session, flat_candles):
    close = 1_704_067_200_000 + MINUTE_MS
    for time, expected in ((close - 1, 100.0), (close + 300, 100.5)):
        session = make_session(Buyer)
        session.see_price(100.5, time)
        [record] = records_of(session, flat_candles([100.0]))
        assert record.positions[0].entry_price == expected
    session = make_session(Buyer)
    session.see_price(100.5, close + 300)
    [record] = records_of(session, flat_candles([100.0]), recovered=True)
    assert record.positions[0].entry_price == 100.0


def test_funding_is_paid_at_its_close_and_not_by_what_was_opened_since(make_session, flat_candles):
    start = 1_704_067_200_000
    session = make_session(Buyer)
    session.add_funding([(start + 2 * MINUTE_MS, 0.01)])
    records = records_of(session, flat_candles([100.0, 100.0, 100.0]))
    paid = [e for r in records for e in r.events if e.kind == "funding_paid"]
    assert [(e.time, e.details["amount_usd"]) for e in paid] == [(start + 2 * MINUTE_MS, 50.0)]
    # This one was due before the position was opened, and became known too late.
    session.add_funding([(start + MINUTE_MS, 0.01)])
    assert not session.engine.funding
    # This one came late, too, but the position was open.
    session.add_funding([(start + 3 * MINUTE_MS, 0.02)])
    records = records_of(session, flat_candles([100.0], first=start + 3 * MINUTE_MS))
    paid = [e for r in records for e in r.events if e.kind == "funding_paid"]
    assert [e.details["rate"] for e in paid] == [0.02]


def test_steps_leave_nothing_behind_in_memory(make_session, flat_candles):
    session = make_session(Buyer)
    records_of(session, flat_candles([100.0, 80.0] * 50))
    assert isinstance(session.engine, Engine)
    assert session.engine.ledger == []


def test_a_failure_behind_a_gap_costs_no_candle(make_session, flat_candles):
    class Early(Gappy):
        def on_candle(self, data, portfolio):
            raise ValueError("no")

    session = make_session(Early)
    whole = flat_candles([100.0] * 9)
    records = [r for i in (0, 1, 2, 3, 6, 7) for r in records_of(session, whole.part(i, i + 1))]
    assert session.fault
    assert [len(r.equity_marks) for r in records] == [1] * 6
    assert session.last_open_time == int(whole.timestamp[7])
