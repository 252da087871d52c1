"""The reference simulator against tables that were worked out by hand."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from engine.candles import Candle
from engine.orders import Signal
from tests.engine.reference.simulator import Decision, ReferenceRun, simulate

MINUTE = 60_000
MONDAY = 1_704_067_200_000  # 2024-01-01 00:00 UTC

Row = tuple[float, float, float, float]


def at(minute):
    return MONDAY + minute * MINUTE


def candles_of(rows: Sequence[Row], minutes: Sequence[int] | None = None) -> list[Candle]:
    minutes = range(len(rows)) if minutes is None else minutes
    return [Candle(at(m), *row, 1.0) for m, row in zip(minutes, rows, strict=True)]


def play(
    rows: Sequence[Row],
    answers: Mapping[int, list[Signal]],
    *,
    minutes: Sequence[int] | None = None,
    timeframes: tuple[str, ...] = ("1m",),
    initial_balance: float = 1000.0,
    **options: Any,
) -> tuple[ReferenceRun, list[Decision]]:
    """Run rows of open, high, low, close; `answers` are the signals by number of the call."""
    calls: list[Decision] = []

    def decide(decision: Decision) -> list[Signal]:
        visible = {name: list(bars) for name, bars in decision.visible.items()}
        calls.append(Decision(decision.time, visible, decision.positions, decision.equity))
        return answers.get(len(calls) - 1, [])

    candles = candles_of(rows, minutes)
    options |= {"timeframes": timeframes, "initial_balance": initial_balance}
    return simulate(candles, decide, **options), calls


FLAT: Row = (100, 100, 100, 100)
LONG = Signal.open_long(50, stop_loss=95, take_profit=110)
SHORT = Signal.open_short(50, stop_loss=105, take_profit=90)


@pytest.mark.parametrize(
    ("signal", "row", "reason", "price", "ambiguous"),
    [
        (LONG, (100, 109, 96, 100), "end", 100, False),
        (LONG, (100, 101, 95, 100), "stop_loss", 95, False),
        (LONG, (100, 110, 99, 100), "take_profit", 110, False),
        (LONG, (100, 110, 95, 100), "stop_loss", 95, True),
        (LONG, (95, 111, 94, 100), "stop_loss", 95, False),
        (LONG, (93, 111, 92, 100), "stop_loss", 93, False),
        (LONG, (110, 111, 94, 100), "take_profit", 110, False),
        (LONG, (112, 113, 94, 100), "take_profit", 112, False),
        (SHORT, (100, 104, 91, 100), "end", 100, False),
        (SHORT, (100, 105, 99, 100), "stop_loss", 105, False),
        (SHORT, (100, 101, 90, 100), "take_profit", 90, False),
        (SHORT, (100, 105, 90, 100), "stop_loss", 105, True),
        (SHORT, (106, 107, 89, 100), "stop_loss", 106, False),
        (SHORT, (88, 106, 87, 100), "take_profit", 88, False),
    ],
)
def test_a_candle_settles_a_position_at_its_level_or_at_the_open(
    signal, row, reason, price, ambiguous
):
    run, _ = play([FLAT, row], {0: [signal]})

    (trade,) = run.trades
    assert (trade.exit_reason, trade.exit_price, trade.ambiguous) == (reason, price, ambiguous)
    assert (trade.entry_time, trade.exit_time) == (at(1), at(2))


def test_the_candle_of_the_entry_close_settles_nothing():
    run, _ = play([(100, 120, 80, 100), FLAT], {0: [LONG]})

    assert [trade.exit_reason for trade in run.trades] == ["end"]


def test_a_trade_at_a_loss_with_fees_and_slippage_adds_up():
    # Buy at 100 * 1.01 = 101 for 505 USD: size 5, fee 5.05. Stop at 90 sells at 89.1: fee 4.455.
    run, _ = play(
        [FLAT, (100, 100, 90, 92), (92, 92, 92, 92)],
        {0: [Signal.open_long(50.5, stop_loss=90)]},
        fee_rate=0.01,
        slippage_bps=100,
    )

    (trade,) = run.trades
    assert trade.entry_price == pytest.approx(101)
    assert trade.size == pytest.approx(5)
    assert trade.size_usd == pytest.approx(505)
    assert trade.exit_price == pytest.approx(89.1)
    assert trade.fees == pytest.approx(5.05 + 4.455)
    assert trade.slippage == pytest.approx(5 * 1 + 5 * 0.9)
    assert trade.pnl == pytest.approx(5 * (89.1 - 101) - 9.505)
    assert trade.pnl_percent == pytest.approx(100 * trade.pnl / 505)
    marks = [1000 - 5.05 - 5 * 1, 1000 - 5.05 - 59.5 - 4.455, 1000 - 5.05 - 59.5 - 4.455]
    assert [equity for _, equity in run.equity] == pytest.approx(marks)
    assert (run.fees, run.slippage) == (pytest.approx(9.505), pytest.approx(9.5))
    assert run.final_equity == pytest.approx(1000 + trade.pnl)


def test_targets_have_no_slippage_and_shorts_sell_lower_and_buy_higher():
    signals = {0: [Signal.open_short(9.9, take_profit=90)], 1: [], 2: [Signal.open_short(10)]}
    rows = [FLAT, (100, 100, 90, 90), FLAT, FLAT]
    run, _ = play(rows, signals, slippage_bps=100)

    target, end = run.trades
    assert (target.entry_price, target.exit_price) == (pytest.approx(99), 90)
    assert target.slippage == pytest.approx(1.0)
    assert (end.entry_price, end.exit_price) == (pytest.approx(99), pytest.approx(101))


def test_next_open_fills_at_the_next_open_and_settles_within_that_candle():
    rows = [FLAT, (101, 104, 94, 100), FLAT]
    run, _ = play(rows, {0: [LONG], 2: [SHORT]}, fill="next_open")

    (trade,) = run.trades
    assert (trade.entry_time, trade.entry_price) == (at(1), 101)
    assert (trade.exit_time, trade.exit_price, trade.exit_reason) == (at(2), 95, "stop_loss")


def test_slippage_can_put_an_entry_at_the_open_beyond_its_stop():
    run, _ = play([FLAT, FLAT], {0: [Signal.open_long(50, stop_loss=100.5)]}, slippage_bps=100)
    assert run.trades[0].exit_reason == "stop_loss"
    assert run.trades[0].exit_price == pytest.approx(99)


def test_signals_run_in_order_and_ids_count_opened_positions():
    signals = [
        Signal.close(1),
        Signal.open_long(50),
        Signal.open_long(math.nan),
        Signal.open_short(50),
        Signal.open_short(1),
        Signal.close(1),
        Signal.open_long(25),
        Signal.close(),
        Signal.close(),
    ]
    run, _ = play([FLAT], {0: signals})

    assert [trade.id for trade in run.trades] == [1, 2, 3]
    kinds = ["unknown_position", "size", "leverage"]
    assert run.rejections == [(at(1), kind) for kind in kinds]


@pytest.mark.parametrize(
    ("signal", "kind"),
    [
        (Signal.open_long(100), None),
        (Signal.open_long(100.001), "leverage"),
        (Signal.open_long(0), "size"),
        (Signal.open_long(-1), "size"),
        (Signal.open_long(math.inf), "size"),
        (Signal.open_long(50, stop_loss=100), "level"),
        (Signal.open_long(50, stop_loss=99.99), None),
        (Signal.open_long(50, take_profit=100), "level"),
        (Signal.open_long(50, stop_loss=math.nan), "level"),
        (Signal.open_long(50, take_profit=math.inf), "level"),
        (Signal.open_long(50, stop_loss=0), "level"),
        (Signal.open_short(50, stop_loss=100), "level"),
        (Signal.open_short(50, take_profit=100.01), "level"),
        (Signal.open_short(50, take_profit=-5), "level"),
        (Signal.open_short(50, stop_loss=100.01, take_profit=99.99), None),
    ],
)
def test_a_signal_that_cannot_be_carried_out_is_rejected(signal, kind):
    run, _ = play([FLAT], {0: [signal]})

    assert run.rejections == ([(at(1), kind)] if kind else [])
    assert len(run.trades) == (kind is None)


def test_levels_are_held_against_the_slipped_fill():
    inside = Signal.open_long(50, take_profit=100.5)
    run, _ = play([FLAT], {0: [inside]}, slippage_bps=100)
    assert run.rejections == [(at(1), "level")]


def test_the_fee_of_a_first_half_makes_an_equal_second_half_too_large():
    halves = {0: [Signal.open_long(50), Signal.open_long(50)]}

    assert play([FLAT], halves)[0].rejections == []
    assert play([FLAT], halves, fee_rate=0.001)[0].rejections == [(at(1), "leverage")]


def test_equity_below_zero_opens_nothing():
    rows = [FLAT, (10, 10, 10, 10), FLAT]
    signals = {0: [Signal.open_long(500)], 1: [Signal.open_long(10)]}
    run, _ = play(rows, signals, max_leverage=5)

    assert run.trades[0].exit_reason == "liquidation"
    assert run.final_equity == pytest.approx(1000 - 50 * 90)
    assert run.rejections == [(at(2), "equity")]


@pytest.mark.parametrize(
    ("signal", "row", "price"),
    [
        (Signal.open_long(500), (100, 101, 81, 90), None),
        (Signal.open_long(500), (100, 101, 80, 90), 80),
        (Signal.open_long(500), (70, 101, 60, 90), 70),
        (Signal.open_short(500), (100, 119, 99, 100), None),
        (Signal.open_short(500), (100, 120, 99, 100), 120),
        (Signal.open_short(500), (130, 140, 99, 100), 130),
    ],
)
def test_the_account_is_liquidated_where_its_equity_is_zero(signal, row, price):
    run, _ = play([FLAT, row, FLAT], {0: [signal]}, max_leverage=5)

    (trade,) = run.trades
    assert trade.exit_reason == ("end" if price is None else "liquidation")
    assert trade.exit_price == pytest.approx(100 if price is None else price)


def test_liquidation_takes_longs_and_shorts_with_slippage_in_opening_order():
    # Long 50, short 10: net 40 from 4000 spent, so nothing is left at 100 - 1000 / 40 = 75.
    signals = {0: [Signal.open_short(100), Signal.open_long(500)]}
    run, _ = play([FLAT, (100, 100, 75, 100)], signals, max_leverage=6)

    assert [(t.side, t.exit_reason, t.exit_price) for t in run.trades] == [
        ("short", "liquidation", 75),
        ("long", "liquidation", 75),
    ]
    assert run.final_equity == pytest.approx(0)


def test_stops_are_settled_before_the_account_is_checked():
    signals = {0: [Signal.open_long(500, stop_loss=85)]}
    run, _ = play([FLAT, (100, 100, 70, 70)], signals, max_leverage=5)

    assert [trade.exit_reason for trade in run.trades] == ["stop_loss"]


def test_hedged_positions_are_never_liquidated():
    signals = {0: [Signal.open_long(500), Signal.open_short(500)]}
    run, _ = play([FLAT, (100, 900, 1, 100)], signals, max_leverage=10)

    assert [trade.exit_reason for trade in run.trades] == ["end", "end"]


def test_funding_is_paid_by_longs_and_received_by_shorts_at_the_close_price():
    rows = [FLAT, (100, 102, 100, 102), FLAT]
    funding = [(at(0), 0.5), (at(1), 0.5), (at(2) - 1, 0.01), (at(2), 0.01), (at(9), 0.5)]

    long, _ = play(rows, {0: [Signal.open_long(50)]}, funding=funding)
    short, _ = play(rows, {0: [Signal.open_short(50)]}, funding=funding)

    # Size 5 at 102 with 1 % twice; the funding at the close of the entry came before it.
    assert long.funding == pytest.approx(2 * 5.1)
    assert short.funding == pytest.approx(-2 * 5.1)
    assert [equity for _, equity in long.equity] == pytest.approx([1000, 999.8, 989.8])
    assert long.trades[0].pnl == 0


def test_a_stop_comes_before_the_funding_of_its_candle():
    rows = [FLAT, (100, 100, 95, 100)]
    run, _ = play(rows, {0: [LONG]}, funding=[(at(2), 0.1)])

    assert run.funding == 0


def test_funding_in_a_hole_is_paid_at_the_first_candle_after_it():
    rows, minutes = [FLAT, (98, 98, 98, 98), FLAT], [0, 10, 11]
    run, _ = play(rows, {0: [Signal.open_long(50)]}, minutes=minutes, funding=[(at(5), 0.01)])

    assert run.funding == pytest.approx(0.01 * 5 * 98)
    assert run.equity[1] == (at(11), pytest.approx(1000 - 10 - 4.9))


def test_a_position_is_open_once_and_closed_once_and_marked_at_every_close():
    rows = [FLAT, (100, 102, 99, 102), (102, 102, 98, 98)]
    run, _ = play(rows, {0: [Signal.open_long(100)], 2: [Signal.close(1)]})

    assert run.equity == [(at(1), 1000), (at(2), 1020), (at(3), 980)]
    assert [(t.exit_reason, t.exit_time, t.pnl) for t in run.trades] == [("signal", at(3), -20)]


def test_the_last_mark_is_behind_the_closes_at_the_end():
    run, _ = play([FLAT, FLAT], {0: [Signal.open_long(100)]}, fee_rate=0.01)

    assert [equity for _, equity in run.equity] == pytest.approx([990, 980])


def test_all_timeframes_that_close_together_are_visible_together():
    rows = [(100 + m, 101 + m, 99 + m, 100.5 + m) for m in range(6)]
    _, calls = play(rows, {}, timeframes=("5m", "3m", "15m"))

    assert [call.time for call in calls] == [at(3), at(6)]
    assert [len(calls[0].visible[name]) for name in ("3m", "5m", "15m")] == [1, 0, 0]
    assert [len(calls[1].visible[name]) for name in ("3m", "5m", "15m")] == [2, 1, 0]
    assert calls[1].visible["5m"] == [Candle(at(0), 100, 105, 99, 104.5, 5.0)]


def test_a_bar_without_its_last_minute_closes_when_the_next_candle_arrives():
    minutes = [0, 1, 2, 3, 8, 9]
    rows: list[Row] = [FLAT, FLAT, FLAT, (100, 100, 100, 90), (80, 82, 70, 75), FLAT]
    signals = {0: [Signal.open_long(50, stop_loss=72), Signal.close(7)]}
    for fill in ("close", "next_open"):
        run, calls = play(rows, signals, minutes=minutes, timeframes=("5m", "1h"), fill=fill)

        assert [call.visible["5m"][-1].timestamp for call in calls] == [at(0), at(5)]
        assert calls[0].visible["5m"][-1].close == 90
        (trade,) = run.trades
        assert (trade.entry_time, trade.entry_price) == (at(8), 80)
        assert (trade.exit_time, trade.exit_price) == (at(9), 72)
        assert run.rejections == [(at(8), "unknown_position")]


def test_an_overdue_coarse_bar_alone_calls_nobody():
    minutes = [*range(57), 61, 62]
    _, calls = play([FLAT] * 59, {}, minutes=minutes, timeframes=("3m", "1h"))

    assert len(calls) == 20
    assert [len(call.visible["1h"]) for call in calls[-2:]] == [0, 1]


def test_bars_in_a_halt_do_not_exist():
    minutes = [0, 1, 2, 30, 31, 32]
    _, calls = play([FLAT] * 6, {}, minutes=minutes, timeframes=("3m",))

    assert [call.time for call in calls] == [at(3), at(33)]


def test_weeks_begin_on_monday():
    minutes = [-2, -1, 0]
    _, calls = play([FLAT] * 3, {}, minutes=minutes, timeframes=("1m", "1w", "1d"))

    assert [len(call.visible["1w"]) for call in calls] == [0, 1, 1]
    assert calls[1].visible["1w"][0].timestamp == at(-7 * 24 * 60)


def test_candles_before_the_start_only_warm_up():
    rows = [FLAT] * 6
    run, calls = play(
        rows, {0: [Signal.open_long(50)]}, timeframes=("3m",), start=at(3), funding=[(at(3), 0.1)]
    )

    assert [call.time for call in calls] == [at(6)]
    assert len(calls[0].visible["3m"]) == 2
    assert [time for time, _ in run.equity] == [at(4), at(5), at(6)]
    assert run.funding == 0


def test_a_run_without_candles_is_empty():
    run, calls = play([], {})

    assert (run.trades, run.equity, run.final_equity, calls) == ([], [], 1000, [])
