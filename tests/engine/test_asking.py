"""What a strategy's answer is taken for: plain signals, or a failure that its author can mend."""

import json
from decimal import Decimal

import numpy as np
import pytest

from engine import Signal, Strategy
from engine.backtest import BacktestData, BacktestRequest, run_backtest
from engine.engine import Engine, EngineConfig
from engine.errors import StrategyFailed
from engine.execution import BacktestExecutor, FixedCosts
from engine.orders import SignalAction


def answering(*answers):
    """Return a strategy that gives these answers, one at each call, and then none."""

    class Case(Strategy):
        timeframes = ("1m",)

        def on_init(self, data):
            self.left = list(answers)

        def on_candle(self, data, portfolio):
            return self.left.pop(0) if self.left else []

    return Case


def run(walk, *answers, **changes):
    request = BacktestRequest("case", **changes)
    return run_backtest(request, answering(*answers), BacktestData(walk(50)))


def started(strategy):
    """Return an engine that fills at the next open and has had no candle."""
    engine = Engine(strategy(), EngineConfig(fill="next_open"), BacktestExecutor(FixedCosts()))
    engine.start()
    return engine


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int64, Decimal, np.array, int])
@pytest.mark.parametrize("fill", ["close", "next_open"])
def test_numbers_of_other_kinds_trade_as_pythons_own_do(walk, kind, fill):
    plain = run(walk, Signal.open_long(50.0, stop_loss=90.0, take_profit=110.0), fill=fill)
    other = Signal.open_long(kind(50), stop_loss=kind(90), take_profit=kind(110))
    results = run(walk, other, fill=fill)

    assert results.trades == plain.trades
    assert type(results.trades[0].size) is float
    assert json.dumps(results.to_json()) == json.dumps(plain.to_json())


def test_a_position_id_of_numpys_closes_that_position(walk):
    results = run(walk, [Signal.open_long(10), Signal.open_long(20)], Signal.close(np.int64(2)))

    assert [(trade.id, trade.exit_reason) for trade in results.trades] == [
        (2, "signal"),
        (1, "end"),
    ]


def test_signals_that_wait_for_an_open_can_be_stored_whatever_their_numbers(walk):
    signal = Signal.open_long(np.float32(50), stop_loss=np.float32(90))
    engine = started(answering(signal))
    engine.advance(walk(1))

    assert json.loads(json.dumps(engine.snapshot()))["pending"][0]["stop_loss"] == 90.0


def test_an_action_given_as_text_is_the_action_of_that_name(walk):
    [trade] = run(walk, Signal("open_long", 50.0)).trades

    assert trade.side == "long"


@pytest.mark.parametrize(
    "signal",
    [
        Signal.open_long("half"),
        Signal.open_long(None),
        Signal.open_long(5j),
        Signal.open_long(50, stop_loss=[90.0]),
        Signal.open_short(50, take_profit=np.array([90.0, 80.0])),
        Signal.close("1"),
        Signal.close([1]),
        Signal("buy", 50.0),
    ],
)
def test_a_signal_with_what_can_not_be_meant_is_told_so(walk, signal):
    with pytest.raises(StrategyFailed, match=r"Case.on_candle gave a signal that .*Signal\("):
        run(walk, [Signal.open_long(10), signal])


def test_a_strategy_may_put_another_method_in_the_place_of_its_on_candle(walk):
    class Case(Strategy):
        timeframes = ("1m",)

        def on_candle(self, data, portfolio):
            self.on_candle = self.buy

        def buy(self, data, portfolio):
            self.on_candle = self.wait
            return Signal.open_long(50)

        def wait(self, data, portfolio):
            return None

    series = walk(50)
    [trade] = run_backtest(BacktestRequest("case"), Case, BacktestData(series)).trades
    assert trade.entry_time == series.close_time[1]


def test_a_plain_signal_is_taken_as_it_is(walk):
    signal = Signal(SignalAction.OPEN_LONG, 5, 50.0, None)
    engine = started(answering([signal]))
    engine.advance(walk(1))

    assert engine.pending[0] is signal


@pytest.mark.parametrize("method", ["__init__", "on_init", "wake", "on_candle"])
def test_a_strategy_that_calls_exit_fails_as_one_that_raises(walk, method):
    def leave(self, *arguments):
        raise SystemExit(3)

    case = type("Case", (Strategy,), {"timeframes": ("1m",), "on_candle": lambda *_: None})
    setattr(case, method, leave)
    with pytest.raises(StrategyFailed, match=r"Case.* raised SystemExit: 3 \(.*test_asking\.py"):
        run_backtest(BacktestRequest("case"), case, BacktestData(walk(50)))


def test_a_strategy_that_calls_exit_between_two_quiet_calls_fails_too(walk):
    class Case(Strategy):
        timeframes = ("1m",)

        def on_candle(self, data, portfolio):
            if len(data["1m"]) == 20:
                raise SystemExit
            return []

    with pytest.raises(StrategyFailed, match="Case raised SystemExit"):
        run_backtest(BacktestRequest("case"), Case, BacktestData(walk(50)))


def test_a_constructor_that_breaks_is_told_by_its_file_and_line(walk):
    class Case(Strategy):
        def __init__(self, params=None):
            super().__init__(params)
            self.ratio = 1 / 0

        def on_candle(self, data, portfolio):
            return []

    with pytest.raises(StrategyFailed, match=r"Case\.__init__ raised ZeroDiv.*test_asking\.py"):
        run_backtest(BacktestRequest("case"), Case, BacktestData(walk(50)))
