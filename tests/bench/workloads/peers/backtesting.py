"""The crossover in backtesting.py: whole-array indicators, `next` at every bar, sl and tp."""

from typing import Any

from tests.bench.workloads.peers.task import FAST, FEE_RATE, SIZE, SLOW, STOP, TARGET, Task

# It buys whole units only, so that a small account would round its sizes.
_CASH = 1e9


def make(task: Task) -> "_Backtesting":
    """Return it with its data, which its users make once."""
    return _Backtesting(task)


class _Backtesting:
    def __init__(self, task: Task) -> None:
        from backtesting import Backtest

        frame = task.frame().rename(columns=str.capitalize)
        self._test = Backtest(
            frame, _strategy(), cash=_CASH, commission=FEE_RATE, trade_on_close=True
        )

    def prepare(self) -> None:
        """Nothing: a run uses nothing up."""

    def run(self) -> None:
        """Run it, statistics included."""
        self._statistics = self._test.run()

    def closed_trades(self) -> int:
        """Return how many it closed; one that is open at the end stays open."""
        return int(self._statistics["# Trades"])


def _strategy() -> Any:
    import pandas as pd
    from backtesting import Strategy
    from backtesting.lib import crossover

    def average(values: Any, period: int) -> Any:
        return pd.Series(values).rolling(period).mean()

    class Crossover(Strategy):
        def init(self) -> None:
            self.fast = self.I(average, self.data.Close, FAST)
            self.slow = self.I(average, self.data.Close, SLOW)

        def next(self) -> None:
            price = self.data.Close[-1]
            if crossover(self.fast, self.slow) and not self.position:
                self.buy(size=SIZE, sl=price * (1 - STOP), tp=price * (1 + TARGET))
            elif crossover(self.slow, self.fast) and self.position:
                self.position.close()

    return Crossover
