import inspect

import numpy as np
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st

from engine import indicators

CONDITIONS = {"crossed", "crossed_above", "crossed_below", "any_of", "all_of"}
PLAIN = [name for name in indicators.__all__ if name not in CONDITIONS]


def _columns(length: int, seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.01, length)))
    return {
        "close": close,
        "high": close * (1 + random.uniform(0, 0.01, length)),
        "low": close * (1 - random.uniform(0, 0.01, length)),
        "volume": random.uniform(1, 100, length),
    }


def _compute(name: str, columns: dict[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    function = getattr(indicators, name)
    required = [
        parameter
        for parameter in inspect.signature(function).parameters.values()
        if parameter.name == "period" and parameter.default is inspect.Parameter.empty
    ]
    options = {"period": 7} if required else {}
    result = function(*(columns[column] for column in function.inputs), **options)
    return result if isinstance(result, tuple) else (result,)


@pytest.mark.parametrize("name", PLAIN)
@given(length=st.integers(1, 120), cut=st.integers(0, 120), seed=st.integers(0, 50))
def test_every_indicator_depends_on_the_past_only(name, length, cut, seed):
    columns = _columns(length, seed)
    cut = min(cut, length)
    whole = _compute(name, columns)
    part = _compute(name, {key: column[:cut].copy() for key, column in columns.items()})
    for long, short in zip(whole, part, strict=True):
        np.testing.assert_array_equal(long[:cut], short)


@pytest.mark.parametrize("name", PLAIN)
def test_every_indicator_gives_one_value_for_each_candle(name):
    for values in _compute(name, _columns(200, 3)):
        assert values.shape == (200,)


def test_the_values_are_those_of_ta_lib():
    columns = _columns(300, 9)
    high, low, close = columns["high"], columns["low"], columns["close"]
    np.testing.assert_array_equal(indicators.sma(close, 20), talib.SMA(close, 20))
    np.testing.assert_array_equal(indicators.ema(close, 20), talib.EMA(close, 20))
    np.testing.assert_array_equal(indicators.rsi(close, 14), talib.RSI(close, 14))
    np.testing.assert_array_equal(indicators.atr(high, low, close, 14), talib.ATR(high, low, close))
    np.testing.assert_array_equal(indicators.macd(close)[0], talib.MACD(close)[0])


def test_a_simple_average_can_be_checked_by_hand():
    values = indicators.sma(np.array([1.0, 2.0, 3.0, 4.0]), 2)
    np.testing.assert_array_equal(values, [np.nan, 1.5, 2.5, 3.5])


def test_a_crossing_needs_the_other_side_before_it():
    first = np.array([np.nan, 1.0, 2.0, 3.0, 2.0, 1.0])
    second = np.array([2.0, 2.0, 2.0, 2.0, 2.0, 2.0])
    assert indicators.crossed_above(first, second).tolist() == [False] * 3 + [True] + [False] * 2
    assert indicators.crossed_below(first, second).tolist() == [False] * 5 + [True]
    assert indicators.crossed(first, second).sum() == 2


def test_reaching_a_level_without_going_beyond_is_no_crossing():
    first = np.array([1.0, 2.0, 2.0])
    assert not indicators.crossed(first, np.array([2.0, 2.0, 2.0])).any()


def test_no_candle_gives_no_value():
    assert len(indicators.sma(np.empty(0), 5)) == 0
    assert [len(part) for part in indicators.macd(np.empty(0))] == [0, 0, 0]


def test_conditions_can_be_combined():
    first, second = np.array([True, True, False]), np.array([True, False, False])
    assert indicators.any_of(first, second).tolist() == [True, True, False]
    assert indicators.all_of(first, second).tolist() == [True, False, False]
