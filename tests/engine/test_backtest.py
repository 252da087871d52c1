import numpy as np
import pytest

from engine import Field, Signal, Strategy, StrategyParams
from engine.backtest import BacktestData, BacktestRequest, run_backtest
from engine.errors import InvalidParams, InvalidRun, StrategyFailed
from engine.indicators import sma

MINUTE = 60_000
MONDAY = 1_704_067_200_000


class Scripted(Strategy):
    """Does at each call what a test wrote down."""

    timeframes = ("1m",)
    script: dict[int, list[Signal]] = {}  # noqa: RUF012 - replaced by each test's own subclass

    class Params(StrategyParams):
        """One, to have one."""

        size_percent: float = Field(50, gt=0, le=100)

    def on_init(self, data):
        self.calls = []

    def on_candle(self, data, portfolio):
        self.calls.append(data[self.smallest_timeframe()].latest.timestamp)
        return self.script.get(len(self.calls), [])


def _scripted(script, *timeframes):
    return type("Case", (Scripted,), {"script": script, "timeframes": timeframes or ("1m",)})


def _run(strategy, series, **changes):
    data = BacktestData(series, funding=changes.pop("funding", ()))
    request = BacktestRequest("case", **{"fee_rate": 0.0, **changes})
    return run_backtest(request, strategy, data)


FLAT = (100.0, 100.0, 100.0, 100.0)


def test_a_signal_is_filled_at_the_close_that_it_was_decided_on(candles):
    series = candles([(100, 101, 99, 100.5), (102, 103, 101, 102.5), FLAT])
    (trade,) = _run(_scripted({1: [Signal.open_long(50)], 2: [Signal.close()]}), series).trades
    assert (trade.entry_price, trade.exit_price) == (100.5, 102.5)
    assert (trade.entry_time, trade.exit_time) == (MONDAY + MINUTE, MONDAY + 2 * MINUTE)


def test_with_next_open_it_is_filled_at_the_next_candles_open(candles):
    series = candles([(100, 101, 99, 100.5), (102, 103, 101, 102.5), FLAT])
    script = _scripted({1: [Signal.open_long(50)], 2: [Signal.close()]})
    (trade,) = _run(script, series, fill="next_open").trades
    assert (trade.entry_price, trade.exit_price) == (102, 100)
    assert (trade.entry_time, trade.exit_time) == (MONDAY + MINUTE, MONDAY + 2 * MINUTE)


def test_a_stop_is_not_checked_in_the_candle_whose_close_opened_the_position(candles):
    series = candles([(100, 101, 80, 100), FLAT, FLAT])
    (trade,) = _run(_scripted({1: [Signal.open_long(50, stop_loss=90)]}), series).trades
    assert trade.exit_reason == "end"


def test_a_candle_that_reaches_both_levels_counts_as_stopped_and_is_marked(candles):
    series = candles([FLAT, (100, 111, 89, 100), FLAT])
    signal = Signal.open_long(50, stop_loss=90, take_profit=110)
    (trade,) = _run(_scripted({1: [signal]}), series).trades
    assert (trade.exit_reason, trade.exit_price, trade.ambiguous) == ("stop_loss", 90, True)
    assert trade.exit_time == MONDAY + 2 * MINUTE


def test_a_stop_of_a_coarse_strategy_is_resolved_minute_by_minute(candles):
    quotes = [FLAT] * 60 + [(100, 111, 100, 110), (110, 110, 89, 95)] + [FLAT] * 58
    signal = Signal.open_long(50, stop_loss=90, take_profit=110)
    (trade,) = _run(_scripted({1: [signal]}, "1h"), candles(quotes)).trades
    assert (trade.exit_reason, trade.ambiguous) == ("take_profit", False)
    assert trade.exit_time == MONDAY + 61 * MINUTE


def test_open_positions_are_closed_at_the_last_close(candles):
    series = candles([FLAT, (100, 106, 100, 105)])
    results = _run(_scripted({1: [Signal.open_long(100)]}), series)
    (trade,) = results.trades
    assert (trade.exit_reason, trade.exit_price) == ("end", 105)
    assert results.final_equity == pytest.approx(10_500)
    assert results.equity.equity[-1] == results.final_equity


def test_a_decision_in_a_halt_is_filled_at_the_first_price_after_it(candles):
    quotes = [FLAT] * 3 + [(100, 100, 100, 100)] * 7 + [(120, 121, 119, 120)] + [FLAT] * 4
    series = candles(quotes, skip=frozenset(range(3, 10)))
    (trade,) = _run(_scripted({1: [Signal.open_long(50)]}, "5m"), series).trades
    assert trade.entry_price == 120
    assert trade.entry_time == MONDAY + 10 * MINUTE


def test_on_candle_is_called_from_the_start_on_with_earlier_candles_visible(walk):
    series = walk(600)
    seen = []

    class Case(Scripted):
        timeframes = ("1h",)

        def on_init(self, data):
            self.average = data["1h"].indicator(sma, 4)

        def on_candle(self, data, portfolio):
            seen.append((data["1h"].latest.timestamp, len(data["1h"]), self.average[-1]))
            return []

    _run(Case, series, start=MONDAY + 300 * MINUTE)
    assert [time for time, _, _ in seen] == [MONDAY + h * 60 * MINUTE for h in (5, 6, 7, 8, 9)]
    assert seen[0][1] == 6
    assert not np.isnan(seen[0][2])


def test_funding_is_paid_by_longs_at_its_candles_close(candles):
    series = candles([FLAT, FLAT, FLAT, FLAT])
    results = _run(
        _scripted({1: [Signal.open_long(100)]}), series, funding=((MONDAY + 3 * MINUTE, 0.01),)
    )
    assert results.costs.funding == pytest.approx(100.0)
    assert results.final_equity == pytest.approx(9_900)
    assert results.trades[0].pnl == 0


def test_a_position_opened_at_the_funding_time_does_not_pay(candles):
    series = candles([FLAT, FLAT])
    funding = ((MONDAY + MINUTE, 0.01),)
    assert _run(_scripted({1: [Signal.open_long(100)]}), series, funding=funding).costs.funding == 0


def test_a_short_whose_loss_eats_the_account_is_liquidated(candles):
    series = candles([FLAT, (100, 250, 100, 240), FLAT])
    results = _run(_scripted({1: [Signal.open_short(100)]}), series)
    (trade,) = results.trades
    assert (trade.exit_reason, trade.exit_price) == ("liquidation", 200)
    assert results.final_equity == pytest.approx(0)


def test_rejected_signals_are_counted_by_reason_and_the_run_goes_on(candles):
    script = {1: [Signal.open_long(0), Signal.open_long(0)], 2: [Signal.open_long(10)]}
    results = _run(_scripted(script), candles([FLAT] * 4))
    (rejection,) = results.rejected
    assert (rejection.reason, rejection.count) == ("size is not positive", 2)
    assert len(results.trades) == 1


def test_a_strategy_that_raises_is_told_by_its_own_file_and_line(candles):
    class Case(Scripted):
        def on_candle(self, data, portfolio):
            raise KeyError("oops")

    with pytest.raises(StrategyFailed, match=r"Case raised KeyError.*test_backtest\.py, line \d+"):
        _run(Case, candles([FLAT]))


@pytest.mark.parametrize("answer", [["buy"], 5, "buy", {"open": 1}, True])
def test_a_strategy_that_returns_something_else_is_told_so(candles, answer):
    class Case(Scripted):
        def on_candle(self, data, portfolio):
            return answer

    with pytest.raises(StrategyFailed, match="must return a list of Signal"):
        _run(Case, candles([FLAT]))


@pytest.mark.parametrize("answer", [None, [], (), False, 0])
def test_a_strategy_that_wants_nothing_may_say_so_in_any_way(candles, answer):
    class Case(Scripted):
        def on_candle(self, data, portfolio):
            return answer

    assert _run(Case, candles([FLAT] * 3)).trades == ()


def test_a_strategy_that_breaks_while_it_yields_signals_is_told_the_line(candles):
    class Case(Scripted):
        def on_candle(self, data, portfolio):
            yield from ()
            raise KeyError("oops")

    with pytest.raises(StrategyFailed, match=r"Case raised KeyError.*test_backtest\.py, line \d+"):
        _run(Case, candles([FLAT]))


def test_a_single_signal_is_as_good_as_a_list_of_one(candles):
    class Case(Scripted):
        def on_candle(self, data, portfolio):
            return None if portfolio.has_position else Signal.open_long(10)

    assert len(_run(Case, candles([FLAT] * 3)).trades) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"initial_balance": -1}, "initial balance must be a positive number"),
        ({"initial_balance": float("nan")}, "initial balance must be a positive number"),
        ({"fee_rate": 1.5}, "fee_rate is a fraction"),
        ({"slippage_bps": -1}, "slippage_bps must be"),
        ({"max_leverage": 0}, "max_leverage must be"),
        ({"fill": "yesterday"}, "fill must be one of"),
        ({"start": 5, "end": 5}, "is not after start"),
    ],
)
def test_a_request_that_no_run_could_serve_is_refused_at_once(changes, message):
    with pytest.raises(InvalidRun, match=message):
        BacktestRequest("case", **changes)


def test_a_period_without_candles_says_what_there_is(candles):
    with pytest.raises(InvalidRun, match="the candles cover 2024-01-01T00:00:00Z"):
        _run(Scripted, candles([FLAT]), start=MONDAY + MINUTE)
    with pytest.raises(InvalidRun, match="there are none"):
        _run(Scripted, candles([FLAT]).part(0, 0))


def test_parameters_are_checked_before_anything_runs(candles):
    with pytest.raises(InvalidParams, match="size_percent"):
        _run(Scripted, candles([FLAT]), params={"size_percent": 500})


def test_gaps_and_the_trades_that_touch_them_are_named(candles):
    series = candles([FLAT] * 10, skip=frozenset({4, 5}))
    script = _scripted({1: [Signal.open_long(10)], 2: [Signal.close()], 3: [Signal.open_long(10)]})
    passport = _run(script, series).data
    assert (passport.candles, passport.missing) == (8, 2)
    assert passport.trades_touching_gaps == (2,)


def test_the_run_id_changes_with_whatever_could_change_the_result(candles):
    series = candles([FLAT] * 3)
    base = _run(Scripted, series).run_id
    assert _run(Scripted, series).run_id == base
    assert _run(Scripted, series, slippage_bps=1.0).run_id != base
    assert _run(Scripted, series, params={"size_percent": 20}).run_id != base


def test_the_run_id_changes_with_the_funding_of_its_period_and_with_no_other(candles):
    series = candles([FLAT] * 4)
    changes = {"start": MONDAY + MINUTE, "end": MONDAY + 3 * MINUTE}
    base = _run(Scripted, series, **changes).run_id
    for minute, is_paid in ((0, False), (1, False), (2, True), (3, True), (4, False)):
        funding = ((MONDAY + minute * MINUTE, 0.01),)
        assert (_run(Scripted, series, funding=funding, **changes).run_id != base) == is_paid
    others = ((MONDAY + 2 * MINUTE, 0.01),), ((MONDAY + 2 * MINUTE, -0.01),)
    assert len({_run(Scripted, series, funding=other, **changes).run_id for other in others}) == 2


def test_progress_is_told_up_to_the_end(walk):
    told = []
    run_backtest(
        BacktestRequest("case"),
        Scripted,
        BacktestData(walk(500)),
        progress=lambda done, total: told.append((done, total)),
    )
    assert told[-1] == (500, 500)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_one_candle_is_enough_for_a_run(candles):
    results = _run(_scripted({1: [Signal.open_long(10)]}), candles([FLAT]))
    assert len(results.trades) == 1
    assert results.to_json()["metrics"]["sharpe_ratio"] is None


def test_a_coarse_base_is_noted(candles):
    series = candles([FLAT] * 60).aggregate("5m")
    results = _run(_scripted({}, "15m"), series)
    assert "run on 5m candles" in results.notes[0]


def test_charts_get_candles_that_the_runs_own_make_up_exactly(walk):
    series = walk(60_030).aggregate("3m")
    results = _run(_scripted({}, "3m"), series)
    assert results.price.timeframe == "15m"
    assert len(results.price) == 4002


class Turning(Strategy):
    """Trades every few hours, with levels, and looks at the volume delta."""

    timeframes = ("1h", "4h")

    class Params(StrategyParams):
        """How far away the levels are."""

        distance: float = Field(0.01, gt=0)

    def on_candle(self, data, portfolio):
        hour = data["1h"].latest
        if portfolio.has_position or hour.timestamp // (60 * MINUTE) % 3:
            return []
        distance = self.params.distance * hour.close
        stop, target = hour.close - distance, hour.close + distance
        if (hour.cvd or 0) > 0:
            return [Signal.open_long(50, stop_loss=stop, take_profit=target)]
        return [Signal.open_short(50, stop_loss=target, take_profit=stop)]


def test_runs_on_candles_that_were_run_on_before_give_the_same_bits(walk):
    fresh = [walk(3000, seed=3) for _ in range(3)]
    used = walk(3000, seed=3)
    periods = [(None, None), (MONDAY + 600 * MINUTE, None), (None, MONDAY + 2000 * MINUTE)]
    for distance in (0.01, 0.002, 0.05):
        for (start, end), series in zip(periods, fresh, strict=True):
            series.forget_derived()
            runs = [
                _run(Turning, candles, params={"distance": distance}, start=start, end=end)
                for candles in (series, used)
            ]
            assert runs[0].trades
            assert runs[0].trades == runs[1].trades
            assert runs[0].metrics == runs[1].metrics
            assert np.array_equal(runs[0].equity.equity, runs[1].equity.equity)
            assert list(runs[0].price) == list(runs[1].price)
