"""The summary: what it says, that it stays a table, and that nothing breaks it."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.candles import CandleSeries, Gap
from engine.metrics import Metrics, compute_metrics
from engine.orders import ExitReason, Side, Trade
from engine.results import (
    BacktestResults,
    Costs,
    DataPassport,
    EquityCurve,
    Rejection,
    Timing,
)
from engine.summary import format_duration, summarize

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
START = 1_704_067_200_000  # 2024-01-01 00:00 UTC
TIMES = START + DAY_MS * np.arange(1, 5)
EQUITY = np.array([10_100.0, 9_999.0, 10_400.0, 10_500.0])


def make_trade(number: int, side: Side, pnl: float, reason: ExitReason) -> Trade:
    return Trade(
        id=number,
        side=side,
        entry_time=START + number * DAY_MS,
        entry_price=100.0,
        exit_time=START + (number + 1) * DAY_MS,
        exit_price=101.0,
        size=10.0,
        size_usd=1000.0,
        pnl=pnl,
        pnl_percent=pnl / 10,
        fees=1.0,
        exit_reason=reason,
        ambiguous=number == 2,
    )


TRADES = (
    make_trade(1, Side.LONG, 700.0, ExitReason.TAKE_PROFIT),
    make_trade(2, Side.LONG, -150.0, ExitReason.STOP_LOSS),
    make_trade(3, Side.SHORT, -50.0, ExitReason.STOP_LOSS),
)


def make_results(trades: tuple[Trade, ...] = TRADES, **changes) -> BacktestResults:
    values = {
        "run_id": "0123456789abcdef",
        "strategy": "ma_crossover",
        "params": {"fast_period": 50, "slow_period": 200},
        "symbol": "BTC/USDT",
        "exchange": "binance",
        "timeframes": ("1h", "4h"),
        "start": START,
        "end": START + 4 * DAY_MS,
        "initial_balance": 10_000.0,
        "final_equity": 10_500.0,
        "costs": Costs(fees=12.5, slippage=3.25, funding=-1.5),
        "metrics": compute_metrics(
            trades=trades,
            time=TIMES,
            equity=EQUITY,
            initial_balance=10_000.0,
            closes=np.array([100.0, 90.0, 108.0]),
            start=START,
            end=START + 4 * DAY_MS,
        ),
        "data": DataPassport("binance", "1m", 5760, 0, (), "feedc0de" * 8),
        "trades": trades,
        "rejected": (),
        "equity": EquityCurve(TIMES, EQUITY),
        "price": CandleSeries.empty("1h"),
        "timing": Timing(load_s=0.5, engine_s=0.25, total_s=1.0),
    }
    return BacktestResults(**(values | changes))


def cells(text: str) -> list[str]:
    """The lines of a summary, with runs of spaces made one."""
    return [" ".join(line.split()) for line in text.splitlines()]


def has(text: str, cell: str) -> bool:
    return any(cell in line for line in cells(text))


# What it says


def test_summary_of_a_run_is_the_table_that_was_reviewed():
    results = make_results(notes=("candles end early",))

    assert summarize(results) == EXPECTED.strip("\n")
    assert results.summary() == summarize(results)


def test_result_stands_beside_buy_and_hold():
    text = summarize(make_results())

    assert has(text, "Total return +5.00 %")
    assert has(text, "Buy and hold +8.00 %")


def test_run_without_trades_shows_dashes():
    text = summarize(make_results(()))

    for label in ("Win rate", "Profit factor", "Expectancy, USD", "Average holding time", "Exits"):
        assert has(text, f"{label} –"), label
    assert has(text, "Long 0 – –")
    assert "None" not in text
    assert "nan" not in text.replace("binance", "")


def test_figures_that_do_not_exist_show_as_dashes():
    metrics = make_results().metrics
    missing = {f.name: None for f in fields(Metrics) if "None" in str(f.type)}

    text = summarize(make_results(metrics=replace(metrics, **missing)))

    assert has(text, "RESULT RISK")
    for label in ("Sharpe ratio", "Max drawdown", "Longest drawdown", "CAGR", "Total return"):
        assert has(text, f"{label} –"), label
    assert "None" not in text


@pytest.mark.parametrize("changed", ["exchange", "source"])
def test_simulated_prices_are_named(changed):
    data = make_results().data
    if changed == "source":
        simulated = make_results(data=replace(data, source="simulated"))
    else:
        simulated = make_results(exchange="simulated")

    assert "simulated prices" in summarize(simulated)
    assert "simulated" not in summarize(make_results())


def test_gaps_are_named_and_the_largest_listed():
    gaps = tuple(Gap(START + n * DAY_MS, START + n * DAY_MS, n * 60) for n in range(1, 9))
    data = replace(
        make_results().data, missing=2160, gaps=gaps, trades_touching_gaps=tuple(range(1, 16))
    )

    text = summarize(make_results(data=data))

    assert has(text, "Missing 2,160 (27.27 %) in 8 gaps; the largest:")
    assert has(text, "2024-01-09 00:00, 8h, 480 candles")
    assert has(text, "2024-01-05 00:00, 4h, 240 candles")
    assert not has(text, "2024-01-04 00:00, 3h")
    assert has(text, "and 3 more")
    assert has(text, "Gaps touched by 15 trades: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, and 3 more")


def test_one_gap_and_one_trade_are_counted_in_the_singular():
    gap = Gap(START, START, 1)
    data = replace(make_results().data, missing=1, gaps=(gap,), trades_touching_gaps=(4,))

    text = summarize(make_results(data=data))

    assert has(text, "in 1 gap:")
    assert has(text, "2024-01-01 00:00, 1m, 1 candle")
    assert has(text, "by 1 trade: 4")


def test_data_passport_shows_where_candles_come_from():
    data = replace(make_results().data, volume_delta_source="taker volume")

    text = summarize(make_results(data=data))

    assert has(text, "Source binance")
    assert has(text, "Candles 5,760 of 1m")
    assert has(text, "SHA-256 feedc0defeed")
    assert has(text, "Volume delta taker volume")


def test_rejected_signals_are_counted_by_reason_the_most_frequent_first():
    rejected = (
        Rejection("size is not positive", 3, START),
        Rejection("over max_leverage", 1200, START + DAY_MS),
    )

    lines = cells(summarize(make_results(rejected=rejected)))

    at = lines.index("REJECTED SIGNALS: 1,203")
    assert lines[at + 1 : at + 3] == [
        "1,200 × over max_leverage (first 2024-01-02 00:00)",
        "3 × size is not positive (first 2024-01-01 00:00)",
    ]


def test_many_reasons_are_cut_short():
    rejected = tuple(Rejection(f"reason {n}", 1, START) for n in range(11))

    text = summarize(make_results(rejected=rejected))

    assert has(text, "and 3 more reasons")
    assert "reason 8" not in text


def test_run_without_rejections_notes_or_timing_leaves_their_sections_out():
    text = summarize(make_results(timing=None))

    assert "REJECTED" not in text
    assert "NOTES" not in text
    assert has(text, "Took –")


def test_a_loss_that_rounds_to_zero_has_no_minus():
    results = make_results(costs=Costs(fees=0.0, slippage=0.0, funding=-0.001))

    assert has(summarize(results), "Funding 0.00")


def test_what_rounds_to_zero_has_no_plus_either():
    run = make_results()
    results = replace(run, metrics=replace(run.metrics, total_return_pct=-0.0009))

    assert has(summarize(results), "Total return 0.00 %")


# That it stays a table

words = st.text(st.characters(codec="latin-1", categories=["L", "N", "P"]), max_size=120)
numbers = st.floats(-1e300, 1e300) | st.none()


@given(
    name=words,
    params=st.dictionaries(words, st.integers() | words, max_size=5),
    notes=st.lists(words, max_size=3).map(tuple),
    number=numbers,
    duration_ms=st.integers(0, 100_000 * DAY_MS) | st.none(),
    count=st.integers(0, 9_999_999),
)
def test_no_content_bursts_eighty_columns(name, params, notes, number, duration_ms, count):
    figures = {
        f.name: number
        for f in fields(Metrics)
        if f.type == float | None and not f.name.endswith("_ms")
    }
    money = 0.0 if number is None else number
    results = make_results(
        strategy=name,
        params=params,
        notes=notes,
        final_equity=money,
        costs=Costs(money, money, money),
        rejected=(Rejection(name, count, START),),
        metrics=replace(
            make_results().metrics,
            **figures,
            longest_drawdown_ms=duration_ms,
            average_drawdown_ms=duration_ms,
            average_holding_ms=duration_ms,
            trades=count,
            winning_trades=count,
            losing_trades=count,
            long_trades=count,
            long_pnl_usd=money,
            longest_win_streak=count,
            longest_loss_streak=count,
            ambiguous_trades=count,
        ),
    )

    lines = summarize(results).splitlines()

    assert max(map(len, lines)) <= 80
    assert all(line == line.rstrip() for line in lines)
    assert "\x1b" not in "".join(lines)


def test_columns_are_aligned():
    lines = summarize(make_results()).splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("RESULT"))

    ends = {len(line) for line in lines[first + 1 : first + 8]}

    assert ends == {78}


# Durations


@pytest.mark.parametrize(
    ("duration_ms", "text"),
    [
        (None, "–"),
        (0, "0s"),
        (999, "0s"),
        (45_000, "45s"),
        (12 * MINUTE_MS, "12m"),
        (12 * MINUTE_MS + 5_999, "12m 5s"),
        (HOUR_MS, "1h"),
        (26 * HOUR_MS + 59 * MINUTE_MS, "1d 2h"),
        (3 * DAY_MS + 4 * HOUR_MS, "3d 4h"),
        (3 * DAY_MS + 4 * MINUTE_MS, "3d"),
        (1461 * DAY_MS, "1461d"),
        (90.5 * MINUTE_MS, "1h 30m"),
    ],
)
def test_durations_read_in_their_two_largest_units(duration_ms, text):
    assert format_duration(duration_ms) == text


EXPECTED = """
ma_crossover on BTC/USDT (binance)
==============================================================================
Period        2024-01-01 00:00 to 2024-01-05 00:00 UTC (4d)
Timeframes    1h, 4h
Parameters    fast_period=50, slow_period=200

RESULT                                   RISK
Initial balance, USD        10,000.00    Max drawdown                   1.00 %
Final equity, USD           10,500.00    Longest drawdown                   2d
Total return                  +5.00 %    Average drawdown                   2d
Buy and hold                  +8.00 %    Volatility per year           39.51 %
CAGR                      +8,480.72 %    Sharpe ratio                    11.48
Time in the market            75.00 %    Sortino ratio                   47.49
                                         Calmar ratio                 8,480.72

TRADES                                   PROFIT PER TRADE
Trades                              3    Expectancy, USD               +166.67
Won, lost                        1, 2    Average win, USD              +700.00
Win rate                      33.33 %    Average loss, USD             -100.00
Profit factor                    3.50    Best, USD                     +700.00
System quality (SQN)             0.62    Worst, USD                    -150.00
Average holding time               1d    Best, of its size            +70.00 %
Ambiguous (stop assumed)            1    Worst, of its size           -15.00 %
                                         Win, loss streak                 1, 2
Exits         stop_loss 2, take_profit 1

SIDE    trades      won   profit, USD    COSTS, USD
Long         2   50.0 %       +550.00    Fees                            12.50
Short        1    0.0 %        -50.00    Slippage                         3.25
                                         Funding                         -1.50

DATA
Source        binance
Candles       5,760 of 1m
Missing       0 (0.00 %)
SHA-256       feedc0defeed

NOTES
- candles end early

Run           0123456789abcdef
Took          1.00 s (data 0.50 s, engine 0.25 s)
"""
