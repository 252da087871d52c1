"""How an engine's time grows: with candles, open positions, timeframes and indicators.

Ours is measured at two, four and eight times the amount, the reference at one. `candles` gives
nanoseconds per candle (linear: the ratio stays 1), the others give seconds for all candles. All in
processor time.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from bot.services.strategies import StrategyLibrary
from engine.backtest import BacktestData, BacktestRequest, run_backtest
from engine.candles import CandleSeries
from engine.strategy import Strategy
from tests.bench.market import load
from tests.bench.measuring import ROOT, Context, Meter, timed
from tests.bench.strategies import CROSSOVERS, rotating, with_indicators, with_timeframes

FACTORS: Final = (2, 4, 8)
_MAKERS: Final[Mapping[str, Callable[[int], type[Strategy]]]] = {
    "positions": rotating,
    "timeframes": with_timeframes,
    "indicators": with_indicators,
}


@contextmanager
def ours(context: Context, option: str) -> Iterator[Meter]:
    """Measure at each larger amount."""
    run = _prepare(context, option)
    yield Meter(lambda: {f"x{factor}": run(factor) for factor in FACTORS})


@contextmanager
def reference(context: Context, option: str) -> Iterator[Meter]:
    """Measure at one."""
    run = _prepare(context, option)

    def measure() -> Mapping[str, float]:
        single = run(1)
        return {f"x{factor}": single for factor in FACTORS}

    yield Meter(measure)


def _prepare(context: Context, option: str) -> Callable[[int], float]:
    candles = load(context)
    direction, name = option.split(":")
    if direction != "candles":
        return lambda factor: _seconds(candles, _MAKERS[direction](factor))
    strategy = _find(name)
    eighth = len(candles) // FACTORS[-1]

    def nanoseconds_per_candle(factor: int) -> float:
        part = candles.part(0, factor * eighth)
        # The same amount of work for every factor, so that each is measured as surely.
        times = FACTORS[-1] // factor
        seconds = sum(_seconds(part, strategy) for _ in range(times))
        return 1e9 * seconds / (times * len(part))

    return nanoseconds_per_candle


def _find(name: str) -> type[Strategy]:
    if name in CROSSOVERS:
        return CROSSOVERS[name]
    return StrategyLibrary(ROOT / "strategies").load(name).strategy


def _seconds(candles: CandleSeries, strategy: type[Strategy]) -> float:
    request = BacktestRequest(strategy.__name__)
    candles.forget_derived()  # each as if it were the first on these candles
    with timed() as watch:
        run_backtest(request, strategy, BacktestData(candles))
    return watch.processor_seconds
