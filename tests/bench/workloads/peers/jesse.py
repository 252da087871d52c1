"""The crossover in the other Jesse: indicators of the last candles at every close.

It knows one-minute candles only and makes the hours of them.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

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

_EXCHANGE: Final = "Binance Perpetual Futures"
_SYMBOL: Final = "BTC-USDT"
_ORDER: Final = ("timestamp", "open", "close", "high", "low", "volume")
_WARM_UP: Final = 240  # its own default; its indicators look at so many candles
_MINUTES: Final = {"1m": 1, "1h": 60}


def make(task: Task) -> "_Jesse":
    """Return it with its candles, which its users make once."""
    return _Jesse(task)


class _Jesse:
    def __init__(self, task: Task) -> None:
        from jesse import research

        candles = np.column_stack([task.columns[name].astype(np.float64) for name in _ORDER])
        warm_up = _WARM_UP * _MINUTES[task.timeframe]
        route = {"strategy": _strategy(), "timeframe": task.timeframe}
        self._backtest = research.backtest
        self._arguments: dict[str, Any] = {
            "config": _config(),
            "routes": [{"exchange": _EXCHANGE, "symbol": _SYMBOL, **route}],
            "data_routes": [],
            "candles": _named(candles[warm_up:]),
            "warmup_candles": _named(candles[:warm_up]),
            # From one close of the strategy to the next in one go: faster by far where minutes
            # lie between them, and slower where none do.
            "fast_mode": task.timeframe != "1m",
        }

    def prepare(self) -> None:
        """Nothing: it copies its candles in each run."""

    def run(self) -> None:
        """Run it, metrics included."""
        self._result = self._backtest(**self._arguments)

    def closed_trades(self) -> int:
        """Return how many it closed."""
        return int(self._result["metrics"]["total"])


def _config() -> Mapping[str, Any]:
    return {
        "starting_balance": BALANCE,
        "fee": FEE_RATE,
        "type": "futures",
        "futures_leverage": 1,
        "futures_leverage_mode": "cross",
        "exchange": _EXCHANGE,
        "warm_up_candles": _WARM_UP,
    }


def _named(candles: "np.ndarray[Any, Any]") -> Mapping[str, Any]:
    series = {"exchange": _EXCHANGE, "symbol": _SYMBOL, "candles": candles}
    return {f"{_EXCHANGE}-{_SYMBOL}": series}


def _strategy() -> Any:
    from jesse import indicators as ta
    from jesse import utils
    from jesse.strategies import Strategy

    class Crossover(Strategy):
        def before(self) -> None:
            self.vars["before"] = self.vars.get("now", np.nan)
            self.vars["now"] = ta.sma(self.candles, FAST) - ta.sma(self.candles, SLOW)

        def should_long(self) -> bool:
            return bool(self.vars["before"] <= 0 < self.vars["now"])

        def should_cancel_entry(self) -> bool:
            return True

        def go_long(self) -> None:
            funds = SIZE * self.balance
            quantity = utils.size_to_qty(funds, self.price, fee_rate=self.fee_rate)
            self.buy = quantity, self.price

        def on_open_position(self, order: Any) -> None:
            self.stop_loss = self.position.qty, self.price * (1 - STOP)
            self.take_profit = self.position.qty, self.price * (1 + TARGET)

        def update_position(self) -> None:
            if self.vars["now"] < 0 <= self.vars["before"]:
                self.liquidate()

    return Crossover
