"""The crossover in backtrader: its own indicators, `next` at every bar, a bracket of orders."""

from typing import Any

from tests.bench.workloads.peers.task import (
    BALANCE,
    FAST,
    FEE_RATE,
    SIZE,
    SLOW,
    STOP,
    TARGET,
    Task,
)


def make(task: Task) -> "_Backtrader":
    """Return it with its bars."""
    return _Backtrader(task)


class _Backtrader:
    def __init__(self, task: Task) -> None:
        import backtrader

        self._backtrader = backtrader
        self._strategy = _strategy()
        self._frame = task.frame()

    def prepare(self) -> None:
        """Make the one thing that runs once; it reads the frame in its run, not here."""
        cerebro = self._backtrader.Cerebro()
        cerebro.adddata(self._backtrader.feeds.PandasData(dataname=self._frame))
        cerebro.addstrategy(self._strategy)
        cerebro.broker.setcash(BALANCE)
        cerebro.broker.setcommission(commission=FEE_RATE)
        cerebro.broker.set_coc(True)  # market orders fill at the close, as ours do
        self._cerebro = cerebro

    def run(self) -> None:
        """Run it with the observers that it has by default, without analyzers."""
        [self._done] = self._cerebro.run()

    def closed_trades(self) -> int:
        """Return how many it closed; one that is open at the end stays open."""
        return int(self._done.closed_trades)


def _strategy() -> Any:
    import backtrader as bt

    class Crossover(bt.Strategy):
        def __init__(self) -> None:
            fast = bt.indicators.SMA(self.data.close, period=FAST)
            slow = bt.indicators.SMA(self.data.close, period=SLOW)
            self.crossover = bt.indicators.CrossOver(fast, slow)
            self.closed_trades = 0

        def next(self) -> None:
            if not self.position:
                if self.crossover > 0:
                    self.enter(self.data.close[0])
            elif self.crossover < 0:
                self.cancel(self.stop_order)  # takes its target with it
                self.close()

        def enter(self, price: float) -> None:
            _, self.stop_order, _ = self.buy_bracket(
                size=SIZE * self.broker.getvalue() / price,
                exectype=bt.Order.Market,
                stopprice=price * (1 - STOP),
                limitprice=price * (1 + TARGET),
            )

        def notify_trade(self, trade: Any) -> None:
            self.closed_trades += trade.isclosed

    return Crossover
