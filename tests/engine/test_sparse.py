"""A strategy that says when it needs to be called trades as if it were always called."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Signal, Strategy
from engine.backtest import BacktestData, BacktestRequest, run_backtest
from engine.errors import StrategyFailed
from engine.indicators import crossed, crossed_above, sma

MINUTE = 60_000
MONDAY = 1_704_067_200_000


class Crossing(Strategy):
    """Turns at crossings and says so."""

    timeframes = ("1m",)

    def on_init(self, data):
        frame = data[self.smallest_timeframe()]
        fast, slow = frame.indicator(sma, 3), frame.indicator(sma, 7)
        self.up = frame.indicator(crossed_above, fast, slow)
        self.either = frame.indicator(crossed, fast, slow)
        self.calls = 0

    def wake(self, data):
        return self.either

    def on_candle(self, data, portfolio):
        type(self).called += 1
        if not self.either[-1]:
            return []
        price = data[self.smallest_timeframe()].latest.close
        if self.up[-1]:
            long = Signal.open_long(50, stop_loss=price * 0.998, take_profit=price * 1.003)
            return [Signal.close(), long]
        return [Signal.close(), Signal.open_short(50, stop_loss=price * 1.002)]


def _strategy(*timeframes):
    return type("Case", (Crossing,), {"timeframes": timeframes, "called": 0})


@given(
    frames=st.sampled_from([("1m",), ("3m",), ("5m", "15m"), ("1m", "1h"), ("15m",)]),
    skip=st.sets(st.integers(1, 598), max_size=80),
    seed=st.integers(0, 20),
    fill=st.sampled_from(["close", "next_open"]),
    start=st.one_of(st.none(), st.integers(1, 500)),
)
def test_it_trades_the_same_to_the_last_bit(walk, frames, skip, seed, fill, start):
    strategy = _strategy(*frames)
    request = BacktestRequest(
        "case", fill=fill, start=None if start is None else MONDAY + start * MINUTE
    )
    funding = ((MONDAY + 240 * MINUTE, 0.001),)
    data = BacktestData(walk(600, seed=seed, skip=sorted(skip)), funding=funding)
    dense = run_backtest(request, strategy, data, sparse=False)
    sparse = run_backtest(request, strategy, data)
    assert sparse.trades == dense.trades
    assert sparse.equity.equity.tobytes() == dense.equity.equity.tobytes()
    assert sparse.to_json() == dense.to_json()


def test_it_is_called_where_it_wants_to_be_and_nowhere_else(walk):
    strategy, data = _strategy("1m"), BacktestData(walk(600))
    run_backtest(BacktestRequest("case"), strategy, data, sparse=False)
    dense, strategy.called = strategy.called, 0
    run_backtest(BacktestRequest("case"), strategy, data)
    assert dense == 600
    assert 0 < strategy.called < 200


def test_conditions_may_be_a_plain_array_over_more_than_the_history(walk):
    class Case(Crossing):
        called = 0
        history_ms = 50 * MINUTE

        def wake(self, data):
            close = data["1m"].history.close
            assert len(close) == 600
            return np.asarray(self.either) | (close < 0)

    data = BacktestData(walk(600))
    expected = run_backtest(BacktestRequest("case"), _strategy("1m"), data)
    assert run_backtest(BacktestRequest("case"), Case, data).trades == expected.trades


@pytest.mark.parametrize("wrong", [np.ones(3, dtype=bool), np.ones(600), [1] * 600])
def test_conditions_that_do_not_fit_are_refused(walk, wrong):
    class Case(Crossing):
        def wake(self, data):
            return wrong

    with pytest.raises(StrategyFailed, match="one True or False for each of 600 candles"):
        run_backtest(BacktestRequest("case"), Case, BacktestData(walk(600)))


@pytest.mark.parametrize("minutes", [1, 7, 59])
def test_a_run_in_which_no_candle_closes_trades_nothing(walk, minutes):
    data = BacktestData(walk(minutes))
    for sparse in (False, True):
        results = run_backtest(BacktestRequest("case"), _strategy("1h"), data, sparse=sparse)
        assert results.trades == ()
        assert results.final_equity == 10_000
