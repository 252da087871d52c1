from collections.abc import Sized
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.candles import CandleSeries
from engine.errors import InvalidRun
from engine.indicators import bollinger_bands, crossed_above, rsi, sma
from engine.market import Market

MINUTE = 60_000
MONDAY = 1_704_067_200_000


def test_a_coarser_candle_becomes_visible_with_its_last_minute(walk):
    market = Market(("5m",))
    market.extend(walk(20))
    assert not market.advance(4)
    assert len(market.data["5m"]) == 0
    assert market.advance(5)
    assert market.data["5m"].latest.timestamp == MONDAY


def test_an_overdue_candle_becomes_visible_when_the_next_minute_arrives(walk):
    market = Market(("5m",))
    market.extend(walk(20, skip=(3, 4)))
    assert not market.advance(3)
    assert market.reveal_overdue()
    assert len(market.data["5m"]) == 1


def test_all_timeframes_that_close_together_become_visible_together(walk):
    market = Market(("15m", "1h"))
    market.extend(walk(61))
    market.skip_to(59)
    assert len(market.data["1h"]) == 0
    market.advance(60)
    assert len(market.data["15m"]) == 4
    assert len(market.data["1h"]) == 1


def test_history_is_read_only_without_a_copy_and_ends_at_the_latest(walk):
    series = walk(120)
    market = Market(("1m", "15m"))
    market.extend(series)
    market.skip_to(50)
    close = market.data["1m"].history.close
    assert close.base is not None
    assert len(close) == 50
    assert close[-1] == series.close[49]
    with pytest.raises(ValueError, match="read-only"):
        close[0] = 1.0


@pytest.mark.parametrize("column", ["timestamp", "close", "high", "volume", "cvd"])
def test_what_is_kept_for_the_next_run_can_not_be_made_writable(walk, column):
    series = walk(120)
    for _ in range(2):
        market = Market(("1m", "15m"))
        market.extend(series)
        market.skip_to(120)
        shown = getattr(market.data["15m"].history, column)
        with pytest.raises(ValueError, match="cannot set WRITEABLE"):
            shown.flags.writeable = True


def test_history_reaches_back_no_further_than_asked(walk):
    market = Market(("1m",), history_ms=10 * MINUTE)
    market.extend(walk(100))
    market.skip_to(100)
    assert len(market.data["1m"].history.close) == 10
    assert len(market.data["1m"]) == 10


def test_without_a_closed_candle_the_latest_says_what_to_check(walk):
    market = Market(("1h",))
    market.extend(walk(5))
    with pytest.raises(LookupError, match="check len"):
        _ = market.data["1h"].latest


def test_a_timeframe_that_was_not_declared_is_named(walk):
    market = Market(("1h",))
    with pytest.raises(KeyError, match="add it there"):
        market.data["4h"]


def test_candles_that_are_too_coarse_are_refused():
    with pytest.raises(InvalidRun, match="fetch a finer timeframe"):
        Market(("15m",), base="1h")


def test_candles_must_come_in_order(walk):
    market = Market(("1m",))
    market.extend(walk(10))
    with pytest.raises(InvalidRun, match="in order"):
        market.extend(walk(10))


def test_an_indicator_shows_values_up_to_the_latest_closed_candle(walk):
    market = Market(("1h",))
    market.extend(walk(60 * 30))
    view = market.data["1h"].indicator(sma, 3)
    market.skip_to(60 * 10)
    close = market.data["1h"].history.close
    assert len(view) == 10
    assert view[-1] == pytest.approx(close[-3:].mean())
    assert np.isnan(view[0])
    assert np.asarray(view).shape == (10,)


def test_before_the_first_candle_a_value_is_nan_and_a_condition_false(walk):
    market = Market(("1h",))
    empty = market.data["1h"].indicator(crossed_above, market.data["1h"].indicator(sma, 2), 50)
    assert empty[-1] is False
    market.extend(walk(180))
    view = market.data["1h"].indicator(sma, 2)
    market.skip_to(60)
    assert np.isnan(view[-2])
    assert empty[-9] is False
    with pytest.raises(IndexError):
        view[5]


def test_indicators_can_be_built_on_indicators_and_have_several_outputs(walk):
    market = Market(("5m",))
    market.extend(walk(600))
    frame = market.data["5m"]
    upper, middle, lower = frame.indicator(bollinger_bands, 20)
    crossing = frame.indicator(crossed_above, frame.indicator(rsi, 14), 50)
    market.skip_to(600)
    assert upper[-1] > middle[-1] > lower[-1]
    assert bool(crossing[-1]) in (True, False)
    assert np.asarray(crossing).any()


def test_an_indicator_that_gives_too_few_values_is_named(walk):
    market = Market(("1m",))
    market.extend(walk(10))
    market.skip_to(10)

    def short(values):
        return values[1:]

    with pytest.raises(ValueError, match="short gave"):
        market.data["1m"].indicator(short)[-1]


@pytest.mark.parametrize("source", ["closee", ("high", "lo")])
def test_a_source_that_is_no_column_is_refused_and_told_what_there_is(walk, source):
    market = Market(("1m", "5m"))
    market.extend(walk(10))
    for timeframe in ("1m", "5m"):
        with pytest.raises(LookupError, match=r"no column '.*': there are timestamp, open, high"):
            market.data[timeframe].indicator(sma, 3, source=source)


def test_a_column_that_no_candle_brought_is_unknown_and_read_only(walk):
    market = Market(("1m",))
    market.extend(walk(10))
    market.skip_to(10)
    unknown = market.data["1m"].history.open_interest
    assert np.isnan(unknown).all()
    with pytest.raises(ValueError, match="read-only"):
        unknown[0] = 1.0


def test_cvd_is_the_running_total_of_the_volume_delta(walk):
    series = walk(100)
    market = Market(("1m", "15m"))
    market.extend(series)
    market.skip_to(100)
    assert market.data["1m"].latest.cvd == pytest.approx(series.volume_delta.sum())
    assert market.data["15m"].latest.cvd == pytest.approx(series.volume_delta[:90].sum())


def test_cvd_goes_on_behind_a_candle_that_comes_alone_with_its_volume_delta_unknown(walk):
    candles = [replace(candle, volume_delta=None) for candle in walk(12)]
    for index in (0, 1, 3, 7, 8, 11):
        candles[index] = replace(candles[index], volume_delta=float(index + 1))
    whole, singly = Market(("1m", "3m")), Market(("1m", "3m"))
    whole.extend(CandleSeries.from_candles(candles))
    for candle in candles:
        singly.extend(CandleSeries.from_candles([candle]))
    for market in (whole, singly):
        market.skip_to(12)
    for timeframe in ("1m", "3m"):
        expected = whole.data[timeframe].history.cvd
        np.testing.assert_array_equal(singly.data[timeframe].history.cvd, expected)
    assert singly.data["1m"].latest.cvd == 1 + 2 + 4 + 8 + 9 + 12


@given(st.sets(st.integers(1, 299)), st.sets(st.integers(1, 298), max_size=40), st.integers(0, 5))
def test_growing_candle_by_candle_shows_the_same_bits_as_loading_at_once(walk, cuts, skip, seed):
    series = walk(300, seed=seed, skip=sorted(skip))
    frames = ("1m", "3m", "15m", "1h")
    whole, grown = Market(frames), Market(frames)
    whole.extend(series)
    seen_whole = whole.data["15m"].indicator(sma, 5)
    seen_grown = grown.data["15m"].indicator(sma, 5)
    last = 0
    for cut in [*sorted(cut for cut in cuts if cut < len(series)), len(series)]:
        grown.extend(series.part(last, cut))
        grown.skip_to(cut)
        whole.skip_to(cut)
        last = cut
        for frame in frames:
            for column in ("timestamp", "open", "high", "low", "close", "volume", "cvd"):
                a = getattr(grown.data[frame].history, column)
                b = getattr(whole.data[frame].history, column)
                np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(np.asarray(seen_grown), np.asarray(seen_whole))


def test_markets_on_the_same_series_go_on_each_for_itself(walk):
    whole = walk(400, skip=(3, 4, 130))
    series, rest = whole.part(0, 300), whole.part(300, len(whole))
    first, second, third = (Market(("1m", "5m", "1h")) for _ in range(3))
    first.extend(series)
    first.extend(rest)
    second.extend(series)
    third.extend(series.between(None, None).part(0, 299))
    third.extend(series.part(299, 300))
    for market in (second, third):
        market.extend(rest)
    for timeframe in ("1m", "5m", "1h"):
        shown = []
        for market in (first, second, third):
            market.skip_to(len(whole))
            shown.append(market.data[timeframe].history)
        for name in ("timestamp", "open", "high", "low", "close", "volume", "cvd"):
            columns = [getattr(history, name) for history in shown]
            assert np.array_equal(columns[0], columns[1], equal_nan=True)
            assert np.array_equal(columns[0], columns[2], equal_nan=True)


def test_nothing_that_a_strategy_is_given_holds_what_has_not_closed_yet(walk):
    market = Market(("1m", "5m"))
    market.extend(walk(100))
    market.skip_to(50)
    for frame in market.data.values():
        for shown in (frame, frame.history, frame.indicator(sma, 3)):
            values = [getattr(shown, name) for name in dir(shown) if not name.startswith("_")]
            known = [value for value in values if isinstance(value, Sized)]
            assert all(len(value) <= len(frame) for value in known)
        assert not hasattr(frame.indicator(sma, 3), "all_values")


def test_the_close_is_that_of_the_latest_candle(walk):
    market = Market(("1m", "5m"))
    for timeframe in ("1m", "5m"):
        with pytest.raises(LookupError, match=f"no {timeframe} candle has closed yet"):
            _ = market.data[timeframe].close
    series = walk(60, skip=(7,))
    for first in range(0, len(series), 10):
        market.extend(series.part(first, first + 10))
        market.advance(min(first + 10, len(series)))
        for frame in market.data.values():
            assert frame.close == frame.latest.close
            assert type(frame.close) is float
