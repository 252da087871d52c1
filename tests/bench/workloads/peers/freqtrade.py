"""The crossover in freqtrade: its `Backtesting` on a frame in memory, with no exchange to ask."""

from pathlib import Path
from typing import Any, Final

from tests.bench.workloads.peers.task import BALANCE, FEE_RATE, SIZE, Task

_PAIR: Final = "BTC/USDT"
_NO_LIMIT: Final = {"min": None, "max": None}
_MARKET: Final = {
    "id": "BTCUSDT",
    "symbol": _PAIR,
    "base": "BTC",
    "quote": "USDT",
    "type": "spot",
    "spot": True,
    "active": True,
    "maker": FEE_RATE,
    "taker": FEE_RATE,
    "precision": {"amount": 1e-6, "price": 0.01},
    "limits": dict.fromkeys(("amount", "price", "cost", "leverage"), _NO_LIMIT),
    "info": {},
}


def make(task: Task) -> "_Freqtrade":
    """Return it with its data, as loading from files would leave it."""
    return _Freqtrade(task)


class _Freqtrade:
    def __init__(self, task: Task) -> None:
        from freqtrade.optimize.backtesting import Backtesting
        from freqtrade.optimize.optimize_reports import generate_backtest_stats

        self._make, self._report = Backtesting, generate_backtest_stats
        self._config = _config(task.timeframe)
        self._exchange = _exchange(self._config)
        self._data = {_PAIR: task.frame().tz_localize("UTC").rename_axis("date").reset_index()}

    def prepare(self) -> None:
        """Make the one thing that runs once."""
        self._test = self._make(self._config, exchange=self._exchange)

    def run(self) -> None:
        """Run it, statistics included; not the tables that its shell prints."""
        test = self._test
        [strategy] = test.strategylist
        begin, end = test.backtest_one_strategy(strategy, self._data, test.timerange)
        self._report(self._data, test.all_bt_content, min_date=begin, max_date=end)

    def closed_trades(self) -> int:
        """Return how many it closed."""
        [content] = self._test.all_bt_content.values()
        return len(content["results"])


def _config(timeframe: str) -> dict[str, Any]:
    from freqtrade.enums import CandleType, RunMode

    folder = Path.cwd()
    return {
        "runmode": RunMode.BACKTEST,
        "dry_run": True,
        "dry_run_wallet": BALANCE,
        "stake_currency": "USDT",
        "stake_amount": "unlimited",
        "tradable_balance_ratio": SIZE,
        "max_open_trades": 1,
        "fee": FEE_RATE,
        "timeframe": timeframe,
        "strategy": "Crossover",
        "strategy_path": str(Path(__file__).with_name("freqtrade_strategies")),
        "exchange": {"name": "binance", "pair_whitelist": [_PAIR], "pair_blacklist": []},
        "pairlists": [{"method": "StaticPairList"}],
        "entry_pricing": {},
        "exit_pricing": {},
        "trading_mode": "spot",
        "margin_mode": "",
        "candle_type_def": CandleType.SPOT,
        "dataformat_ohlcv": "feather",
        "datadir": folder,
        "user_data_dir": folder,
        "export": "none",
    }


def _exchange(config: dict[str, Any]) -> Any:
    """Return an exchange that knows its one market and asks no network."""
    from freqtrade.exchange.binance import Binance

    class OfflineBinance(Binance):
        def reload_markets(self, *_arguments: Any, **_options: Any) -> None:
            self._markets = {_PAIR: _MARKET}

        def validate_config(self, _config: Any) -> None:
            """Nothing: what it checks is asked of the exchange."""

    return OfflineBinance(config, load_leverage_tiers=False)
