"""The engine over all candles, against the tests' plain reference loop on a slice of them.

In processor time: both are one thread that computes.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from engine.backtest import BacktestData, BacktestRequest, run_backtest
from engine.candles import Candle, CandleSeries
from engine.indicators import sma
from engine.orders import Signal
from engine.results import BacktestResults
from tests.bench.market import load
from tests.bench.measuring import Context, Meter, WrongResult, timed
from tests.bench.strategies import CROSSOVERS, FAST, SLOW, buy
from tests.engine.reference.simulator import Decision, ReferenceRun, simulate

FEE_RATE: Final = 0.0005
_SLICE_CANDLES: Final = 60 * 1440


@contextmanager
def ours(context: Context, option: str) -> Iterator[Meter]:
    """Run the crossover over all candles."""
    candles = load(context)

    def measure() -> Mapping[str, float]:
        with timed() as watch:
            run_engine(candles, option)
        return _figures(watch.processor_seconds, context)

    yield Meter(measure)


@contextmanager
def reference(context: Context, option: str) -> Iterator[Meter]:
    """Run the plain loop over a slice; its time is scaled to all candles."""
    part = load(context).part(0, _SLICE_CANDLES)
    single = list(part)
    timeframe = CROSSOVERS[option].smallest_timeframe()
    _check_same(run_engine(part, option), _run_loop(part, single, timeframe))

    def measure() -> Mapping[str, float]:
        with timed() as watch:
            _run_loop(part, single, timeframe)
        return _figures(watch.processor_seconds * context.candles / len(part), context)

    yield Meter(measure)


def run_engine(candles: CandleSeries, option: str) -> BacktestResults:
    """Run a crossover through the backtest driver, as if it were the first on these candles."""
    candles.forget_derived()
    request = BacktestRequest("crossover", fee_rate=FEE_RATE)
    return run_backtest(request, CROSSOVERS[option], BacktestData(candles))


def _run_loop(part: CandleSeries, candles: list[Candle], timeframe: str) -> ReferenceRun:
    decide = _plain_crossover(part, timeframe)
    return simulate(candles, decide, timeframes=(timeframe,), fee_rate=FEE_RATE)


def _plain_crossover(part: CandleSeries, timeframe: str) -> Callable[[Decision], list[Signal]]:
    """Return the crossover as the loop wants it, with averages computed once, as ours are."""
    closes = part.aggregate(timeframe).close
    fast, slow = sma(closes, FAST).tolist(), sma(closes, SLOW).tolist()

    def decide(decision: Decision) -> list[Signal]:
        now = len(decision.visible[timeframe]) - 1
        before = now - 1
        if before < 0:
            return []
        if fast[now] > slow[now] and fast[before] <= slow[before]:
            if not decision.positions:
                return [buy(decision.visible[timeframe][-1].close)]
        elif fast[now] < slow[now] and fast[before] >= slow[before] and decision.positions:
            return [Signal.close()]
        return []

    return decide


def _check_same(ours: BacktestResults, other: ReferenceRun) -> None:
    """A comparison of two programs that compute different things would say nothing."""
    same_equity = math.isclose(ours.final_equity, other.final_equity, rel_tol=1e-9)
    if not ours.trades or len(ours.trades) != len(other.trades) or not same_equity:
        raise WrongResult(
            f"engine: {len(ours.trades)} trades, equity {ours.final_equity};"
            f" loop: {len(other.trades)} trades, equity {other.final_equity}"
        )


def _figures(seconds: float, context: Context) -> Mapping[str, float]:
    return {"time": seconds, "rate": context.candles / seconds}
