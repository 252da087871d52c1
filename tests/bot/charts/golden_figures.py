"""Golden figures: pictures of alerts made of waves, kept as Plotly's JSON.

`python -m tests.bot.charts.golden_figures` writes them anew; the difference is for a person
to read.
"""

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bot.charts.one_trade import OneTrade, one_trade_figure, window_of
from bot.charts.summary import SummaryChart, SummaryLine, summary_figure
from engine.candles import CandleSeries
from engine.orders import ExitReason, Side, Trade
from engine.results import EquityCurve
from engine.timeframe import DAY_MS, MINUTE_MS

FOLDER = Path(__file__).parent / "golden"
START = 1_704_067_200_000  # 2024-01-01


def wave_candles(count: int = 600) -> CandleSeries:
    """Minutes of a price that swings around 40,000."""
    close = 40_000 + 300 * np.sin(np.arange(count) / 40) + 40 * np.sin(np.arange(count) / 3)
    open_ = np.concatenate(([close[0]], close[:-1]))
    time = START + MINUTE_MS * np.arange(count)
    high, low = np.maximum(open_, close) + 10, np.minimum(open_, close) - 10
    return CandleSeries("1m", time, open_, high, low, close, np.ones(count))


def wave_trade(candles: CandleSeries, first: int = 310, last: int = 430) -> Trade:
    """A short between the closes of two candles, left by its target."""
    entry, out = float(candles.close[first]), float(candles.close[last])
    pnl = 0.125 * (entry - out) - 5
    return Trade(
        id=3,
        side=Side.SHORT,
        entry_time=int(candles.close_time[first]),
        entry_price=entry,
        exit_time=int(candles.close_time[last]),
        exit_price=out,
        size=0.125,
        size_usd=0.125 * entry,
        pnl=pnl,
        pnl_percent=100 * pnl / (0.125 * entry),
        fees=5.0,
        exit_reason=ExitReason.TAKE_PROFIT,
        stop_loss=entry + 250,
        take_profit=out,
    )


def lost_trade(candles: CandleSeries) -> Trade:
    """A short while the price rises, left by its stop."""
    trade = wave_trade(candles, 190, 268)
    target = trade.entry_price - 250
    stop = trade.exit_price
    return replace(trade, exit_reason=ExitReason.STOP_LOSS, stop_loss=stop, take_profit=target)


def one_trade_chart(trade: Trade | None = None) -> OneTrade:
    """A trade, by default one that won, with the candles of its window, up to its exit."""
    candles = wave_candles()
    trade = trade or wave_trade(candles)
    start, _ = window_of(trade)
    return OneTrade(trade, "BTC/USDT", candles.between(start, trade.exit_time))


def summary_chart() -> SummaryChart:
    """A day of two tests, one of which began at noon."""
    step = 30 * MINUTE_MS
    time = START + step * np.arange(49)
    first = EquityCurve(time, 10_000 + 80 * np.sin(np.arange(49) / 5))
    second = EquityCurve(time[24:], 5_000 - 2.0 * np.arange(25))
    lines = (SummaryLine("breakout", first), SummaryLine("rsi_reversal", second))
    return SummaryChart(START, START + DAY_MS, lines, is_simulated=True)


def compute() -> dict[str, dict[str, Any]]:
    """Return what is compared, by the name of its file."""
    won, lost = one_trade_chart(), one_trade_chart(lost_trade(wave_candles()))
    return {
        "one_trade": plain(one_trade_figure(won).to_dict()),
        "one_trade_lost": plain(one_trade_figure(lost).to_dict()),
        "summary": plain(summary_figure(summary_chart()).to_dict()),
    }


def plain(value: Any) -> Any:
    """Return a figure's values as JSON has them, numbers with six digits behind the point."""
    if isinstance(value, dict) and "bdata" in value:
        return plain(np.frombuffer(base64.b64decode(value["bdata"]), dtype=value["dtype"]))
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return round(float(value), 6)
    return int(value) if isinstance(value, np.integer) else value


def main() -> None:
    """Write all golden files."""
    FOLDER.mkdir(exist_ok=True)
    for name, figure in compute().items():
        text = json.dumps(figure, indent=1, ensure_ascii=False)
        (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
