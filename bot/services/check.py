"""Checks what a strategy claims of itself: that it decides nothing where it need not be called."""

from collections.abc import Callable
from dataclasses import dataclass

from bot.services.backtests import BacktestJob, load_data
from bot.services.strategies import StrategyLibrary
from engine.backtest import BacktestData, BacktestRequest, run_backtest
from engine.frames import MultiTimeframeData
from engine.orders import Signal
from engine.portfolio import PortfolioView
from engine.strategy import Strategy

Report = Callable[[tuple[str, int, int]], None]


@dataclass(frozen=True, slots=True)
class WakeCheck:
    """What came of a strategy's `wake`; times are open times (ms) of its smallest candles.

    `missed` is the first candle at whose close it decides something though it said it would not.
    `same_results` tells whether the sparse run gave the trades of the full one.
    """

    has_wake: bool
    calls: int
    closes: int
    missed: int | None
    same_results: bool

    @property
    def holds(self) -> bool:
        """Whether the claim is true on these candles."""
        return self.missed is None and self.same_results


def check_wake(job: BacktestJob, report: Report) -> WakeCheck:
    """Run a strategy fully and sparsely on cached candles and compare."""
    strategy = StrategyLibrary(job.strategies_folder).load(job.request.strategy).strategy
    data = load_data(job, strategy)
    return compare_wake(job.request, strategy, data, report)


def compare_wake(
    request: BacktestRequest, strategy: type[Strategy], data: BacktestData, report: Report
) -> WakeCheck:
    """Run a strategy fully and sparsely on candles and compare."""
    full, sparse = _recorder(strategy), _recorder(strategy)
    dense = run_backtest(
        request, full, data, sparse=False, progress=lambda d, t: report(("always called", d, t))
    )
    short = run_backtest(
        request, sparse, data, progress=lambda d, t: report(("called as it wants", d, t))
    )
    missed = sorted(full.decided - sparse.called)
    return WakeCheck(
        has_wake=strategy.wake is not Strategy.wake,
        calls=len(sparse.called),
        closes=len(full.called),
        missed=missed[0] if missed else None,
        same_results=short.trades == dense.trades,
    )


class _Recorder(Strategy):
    called: set[int]
    decided: set[int]


def _recorder(strategy: type[Strategy]) -> type[_Recorder]:
    """Return the strategy, noting at which candles it is called and decides something."""
    called: set[int] = set()
    decided: set[int] = set()

    def on_candle(
        self: Strategy, data: MultiTimeframeData, portfolio: PortfolioView
    ) -> list[Signal] | Signal | None:
        time = data[self.smallest_timeframe()].latest.timestamp
        called.add(time)
        signals = strategy.on_candle(self, data, portfolio)
        if signals:
            decided.add(time)
        return signals

    members = {"on_candle": on_candle, "called": called, "decided": decided}
    # The module keeps its name, so that a failure names the user's own file and line.
    members["__module__"] = strategy.__module__
    return type(strategy.__name__, (strategy,), members)
