import numpy as np
import pytest

from bot.charts.summary import (
    MOST_LINES,
    SummaryChart,
    SummaryLine,
    summary_figure,
    total_curve,
)
from engine.results import EquityCurve
from engine.timeframe import DAY_MS, MINUTE_MS

START = 1_704_067_200_000


def curve(*equity, first=0, step=60):
    time = START + MINUTE_MS * (first + step * np.arange(len(equity)))
    return EquityCurve(time, np.array(equity, dtype=float))


def chart(*lines):
    return SummaryChart(START, START + DAY_MS, lines)


def tags(figure):
    return [note.text for note in figure.layout.annotations if note.bgcolor]


def test_a_test_is_drawn_in_percent_of_where_it_stood():
    figure = summary_figure(chart(SummaryLine("one", curve(200, 210, 190))))

    [line] = figure.data
    assert list(line.y) == [0.0, 5.0, -5.0]
    assert tags(figure) == ["<b>one −5.00%</b>"]


def test_several_tests_have_their_total():
    figure = summary_figure(
        chart(SummaryLine("one", curve(100, 110)), SummaryLine("two", curve(300, 300)))
    )

    assert [line.name for line in figure.data] == ["one", "two", "All"]
    assert list(figure.data[2].y) == [0.0, 2.5]
    assert figure.layout.annotations[0].text == "<b>+2.50%</b>"


def test_of_many_tests_those_that_moved_most_are_drawn_and_all_are_counted():
    lines = [SummaryLine(f"t{n}", curve(100, 100 + n)) for n in range(10)]

    figure = summary_figure(chart(*lines))

    drawn = [line.name for line in figure.data]
    assert drawn == [f"t{n}" for n in range(10 - MOST_LINES, 10)] + ["All"]
    assert figure.data[-1].y[-1] == pytest.approx(4.5)


def test_a_total_takes_each_curve_at_its_last_mark():
    total = total_curve([curve(100, 110, 120), curve(50, 40, first=60)])

    assert total.equity.tolist() == [150.0, 160.0, 160.0]


def test_the_axis_holds_all_lines_and_zero():
    figure = summary_figure(chart(SummaryLine("one", curve(100, 130, 125))))

    low, high = figure.layout.yaxis.range
    assert low < 0 < 30 < high


def test_a_week_of_minutes_keeps_its_peaks_in_few_points():
    values = 10_000 + np.cumsum(np.random.default_rng(3).normal(0, 1, 10_081))
    week = SummaryLine("one", curve(*values, step=1))

    [line] = summary_figure(SummaryChart(START, START + 7 * DAY_MS, (week,))).data

    assert len(line.y) <= 800
    percent = 100 * (values / values[0] - 1)
    assert max(line.y) == pytest.approx(percent.max(), abs=1e-3)
    assert min(line.y) == pytest.approx(percent.min(), abs=1e-3)


@pytest.mark.parametrize("equity", [(0.0, 0.0), (100.0,), (100.0, 100.0)])
def test_what_does_not_move_is_drawn_flat(equity):
    figure = summary_figure(chart(SummaryLine("n" * 40, curve(*equity))))

    assert set(figure.data[0].y) == {0.0}
    assert tags(figure) == [f"<b>{'n' * 12}… 0.00%</b>"]
