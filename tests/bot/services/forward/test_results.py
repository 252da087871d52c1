import json
from dataclasses import replace

import numpy as np

from bot.services.forward.results import end_of, forward_json
from data.storage.records import ForwardEvent, StoredTrade
from engine import Signal, Strategy
from engine.results import EquityCurve

START = 1_704_067_200_000
MINUTE_MS = 60_000


class Buyer(Strategy):
    timeframes = ("1m",)

    def on_candle(self, data, portfolio):
        return [] if portfolio.has_position else [Signal.open_long(50)]


def curve_of(records):
    marks = [mark for record in records for mark in record.equity_marks]
    times = np.array([mark.time for mark in marks], dtype=np.int64)
    return EquityCurve(times, np.array([mark.equity for mark in marks], dtype=float))


def test_a_test_that_saw_no_candle_has_a_json_without_figures(make_session):
    session = make_session(Buyer)
    result = forward_json(session.test, [], end_of(session), curve_of([]), None, [])
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["final_equity"] == 10_000.0
    assert result["start"] == result["end"] == "2024-01-01T00:00:00Z"
    assert result["metrics"]["trades"] == 0
    assert result["metrics"]["buy_and_hold_pct"] is None
    assert result["data"] is None


def test_what_is_open_is_shown_closed_at_the_last_close(make_session, flat_candles):
    session = make_session(Buyer)
    candles = flat_candles([100.0, 101.0, 103.0])
    records = list(session.on_candles(candles))
    test = replace(session.test, fault="broken")
    told = [
        ForwardEvent(START + 5, "signal_rejected", {"reason": "over max_leverage"}),
        ForwardEvent(START + 1, "signal_rejected", {"reason": "over max_leverage"}),
        ForwardEvent(START, "paused"),
    ]
    result = forward_json(test, [], end_of(session), curve_of(records), candles, told)
    [trade] = result["trades"]
    assert (trade["exit_reason"], trade["exit_price"], trade["recovered"]) == ("end", 103.0, False)
    assert result["final_equity"] == 10_150.0
    assert result["fault"] == "broken"
    assert result["rejected"] == [
        {"reason": "over max_leverage", "count": 2, "first_time": "2024-01-01T00:00:00Z"}
    ]
    assert result["metrics"]["buy_and_hold_pct"] == 100 * (103 / 100 - 1)
    assert result["data"]["candles"] == 3


def test_stored_trades_say_whether_they_were_recovered(make_session, flat_candles):
    session = make_session(Buyer)
    records = list(session.on_candles(flat_candles([100.0, 101.0])))
    trade = session.close_positions(None, START + 3 * MINUTE_MS).trades[0]
    stored = [StoredTrade(0, trade, recovered=True)]
    result = forward_json(session.test, stored, end_of(session), curve_of(records), None, [])
    assert [item["recovered"] for item in result["trades"]] == [True]
