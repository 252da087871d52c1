"""The figures of alerts as JSON for the renderer, made of plain facts. Blocks: run it on a thread.

Plotly takes long to import, and only pictures need it: it is imported with the first one.
"""

from collections.abc import Mapping
from typing import Final

from bot.charts.errors import NothingToDraw
from engine.candles import CandleSeries
from engine.orders import Trade
from engine.results import EquityCurve
from engine.timeframe import MINUTE_MS

# How much of a trade's time may lack candles, in parts of its length, and in any case.
_MISSING_PART: Final = 0.2
_MISSING_MS: Final = 3 * MINUTE_MS


def trade_window(trade: Trade) -> tuple[int, int]:
    """Return the period (ms) whose candles a trade's picture shows."""
    from bot.charts.one_trade import window_of

    return window_of(trade)


def trade_figure_json(
    trade: Trade, symbol: str, candles: CandleSeries, *, is_simulated: bool
) -> str:
    """Return the picture of a closed trade as a figure's JSON.

    Raises:
        NothingToDraw: the candles of its time are not known.
    """
    from bot.charts.one_trade import OneTrade, one_trade_figure

    _require_covered(trade, candles)
    figure: str = one_trade_figure(OneTrade(trade, symbol, candles, is_simulated)).to_json()
    return figure


def summary_figure_json(
    start: int, end: int, curves: Mapping[str, EquityCurve], *, is_simulated: bool
) -> str:
    """Return the picture of a period (ms) as a figure's JSON; `curves` are by the tests' names.

    Raises:
        NothingToDraw: no test has more than one mark.
    """
    from bot.charts.summary import SummaryChart, SummaryLine, summary_figure

    if not any(len(curve.time) > 1 for curve in curves.values()):
        raise NothingToDraw("no test has equity in the period")
    lines = [SummaryLine(name, curve) for name, curve in curves.items()]
    figure: str = summary_figure(SummaryChart(start, end, lines, is_simulated)).to_json()
    return figure


def _require_covered(trade: Trade, candles: CandleSeries) -> None:
    missing = trade.holding_ms
    if len(candles):
        first, last = int(candles.timestamp[0]), int(candles.close_time[-1])
        missing = max(0, first - trade.entry_time) + max(0, trade.exit_time - last)
    if not len(candles) or missing > max(_MISSING_PART * trade.holding_ms, _MISSING_MS):
        raise NothingToDraw("the candles of a trade are not known here (yet)")
