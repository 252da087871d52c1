"""Golden results: each shipped strategy over three simulated months, kept as JSON.

`python -m tests.strategies.golden_runs` writes them anew; the difference is for a person to read.
"""

import json
from pathlib import Path
from typing import Any

from bot.services.strategies import StrategyLibrary
from data.simulator.market import SimulatedMarket
from engine.backtest import BacktestData, BacktestRequest, run_backtest
from engine.candles import CandleSeries

FOLDER = Path(__file__).parent / "golden"
STRATEGIES = Path(__file__).resolve().parent.parent.parent / "strategies"
NAMES = ("breakout", "ma_crossover", "multi_timeframe", "rsi_reversal")
START = 1_704_067_200_000
DAYS = 90


def simulated_candles(days: int = DAYS, symbol: str = "BTCUSDT", seed: int = 7) -> CandleSeries:
    """Return simulated minutes from 2024-01-01 on."""
    rows = SimulatedMarket(seed).candles(symbol, START, days * 1440)
    names = ("timestamp", "open", "high", "low", "close", "volume")
    delta = 2 * rows["taker_buy_base"] - rows["volume"]
    return CandleSeries("1m", *(rows[name] for name in names), None, delta)


def compute(name: str, candles: CandleSeries) -> dict[str, Any]:
    """Return what is compared: headline figures and all trades."""
    strategy = StrategyLibrary(STRATEGIES).load(name).strategy
    request = BacktestRequest(name, slippage_bps=1.0)
    results = run_backtest(request, strategy, BacktestData(candles)).to_json()
    return {key: results[key] for key in ("final_equity", "costs", "metrics", "rejected", "trades")}


def main() -> None:
    """Write all golden files."""
    candles = simulated_candles()
    for name in NAMES:
        text = json.dumps(compute(name, candles), indent=1)
        (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
