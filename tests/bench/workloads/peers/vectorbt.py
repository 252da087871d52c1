"""The crossover in vectorbt: no calls at all, whole arrays of signals through compiled code."""

from tests.bench.workloads.peers.task import FAST, FEE_RATE, SIZE, SLOW, STOP, TARGET, Task


def make(task: Task) -> "_Vectorbt":
    """Return it with its data, which its users make once."""
    return _Vectorbt(task)


class _Vectorbt:
    def __init__(self, task: Task) -> None:
        import vectorbt

        self._vectorbt = vectorbt
        self._frame = task.frame()
        self._frequency = {"1h": "1h", "1m": "1min"}[task.timeframe]

    def prepare(self) -> None:
        """Nothing: a run uses nothing up."""

    def run(self) -> None:
        """Run it, statistics included."""
        bars = self._frame
        fast = self._vectorbt.MA.run(bars["close"], FAST)
        slow = self._vectorbt.MA.run(bars["close"], SLOW)
        portfolio = self._vectorbt.Portfolio.from_signals(
            bars["close"],
            fast.ma_crossed_above(slow),
            fast.ma_crossed_below(slow),
            open=bars["open"],
            high=bars["high"],
            low=bars["low"],
            size=SIZE,
            size_type="percent",
            fees=FEE_RATE,
            sl_stop=STOP,
            tp_stop=TARGET,
            freq=self._frequency,
        )
        self._statistics = portfolio.stats()

    def closed_trades(self) -> int:
        """Return how many it closed; one that is open at the end stays open."""
        return int(self._statistics["Total Closed Trades"])
