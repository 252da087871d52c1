"""Results as embeds: extremes fit, strangers' text has no effect, every figure is there."""

import dataclasses
from pathlib import Path

import pytest

from bot.services.requests import BacktestAsk, BacktestOutcome, FetchOutcome, RunReport
from bot.ui.formats import bar, dollars, number, percent, plural, seconds, size
from bot.ui.limits import EMBEDS_TOTAL
from bot.ui.results import backtest_embeds, fetch_embed
from data.series_key import Coverage, SeriesKey
from engine.candles import CandleSeries, Gap
from engine.metrics import Metrics
from engine.orders import ExitReason, Side, Trade
from engine.results import (
    BacktestResults,
    Costs,
    DataPassport,
    EquityCurve,
    Rejection,
)

HOSTILE = "**x** @everyone <@123456789012345678> [a](https://b.c) `" * 200


def make_metrics(**changes) -> Metrics:
    optional = {f.name: None for f in dataclasses.fields(Metrics)}
    counts = dict.fromkeys(
        (
            "trades", "longest_win_streak", "longest_loss_streak", "long_trades", "short_trades",
            "long_pnl_usd", "short_pnl_usd", "total_fees_usd", "ambiguous_trades",
            "winning_trades", "losing_trades",
        ),
        0,
    )  # fmt: skip
    return Metrics(**(optional | counts | changes))


def make_trade(number: int) -> Trade:
    return Trade(
        id=number, side=Side.LONG, entry_time=0, entry_price=1.0, exit_time=60_000, exit_price=2.0,
        size=1.0, size_usd=1.0, pnl=1.0, pnl_percent=100.0, fees=0.0,
        exit_reason=list(ExitReason)[number % len(ExitReason)],
    )  # fmt: skip


def make_outcome(*, pictures=(), notices=(), **changes) -> BacktestOutcome:
    values = {
        "run_id": "0" * 16, "strategy": "ma_crossover", "params": {}, "symbol": "BTC/USDT",
        "exchange": "binance", "timeframes": ("1h",), "start": 0, "end": 86_400_000,
        "initial_balance": 10_000.0, "final_equity": 11_000.0,
        "costs": Costs(1.0, 2.0, -3.0),
        "metrics": make_metrics(total_return_pct=10.0, trades=1),
        "data": DataPassport("binance", "1m", 1440, 0, (), "ab"),
        "trades": (make_trade(1),), "rejected": (), "price": CandleSeries.empty("1h"),
        "equity": EquityCurve(CandleSeries.empty().timestamp, CandleSeries.empty().close),
    }  # fmt: skip
    results = BacktestResults(**(values | changes))
    report = RunReport(BacktestAsk("ma_crossover"), results, Path(), {})
    return BacktestOutcome(report, dict.fromkeys(pictures, b"png"), notices)


def text_of(embeds) -> str:
    parts = []
    for embed in embeds:
        parts += [embed.title or "", embed.description or "", embed.footer.text or ""]
        parts += [f"{field.name}: {field.value}" for field in embed.fields]
    return "\n".join(parts)


def test_extremes_fit_into_one_message():
    gaps = tuple(Gap(n, n, 1) for n in range(500))
    outcome = make_outcome(
        strategy=HOSTILE,
        symbol=HOSTILE,
        params={f"{HOSTILE[:50]}{n}": HOSTILE for n in range(200)},
        trades=tuple(make_trade(n) for n in range(5000)),
        metrics=make_metrics(
            trades=5000, ambiguous_trades=9, total_return_pct=1e300, profit_factor=1e308,
            expectancy_usd=-1e200,
        ),
        final_equity=1e300,
        data=DataPassport("x", "1m", 10**12, 10**9, gaps, "ab", None, tuple(range(5000))),
        rejected=tuple(Rejection(HOSTILE, n, 0) for n in range(300)),
        notes=(HOSTILE,) * 100,
        pictures=("equity", "trades"),
        notices=(HOSTILE,) * 10,
    )  # fmt: skip

    embeds = backtest_embeds(outcome)

    assert sum(len(embed) for embed in embeds) <= EMBEDS_TOTAL
    assert len(embeds) == 2
    shown = text_of(embeds)
    assert "@everyone" not in shown
    assert "\\<@" not in shown.replace("\\<@\u200b", "")


@pytest.mark.parametrize(
    ("gain", "trades", "colour"),
    [(5.0, 3, 0x2E9E6B), (-5.0, 3, 0xD64550), (0.0, 3, 0x8A8F98), (None, 0, 0x8A8F98)],
)
def test_the_colour_says_the_outcome(gain, trades, colour):
    metrics = make_metrics(total_return_pct=gain, trades=trades)

    assert backtest_embeds(make_outcome(metrics=metrics))[0].colour.value == colour


def test_what_does_not_exist_is_a_dash_and_real_prices_are_not_called_simulated():
    shown = text_of(backtest_embeds(make_outcome(metrics=make_metrics(trades=0))))

    assert "Sharpe: **–**" in shown
    assert "None" not in shown
    assert "nan" not in shown.lower().replace("finance", "")
    assert "simulated" not in shown


def test_costs_are_told_apart():
    shown = text_of(backtest_embeds(make_outcome()))

    assert "fees $1.00, slippage $2.00, funding −$3.00" in shown


def test_images_are_named_only_where_there_are_files():
    without = backtest_embeds(make_outcome())
    equity_only = backtest_embeds(make_outcome(pictures=("equity",)))

    assert [embed.image.url for embed in without] == [None]
    assert [embed.image.url for embed in equity_only] == ["attachment://equity.png"]


def test_a_fetch_counts_what_came_and_what_is_missing():
    key = SeriesKey("binance", "BTC/USDT", "1m")
    gaps = (Gap(0, 0, 1), Gap(600_000, 1_200_000, 11))
    shown = text_of([fetch_embed(FetchOutcome(key, 12_345, Coverage(0, 60_000, 88, gaps, None)))])

    assert "**12,345 candles fetched**" in shown
    assert "Missing: 12 (12.00 %)" in shown
    assert shown.index("<t:600:f>: 11m") < shown.index("<t:0:f>: 1m")


def test_a_fetch_of_nothing_says_so():
    key = SeriesKey("binance", "BTC/USDT", "1m")

    assert "Nothing new" in text_of([fetch_embed(FetchOutcome(key, 0, None, ("note",)))])


def test_formats():
    assert number(-0.001) == "0.00"
    assert number(-1234.5) == "−1,234.50"
    assert number(None) == "–"
    assert percent(12.345, sign="+") == "+12.35 %" or percent(12.345, sign="+") == "+12.34 %"
    assert percent(-0.004, sign="+") == percent(0.004, sign="+") == percent(0, sign="+") == "0.00 %"
    assert percent(-0.006, sign="+") == "−0.01 %"
    assert number(0.04, digits=1, sign="+") == "0.0"
    assert number(float("inf"), sign="+") == "+inf"
    assert dollars(-0.001) == "$0.00"
    assert dollars(5, sign="+") == "+$5.00"
    assert plural(1, "trade") == "1 trade"
    assert plural(2, "strategy", "strategies") == "2 strategies"
    assert size(10 * 1024 * 1024) == "10.0 MiB"
    assert seconds(3661) == "1h 1m"
    assert bar(0.5).startswith("▰▰▰▰▰▰▰▰▱")
    assert bar(7.0).endswith("100 %")
