from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from bot.charts.equity import buy_and_hold, equity_figure
from bot.charts.sampling import drawdown_pct
from bot.charts.theme import PAGE, PICTURE
from engine.results import EquityCurve


def trace(figure, name: str):
    return next(trace for trace in figure.data if trace.name and trace.name.startswith(name))


def milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def test_equity_begins_with_the_balance_and_ends_with_the_last_mark(build):
    results = build()

    equity = trace(equity_figure(results), "Equity")

    assert (milliseconds(equity.x[0]), equity.y[0]) == (results.start, results.initial_balance)
    assert milliseconds(equity.x[-1]) == results.end
    assert equity.y[-1] == pytest.approx(results.final_equity, abs=0.01)


def test_every_drawn_mark_is_one_of_the_curve(build):
    results = build(days=200)
    marks = dict(zip(results.equity.time.tolist(), results.equity.equity.tolist(), strict=True))

    equity = trace(equity_figure(results), "Equity")

    for time, value in zip(equity.x[1:], equity.y[1:], strict=True):
        assert value == pytest.approx(marks[milliseconds(time)], abs=0.01)


@pytest.mark.parametrize("medium", [PICTURE, PAGE])
def test_four_years_of_minutes_keep_their_peaks_in_few_points(build, medium):
    count = 4 * 365 * 1440
    equity = 10_000 + np.cumsum(np.random.default_rng(3).normal(0, 2, count))
    start = build().start
    time = start + 60_000 * np.arange(1, count + 1)
    results = replace(build(days=30), equity=EquityCurve(time, equity), end=int(time[-1]))

    figure = equity_figure(results, medium)

    drawn = trace(figure, "Equity").y
    assert len(drawn) <= medium.equity_points
    assert drawn.max() == pytest.approx(equity.max(), abs=0.01)
    assert drawn.min() == pytest.approx(equity.min(), abs=0.01)
    deepest = drawdown_pct(np.concatenate(([10_000.0], equity))).min()
    assert trace(figure, "Drawdown").y.min() == pytest.approx(deepest, abs=0.001)


def test_the_drawdown_shares_the_times_of_equity_and_matches_the_metrics(build):
    results = build()

    figure = equity_figure(results)

    drawdown = trace(figure, "Drawdown")
    assert drawdown.x == trace(figure, "Equity").x
    assert drawdown.fill == "tozeroy"
    assert drawdown.y.max() == 0
    peak = np.maximum.accumulate(np.append(results.initial_balance, results.equity.equity))
    deepest = (np.append(results.initial_balance, results.equity.equity) / peak - 1).min()
    assert drawdown.y.min() == pytest.approx(100 * deepest, abs=0.001)


def test_the_deepest_point_is_marked(build):
    figure = equity_figure(build())

    mark = figure.data[-1]
    assert mark.mode == "markers"
    assert mark.y[0] == pytest.approx(trace(figure, "Drawdown").y.min(), abs=0.001)


def test_buy_and_hold_ends_at_the_return_that_the_metrics_name(build):
    results = build()
    results = replace(results, metrics=replace(results.metrics, buy_and_hold_pct=-12.5))

    held = buy_and_hold(results)

    assert held[-1] == pytest.approx(results.initial_balance * 0.875)
    assert held[0] / held[-1] == pytest.approx(results.price.close[0] / results.price.close[-1])


def test_both_lines_share_one_time_axis_with_the_drawdown(build):
    figure = equity_figure(build())

    assert {trace.xaxis or "x" for trace in figure.data} == {"x"}
    assert figure.layout.xaxis.anchor == "y2"
    assert figure.layout.yaxis.tickformat.startswith("$,")
    assert figure.layout.yaxis2.ticksuffix == "%"


def test_a_run_without_trades_is_a_flat_line(build):
    figure = equity_figure(build(days=3, trades=0))

    assert set(trace(figure, "Equity").y.tolist()) == {10_000.0}
    assert figure.layout.yaxis2.range == (-1.0, 0)


def test_a_run_of_one_candle_or_none_can_be_drawn(build):
    one = equity_figure(build(days=1 / 24, trades=0))
    none = equity_figure(build(days=0, trades=0))

    assert len(trace(one, "Equity").y) == 2
    assert len(trace(none, "Equity").y) == 1


def test_the_legend_tells_what_each_line_ended_at(build):
    results = build()

    names = [trace.name for trace in equity_figure(results).data]

    assert f"Equity ${results.final_equity:,.2f}" in names


def test_only_a_page_carries_words_for_the_pointer(build):
    assert trace(equity_figure(build(), PAGE), "Equity").hovertemplate
    assert trace(equity_figure(build(), PICTURE), "Equity").hovertemplate is None
