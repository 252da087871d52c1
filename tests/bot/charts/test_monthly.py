from dataclasses import replace

import numpy as np
import pytest

from bot.charts.monthly import monthly_returns, monthly_returns_figure
from engine.results import EquityCurve


def marks(build, pairs):
    """Results whose equity has these marks: (moment as text, USD)."""
    time = np.array([np.datetime64(moment, "ms").astype(np.int64) for moment, _ in pairs])
    equity = np.array([float(value) for _, value in pairs])
    return replace(build(days=1, trades=0), equity=EquityCurve(time, equity))


def test_a_month_is_measured_from_the_end_of_the_one_before(build):
    returns = monthly_returns(
        marks(build, [("2023-11-20", 11_000), ("2023-12-10", 9_900), ("2024-01-15", 19_800)])
    )

    assert returns.years == (2023, 2024)
    assert returns.months[0, 10:].tolist() == pytest.approx([10, -10])
    assert returns.months[1, 0] == pytest.approx(100)
    assert returns.totals.tolist() == pytest.approx([-1, 100])


def test_a_mark_at_midnight_belongs_to_the_month_that_it_ends(build):
    returns = monthly_returns(marks(build, [("2024-02-01T00:00", 12_000)]))

    assert returns.months[0, 0] == pytest.approx(20)
    assert np.isnan(returns.months[0, 1])


def test_months_outside_of_the_run_and_without_marks_have_no_return(build):
    returns = monthly_returns(marks(build, [("2023-03-05", 11_000), ("2023-06-05", 12_100)]))

    known = ~np.isnan(returns.months[0])
    assert np.flatnonzero(known).tolist() == [2, 5]
    assert returns.months[0, 5] == pytest.approx(10)


@pytest.mark.parametrize("seed", range(4))
def test_months_compound_to_years_and_years_to_the_whole(build, seed):
    results = build(days=1200, timeframe="12h", trades=30, seed=seed)

    returns = monthly_returns(results)

    whole = results.final_equity / results.initial_balance
    assert np.nanprod(1 + returns.months / 100) == pytest.approx(whole)
    assert np.nanprod(1 + returns.totals / 100) == pytest.approx(whole)
    for year, total in zip(returns.months, returns.totals, strict=True):
        assert np.nanprod(1 + year / 100) == pytest.approx(1 + total / 100)


def test_nothing_is_earned_on_nothing(build):
    returns = monthly_returns(marks(build, [("2024-01-05", 0.0), ("2024-02-05", 50.0)]))

    assert returns.months[0, 0] == pytest.approx(-100)
    assert np.isnan(returns.months[0, 1])


def test_the_figure_writes_each_return_into_its_cell(build):
    results = marks(build, [("2023-11-20", 11_000), ("2023-12-10", 9_900), ("2024-01-15", 19_800)])

    months, totals = monthly_returns_figure(results).data

    assert months.y == ("2023", "2024")
    assert months.x[0] == "Jan"
    assert [text for text in months.text[0] if text] == ["+10.0", "−10.0"]
    assert [row[0] for row in totals.text] == ["−1.0", "+100"]


def test_green_and_red_lie_equally_far_from_nothing(build):
    months, _ = monthly_returns_figure(build(days=400, trades=20)).data

    assert months.zmin == -months.zmax


def test_one_wild_month_does_not_pale_the_others(build):
    calm = [(f"2023-{month:02d}-10", 10_000 * 1.02**month) for month in range(1, 12)]
    results = marks(build, [*calm, ("2023-12-10", 1_000_000)])

    months, _ = monthly_returns_figure(results).data

    assert months.zmax < 5
    assert months.text[0][11] == "+7943"


def test_the_figure_grows_with_the_years(build):
    one, four = (monthly_returns_figure(build(days=days, timeframe="1d")) for days in (90, 1461))

    assert four.layout.height - one.layout.height == 3 * 54


def test_a_run_without_marks_can_be_drawn(build):
    figure = monthly_returns_figure(build(days=0, trades=0))

    assert figure.data[0].y == ()
