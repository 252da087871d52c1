"""Counting what repeats: the first is told, later ones are held back, and none is lost."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.repeats import (
    FIRST_PAUSE_MS,
    LONGEST_PAUSE_MS,
    MEMORY_MS,
    Repeat,
    RepeatLedger,
    fault_streaks,
)
from bot.services import alert_kinds as kinds
from data.storage.records import OutboxMessage

START = 1_704_067_200_000
MINUTE_MS = 60_000


def message(kind, at, *, number=1, test_id=1, **payload):
    return OutboxMessage(
        id=number,
        dedupe_key=f"k{number}",
        kind=kind,
        test_id=test_id,
        channel="test",
        payload=payload,
        created_at=START + at,
        attempts=0,
        next_attempt_at=0,
        sent_at=None,
        abandoned_at=None,
        last_error=None,
    )


def fault(at, reason="out of ideas", **changes):
    return message(kinds.FAULT, at, reason=reason, **changes)


def test_the_first_is_told_and_those_like_it_are_held_back_and_told_as_one():
    ledger = RepeatLedger()

    assert ledger.take(fault(0)) == Repeat(1, START, START)
    for minute in range(1, 5):
        assert ledger.take(fault(minute * MINUTE_MS, number=10 + minute)) is None
    due = START + FIRST_PAUSE_MS
    assert ledger.next_release_at() == due
    assert ledger.release(due - 1) == []

    assert ledger.release(due) == [(14, Repeat(5, START, START + 4 * MINUTE_MS))]
    assert ledger.release(due) == []
    assert ledger.next_release_at() is None


def test_one_that_comes_after_the_pause_is_told_at_once_with_its_count():
    ledger = RepeatLedger()
    ledger.take(fault(0))
    ledger.take(fault(1))

    told = ledger.take(fault(FIRST_PAUSE_MS))

    assert told == Repeat(3, START, START + FIRST_PAUSE_MS)
    assert ledger.next_release_at() is None


def test_a_crash_loop_of_a_day_is_told_a_handful_of_times():
    ledger, told = RepeatLedger(), []
    for minute in range(24 * 60):
        at = minute * MINUTE_MS
        told += [repeat.count for _, repeat in ledger.release(START + at)]
        repeat = ledger.take(fault(at, number=minute))
        told += [repeat.count] if repeat else []

    assert len(told) <= 10
    assert told[:4] == [1, 10, 30, 70]


def test_the_pause_never_gets_longer_than_the_longest():
    ledger, last = RepeatLedger(), 0
    for minute in range(0, 5 * 24 * 60, 7):
        at = minute * MINUTE_MS
        if ledger.release(START + at) or ledger.take(fault(at)):
            assert at - last <= LONGEST_PAUSE_MS + 7 * MINUTE_MS
            last = at
        ledger.forget_old(START + at)
    assert last > 4 * 24 * 60 * MINUTE_MS


def test_after_a_long_calm_it_is_a_first_one_again():
    ledger = RepeatLedger()
    ledger.take(fault(0))

    ledger.forget_old(START + MEMORY_MS)
    assert ledger.to_json() == {}
    assert ledger.take(fault(MEMORY_MS)).count == 1


def test_a_clock_that_was_set_back_starts_anew():
    ledger = RepeatLedger()
    ledger.take(fault(MEMORY_MS))

    assert ledger.take(fault(0)).count == 1


def test_other_tests_and_other_reasons_are_not_held_back():
    ledger = RepeatLedger()
    ledger.take(fault(0))

    assert ledger.take(fault(1, "no more market data")).count == 1
    assert ledger.take(fault(1, test_id=2)).count == 1
    assert ledger.take(fault(1)) is None


def test_numbers_in_a_reason_do_not_make_it_another_one():
    ledger = RepeatLedger()
    ledger.take(fault(0, "stop 41,020.5 is above 40,999.1 (line 30)"))

    assert ledger.take(fault(1, "stop 39,120.5 is above 39,099.7 (line 30)")) is None


def test_a_loss_of_data_and_its_end_are_one_story_and_the_last_word_stays():
    ledger = RepeatLedger()
    flapping = [kinds.STALL, kinds.BACK] * 3
    told = [ledger.take(message(kind, n * MINUTE_MS, number=n)) for n, kind in enumerate(flapping)]

    assert [repeat and repeat.count for repeat in told] == [1, 1, None, None, None, None]
    assert ledger.release(START + FIRST_PAUSE_MS) == []
    [(number, repeat)] = ledger.release(START + FIRST_PAUSE_MS + MINUTE_MS)
    assert (flapping[number], number, repeat.count) == (kinds.BACK, 5, 3)


def test_a_connection_that_flaps_is_counted_by_exchange():
    ledger = RepeatLedger()

    def told(exchange, kind):
        payload = {"exchange": exchange, "kind": kind, "symbols": ["BTC/USDT"]}
        return ledger.take(replace(message(kinds.CONNECTION, 0), payload=payload))

    assert told("binance", "unreachable").count == 1
    assert told("binance", "recovered").count == 1
    assert told("bybit", "unreachable").count == 1
    assert told("binance", "unreachable") is None


def test_a_restart_that_leaves_another_test_behind_is_told():
    ledger = RepeatLedger()
    left = [{"name": "one", "reason": "its strategy is gone"}]

    assert ledger.take(message(kinds.RECOVERY, 0, tests=[{"candles": 3}], left=[])).count == 1
    assert ledger.take(message(kinds.RECOVERY, 1, tests=[{"candles": 5}], left=[])) is None
    assert ledger.take(message(kinds.RECOVERY, 2, tests=[], left=left)).count == 1
    assert ledger.take(message(kinds.RECOVERY, 3, tests=[], left=left)) is None


def test_a_test_left_behind_is_not_taken_for_another_one_whose_name_has_another_number():
    ledger = RepeatLedger()

    def leave(name, reason):
        left = [{"name": name, "reason": reason}]
        return ledger.take(message(kinds.RECOVERY, 0, tests=[], left=left))

    assert leave("ma_crossover-2", "no answer in 10 s").count == 1
    assert leave("ma_crossover-3", "no answer in 10 s").count == 1
    assert leave("ma_crossover-2", "no answer in 12 s") is None


def test_notices_repeat_by_what_they_say():
    ledger = RepeatLedger()
    lost = {"title": "State will be lost", "text": "DATA_DIR is not on the volume"}

    assert ledger.take(message(kinds.NOTE, 0, **lost)).count == 1
    assert ledger.take(message(kinds.NOTE, 1, **lost)) is None
    assert ledger.take(message(kinds.NOTE, 2, title="Scheduled work", text="failed")).count == 1


@pytest.mark.parametrize("kind", ["trade_open", "trade_close", kinds.START, kinds.PAUSED, "other"])
def test_trades_and_what_people_do_are_never_held_back(kind):
    ledger = RepeatLedger()

    assert [ledger.take(message(kind, 0)).count for _ in range(3)] == [1, 1, 1]
    assert ledger.to_json() == {}


def test_after_a_resumption_by_hand_the_next_fault_is_told_at_once_with_its_count():
    ledger = RepeatLedger()
    ledger.take(fault(0))
    ledger.take(fault(1))
    ledger.take(fault(1, test_id=11))

    ledger.let_next_pass(fault_streaks(1))

    assert ledger.next_release_at() is None
    assert ledger.take(fault(2)) == Repeat(3, START, START + 2)
    assert ledger.take(fault(2, test_id=11)) is None


@pytest.mark.parametrize(
    "kept",
    [
        None, [], "x", {"a": 1}, {"a": {"last": 1, "held": None}},
        {"a": {"last": 1, "strands": {}, "held": [1, "no such strand"]}},
        {"a": {"last": 1, "strands": {"x": {"since": 1}}, "held": None}},
    ],
)  # fmt: skip
def test_what_can_t_be_understood_counts_as_nothing(kept):
    assert RepeatLedger(kept).to_json() == {}


happenings = st.lists(
    st.tuples(
        st.sampled_from([kinds.FAULT, kinds.STALL, kinds.BACK, kinds.RECOVERY, "trade_open"]),
        st.sampled_from([1, 2]),
        st.sampled_from([0, 1, MINUTE_MS, 7 * MINUTE_MS, FIRST_PAUSE_MS, 3 * 60 * MINUTE_MS]),
    ),
    max_size=60,
)


@given(happenings, st.integers(0, 60))
def test_nothing_is_lost_whenever_the_process_restarts(events, restart_every):
    ledger, now, told, taken = RepeatLedger(), 0, [], Counter()
    by_id = {}
    for number, (kind, test_id, pause) in enumerate(events):
        now += pause
        one = message(kind, now, number=number, test_id=test_id, reason="x")
        by_id[number] = one
        told += [(by_id[held], repeat) for held, repeat in ledger.release(START + now)]
        repeat = ledger.take(one)
        taken[kind, test_id] += 1
        if repeat is not None:
            told.append((one, repeat))
        if restart_every and number % restart_every == 0:
            ledger = RepeatLedger(json.loads(json.dumps(ledger.to_json())))
    told += [(by_id[held], repeat) for held, repeat in ledger.release(START + now + 10**12)]

    # The last word of every story is told, nothing twice, and counts name all that came.
    ids = [one.id for one, _ in told]
    assert len(set(ids)) == len(ids)
    for one, repeat in told:
        assert repeat.since <= one.created_at <= repeat.last
    last_of_story = {}
    for one in by_id.values():
        story = "data" if one.kind in (kinds.STALL, kinds.BACK) else one.kind
        last_of_story[story, one.kind != kinds.RECOVERY and one.test_id] = one
    shown = {one.id for one, _ in told}
    for one in last_of_story.values():
        assert one.id in shown
    if now < MEMORY_MS:
        for test_id in (1, 2):
            counts = [r.count for m, r in told if (m.kind, m.test_id) == (kinds.FAULT, test_id)]
            assert max(counts, default=0) == taken[kinds.FAULT, test_id]
    trades = [one for one, _ in told if one.kind == "trade_open"]
    assert trades == [one for one in by_id.values() if one.kind == "trade_open"]


def test_the_documentation_tells_the_pauses():
    page = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
    text = " ".join(page.read_text(encoding="utf-8").split())
    hour = 60 * MINUTE_MS

    assert f"held back for {FIRST_PAUSE_MS // MINUTE_MS} minutes" in text
    assert f"up to {LONGEST_PAUSE_MS // hour} hours" in text
    assert f"after {MEMORY_MS // hour} hours of calm" in text
