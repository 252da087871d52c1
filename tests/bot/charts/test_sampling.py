import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.charts.sampling import (
    DisplayCandles,
    display_candles,
    drawdown_pct,
    extremes,
    sample_equity,
)
from engine.candles import CandleSeries

curves = st.lists(st.floats(1, 1e6), min_size=1, max_size=300).map(np.array)
limits = st.integers(5, 80)


@given(values=curves, limit=limits)
def test_a_thinned_curve_keeps_its_ends_and_its_highest_and_lowest_value(values, limit):
    kept = extremes(values, limit=limit)

    assert kept[0] == 0
    assert kept[-1] == len(values) - 1
    assert values[kept].max() == values.max()
    assert values[kept].min() == values.min()


@given(values=curves, limit=limits)
def test_a_thinned_curve_has_no_more_points_than_asked_each_once_and_in_order(values, limit):
    kept = extremes(values, limit=limit)

    assert len(kept) <= max(limit, 4)
    assert (np.diff(kept) > 0).all()


@given(values=curves, limit=limits)
def test_a_thinned_equity_curve_keeps_the_deepest_drawdown(values, limit):
    kept = sample_equity(values, limit=limit)

    assert drawdown_pct(values)[kept].min() == drawdown_pct(values).min()
    assert len(kept) <= limit


def test_every_bucket_keeps_its_own_peak_and_trough():
    values = np.tile([5.0, 9.0, 1.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0], 20)

    kept = extremes(values, limit=80)

    assert (values[kept] == 9.0).sum() == 20
    assert (values[kept] == 1.0).sum() == 20


def test_a_short_curve_is_drawn_whole():
    assert extremes(np.arange(7.0), limit=20).tolist() == list(range(7))


def test_drawdown_is_measured_from_the_highest_mark_so_far():
    assert drawdown_pct(np.array([100.0, 80.0, 120.0, 90.0])).tolist() == pytest.approx(
        [0, -20, 0, -25]
    )


def test_debt_is_a_drawdown_of_more_than_all():
    assert drawdown_pct(np.array([100.0, -50.0])).min() == pytest.approx(-150)


def candles_of(timeframe: str, count: int, seed: int) -> CandleSeries:
    random = np.random.default_rng(seed)
    close = 100 + np.cumsum(random.normal(0, 1, count))
    close = np.maximum(close, 5)
    low, high = close - random.random(count), close + random.random(count)
    step = {"1m": 60_000, "1h": 3_600_000, "1d": 86_400_000}[timeframe]
    time = 1_640_995_200_000 + step * np.sort(random.choice(3 * count, count, replace=False))
    return CandleSeries(timeframe, time, close, high, low, close, np.ones(count))


@given(
    timeframe=st.sampled_from(["1m", "1h", "1d"]),
    count=st.integers(1, 900),
    limit=st.integers(10, 200),
    seed=st.integers(0, 5),
)
def test_coarser_candles_keep_every_extreme_and_are_no_more_than_asked(
    timeframe, count, limit, seed
):
    candles = candles_of(timeframe, count, seed)

    shown = display_candles(candles, limit=limit)

    assert len(shown) <= limit or shown.label == "4w"
    for index, opens in enumerate(shown.timestamp.tolist()):
        inside = candles.between(opens, opens + shown.step_ms)
        assert shown.high[index] == inside.high.max()
        assert shown.low[index] == inside.low.min()
        assert shown.open[index] == inside.open[0]
        assert shown.close[index] == inside.close[-1]


@pytest.mark.parametrize(
    ("timeframe", "limit", "label"),
    [("15m", 4 * 24 * 9 + 2, "15m"), ("1h", 24 * 9 + 2, "1h"), ("1d", 11, "1d"), ("1w", 3, "1w")],
)
def test_coarser_candles_are_those_of_the_engine(build, timeframe, limit, label):
    candles = build(days=9, timeframe="5m").price

    shown = display_candles(candles, limit=limit)

    expected = candles.aggregate(timeframe)
    assert shown.label == label
    for name in ("timestamp", "open", "high", "low", "close"):
        assert getattr(shown, name).tolist() == getattr(expected, name).tolist()


def test_few_candles_are_drawn_as_they_are(build):
    candles = build(days=4, timeframe="1h").price

    shown = display_candles(candles, limit=400)

    assert shown.timestamp.tolist() == candles.timestamp.tolist()
    assert shown.label == "1h"


def test_candles_are_never_much_coarser_than_needed(build):
    shown = display_candles(build(days=545, timeframe="1h").price, limit=400)

    assert shown.label == "2d"
    assert len(shown) > 400 / 3


def test_no_candles_stay_no_candles():
    assert len(display_candles(CandleSeries.empty("1h"), limit=400)) == 0


def test_a_length_is_written_as_people_write_it():
    empty = np.empty(0)

    def label(minutes: int) -> str:
        return DisplayCandles(minutes * 60_000, empty.astype(int), empty, empty, empty, empty).label

    assert [label(m) for m in (1, 15, 240, 2880, 20_160)] == ["1m", "15m", "4h", "2d", "2w"]
