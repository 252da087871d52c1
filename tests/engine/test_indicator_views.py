"""Views of indicators: how often a function is called, and what a view keeps of its answer."""

import numpy as np
import pytest

from engine.indicators import sma
from engine.market import Market


@pytest.fixture
def market(walk):
    market = Market(("1m",))
    market.extend(walk(100))
    market.skip_to(50)
    return market


def test_a_function_is_called_once_until_there_are_more_candles(market, walk):
    lengths = []

    def doubled(close):
        lengths.append(len(close))
        return 2 * close

    view = market.data["1m"].indicator(doubled)
    for position in range(50, 101):
        market.skip_to(position)
        assert view[-1] == 2 * market.data["1m"].latest.close
        assert view[-2] == 2 * market.data["1m"].history.close[-2]
    assert lengths == [100]
    market.extend(walk(103).part(100, 103))
    assert view[-2] == 2 * market.data["1m"].history.close[-2]
    market.skip_to(101)
    assert view[-1] == 2 * market.data["1m"].latest.close
    assert lengths == [100, 103]


def test_views_of_several_outputs_share_one_call(market):
    calls = []

    def both(close):
        calls.append(len(close))
        return close + 1, close - 1

    above, below = market.data["1m"].indicator(both)
    assert above[-1] - below[-1] == pytest.approx(2)
    assert len(np.asarray(above)) == len(np.asarray(below)) == 50
    assert calls == [100]


def test_a_function_may_use_one_array_again_and_again(market):
    answer = np.empty(100)

    def scaled(close, factor):
        return np.multiply(close, factor, out=answer)

    once = market.data["1m"].indicator(scaled, 1.0)
    twice = market.data["1m"].indicator(scaled, 2.0)
    close = market.data["1m"].latest.close
    assert (once[-1], twice[-1]) == (close, 2 * close)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int64, np.bool_])
def test_a_value_is_a_number_of_pythons_own_whatever_the_array_holds(market, dtype):
    view = market.data["1m"].indicator(lambda close: (close > 100).astype(dtype))
    values = np.asarray(view)
    assert values.dtype == dtype
    for back in (-1, -2, -50):
        assert type(view[back]) is type(values[back].item())
        assert view[back] == values[back]
    assert np.isnan(view[-51]) or view[-51] is False


def test_other_keys_are_those_of_an_array(market):
    view = market.data["1m"].indicator(sma, 3)
    values = np.asarray(view)
    np.testing.assert_array_equal(view[-5:], values[-5:])
    np.testing.assert_array_equal(view[[-1, -3]], values[[-1, -3]])
    np.testing.assert_array_equal(view[values > 100], values[values > 100])
    assert view[7] == values[7]
    assert view[np.int64(-1)] == values[-1]
    with pytest.raises(IndexError):
        view[50]
    with pytest.raises(IndexError):
        view["close"]


def test_an_array_made_of_a_view_is_a_copy_and_one_seen_as_an_array_is_none(market):
    view = market.data["1m"].indicator(sma, 3)
    copied = np.array(view)
    copied[-1] = 0.0
    assert view[-1] != 0.0
    assert np.asarray(view).base is not None
    assert not np.asarray(view).flags.writeable
    with pytest.raises(ValueError, match="copy"):
        np.array(view, dtype=np.float32, copy=False)


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.int64])
def test_an_index_may_be_a_small_integer_of_numpys(walk, kind):
    market = Market(("1m",))
    market.extend(walk(40_000))
    market.skip_to(40_000)
    view = market.data["1m"].indicator(sma, 3)
    assert [view[kind(-1)] for _ in range(2)] == [view[-1], view[-1]]


def test_an_array_in_another_machines_order_of_bytes_is_read_alike(market):
    view = market.data["1m"].indicator(lambda close: close.astype(">f8"))
    assert [view[-1] for _ in range(2)] == [market.data["1m"].close] * 2
