"""The same crossover in other backtesters, which run in an environment of their own.

Only NumPy is common to both environments, so this module imports nothing else at its top, and the
candles reach the reference as an .npz file. In processor time.
"""

import importlib.util
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from tests.bench.measuring import Context, Meter, Skipped, timed

_FILE: Final = "peer-{timeframe}.npz"
_COLUMNS: Final = ("timestamp", "open", "high", "low", "close", "volume")
_FEE_RATE: Final = 0.0005
_FAST: Final = 50
_SLOW: Final = 200
_STOP: Final = 0.02
_TARGET: Final = 0.04

Columns = Mapping[str, "np.ndarray[Any, Any]"]


@contextmanager
def ours(context: Context, option: str) -> Iterator[Meter]:
    """Run our engine on bars of the timeframe alone; leave them for the other side as a file.

    The option names the peer and the crossover of ours, `1m-wake` is the one with a `wake`.
    """
    from tests.bench.market import load
    from tests.bench.workloads.engine import run_engine

    crossover = option.split(":")[1]
    bars = load(context).aggregate(_timeframe(option))
    columns = {name: getattr(bars, name) for name in _COLUMNS}
    np.savez(context.data_dir / _FILE.format(timeframe=_timeframe(option)), **columns)

    def measure() -> Mapping[str, float]:
        with timed() as watch:
            run_engine(bars, crossover)
        return {"time": watch.processor_seconds}

    yield Meter(measure)


@contextmanager
def reference(context: Context, option: str) -> Iterator[Meter]:
    """Run a peer on the same bars."""
    peer = option.split(":")[0]
    if importlib.util.find_spec(peer) is None:
        raise Skipped(f"{peer} is not installed in the environment of the peers")
    columns = dict(np.load(context.data_dir / _FILE.format(timeframe=_timeframe(option))))
    run = {"backtesting": _backtesting, "vectorbt": _vectorbt}[peer](columns)

    def measure() -> Mapping[str, float]:
        with timed() as watch:
            run()
        return {"time": watch.processor_seconds}

    yield Meter(measure)


def _timeframe(option: str) -> str:
    return option.split(":")[1].removesuffix("-wake")


def _backtesting(columns: Columns) -> Callable[[], object]:
    import pandas as pd
    from backtesting import Backtest, Strategy  # type: ignore[import-not-found]
    from backtesting.lib import crossover  # type: ignore[import-not-found]

    def average(values: Any, period: int) -> Any:
        return pd.Series(values).rolling(period).mean()

    class Crossover(Strategy):  # type: ignore[misc]
        def init(self) -> None:
            self.fast = self.I(average, self.data.Close, _FAST)
            self.slow = self.I(average, self.data.Close, _SLOW)

        def next(self) -> None:
            price = self.data.Close[-1]
            if crossover(self.fast, self.slow) and not self.position:
                self.buy(size=0.95, sl=price * (1 - _STOP), tp=price * (1 + _TARGET))
            elif crossover(self.slow, self.fast) and self.position:
                self.position.close()

    frame = _frame(columns)
    test = Backtest(frame, Crossover, cash=1e9, commission=_FEE_RATE, trade_on_close=True)
    return test.run  # type: ignore[no-any-return]


def _vectorbt(columns: Columns) -> Callable[[], object]:
    import vectorbt as vbt  # type: ignore[import-not-found]

    frame = _frame(columns)

    def run() -> object:
        fast = vbt.MA.run(frame["Close"], _FAST)
        slow = vbt.MA.run(frame["Close"], _SLOW)
        portfolio = vbt.Portfolio.from_signals(
            frame["Close"],
            fast.ma_crossed_above(slow),
            fast.ma_crossed_below(slow),
            open=frame["Open"],
            high=frame["High"],
            low=frame["Low"],
            size=0.95,
            size_type="percent",
            fees=_FEE_RATE,
            sl_stop=_STOP,
            tp_stop=_TARGET,
            freq="1min",
        )
        return portfolio.stats()

    return run


def _frame(columns: Columns) -> Any:
    import pandas as pd

    index = pd.to_datetime(columns["timestamp"], unit="ms")
    values = {name.capitalize(): columns[name] for name in _COLUMNS[1:]}
    return pd.DataFrame(values, index=index)
