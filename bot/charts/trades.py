"""The trades chart: candles with entries, exits and levels. A figure, no files.

Markers sit at a trade's own times and prices, however coarse the candles are drawn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from plotly.graph_objects import Candlestick, Figure, Scatter

from bot.charts import formats, theme
from bot.charts.hovering import Hover, candle_texts, entry_hover, exit_hover
from bot.charts.sampling import DisplayCandles, display_candles
from bot.charts.theme import PICTURE, Medium
from engine.orders import ExitReason, Side, Trade
from engine.results import BacktestResults


@dataclass(frozen=True, slots=True)
class Look:
    """How a kind of marker looks: plotly's symbol, its colour and its name in the legend."""

    symbol: str
    colour: str
    name: str


ENTRY_LOOKS: Final[Mapping[Side, Look]] = {
    Side.LONG: Look("triangle-up", theme.GREEN, "Long"),
    Side.SHORT: Look("triangle-down", theme.RED, "Short"),
}
EXIT_LOOKS: Final[Mapping[ExitReason, Look]] = {
    ExitReason.SIGNAL: Look("circle", "#5cc8ff", "Signal"),
    ExitReason.STOP_LOSS: Look("x", "#ff9447", "Stop loss"),
    ExitReason.TAKE_PROFIT: Look("star", "#ffd84d", "Take profit"),
    ExitReason.LIQUIDATION: Look("hexagon", "#ff6fd8", "Liquidation"),
    ExitReason.MANUAL: Look("square", "#b9a2ff", "Manual"),
    ExitReason.END: Look("diamond", "#f2f3f5", "End"),
}

_WON: Final = ("Won", "rgba(47,208,140,{})")
_LOST: Final = ("Lost", "rgba(255,92,102,{})")
_RISING: Final = "#6fa595"
_FALLING: Final = "#a8737a"

# Up to how many trades: marker size, width and opacity of the lines between entry and exit.
_SIZES: Final = (
    (30, 13.0, 2.0, 0.9),
    (100, 10.0, 1.6, 0.8),
    (250, 7.0, 1.2, 0.7),
    (800, 5.0, 1.0, 0.6),
    (2000, 4.0, 0.8, 0.5),
)
_SMALLEST: Final = (3.0, 0.6, 0.4)
_OUTLINED_FROM: Final = 7.0

# With words for more trades, a page would be too large to send.
_TRADES_WITH_WORDS: Final = 10_000

# How far levels may stretch the price axis beyond candles and markers.
_LEVEL_ROOM: Final = 0.25


def trades_figure(results: BacktestResults, medium: Medium = PICTURE) -> Figure:
    """Draw candles with each trade's entry, exit (by reason) and, where few, its levels."""
    candles = display_candles(results.price, limit=medium.candles)
    trades = results.trades
    prefix = formats.price_prefix(results.symbol)
    hover = medium.hover and len(trades) <= _TRADES_WITH_WORDS
    traces = [
        _candle_trace(candles, medium, prefix),
        *_level_traces(trades, medium),
        *_link_traces(trades),
        *_exit_traces(results, hover=hover),
        *_entry_traces(results, hover=hover),
    ]
    figure = Figure(traces)
    names = [trace.name for trace in traces if trace.showlegend is not False]
    figure.update_layout(_layout(results, medium, candles, names))
    return figure


def _candle_trace(candles: DisplayCandles, medium: Medium, prefix: str) -> Candlestick:
    return Candlestick(
        x=formats.axis_times(candles.timestamp),
        # Drawn in the middle of its period, a candle covers exactly its own time on the axis.
        xperiod=candles.step_ms,
        xperiod0=formats.axis_times(candles.timestamp[:1])[0] if len(candles) else None,
        xperiodalignment="middle",
        open=candles.open,
        high=candles.high,
        low=candles.low,
        close=candles.close,
        name=f"{candles.label} candles",
        showlegend=False,
        increasing={"line": {"color": _RISING, "width": 1.2}, "fillcolor": _RISING},
        decreasing={"line": {"color": _FALLING, "width": 1.2}, "fillcolor": _FALLING},
        hovertext=candle_texts(candles, prefix) if medium.hover else None,
        hoverinfo="text" if medium.hover else "skip",
    )


def _entry_traces(results: BacktestResults, *, hover: bool) -> list[Scatter]:
    total = len(results.trades)
    traces = []
    for side, look in ENTRY_LOOKS.items():
        trades = [trade for trade in results.trades if trade.side is side]
        points = [(trade.entry_time, trade.entry_price) for trade in trades]
        words = entry_hover(trades, side, results.symbol) if hover else None
        if trades:
            traces.append(_markers(points, look, total=total, hover=words).update(legendrank=1))
    return traces


def _exit_traces(results: BacktestResults, *, hover: bool) -> list[Scatter]:
    total = len(results.trades)
    traces = []
    for reason, look in EXIT_LOOKS.items():
        trades = [trade for trade in results.trades if trade.exit_reason is reason]
        points = [(trade.exit_time, trade.exit_price) for trade in trades]
        words = exit_hover(trades, reason, results.symbol) if hover else None
        if trades:
            traces.append(_markers(points, look, total=total, hover=words).update(legendrank=2))
    return traces


def _markers(
    points: Sequence[tuple[int, float]], look: Look, *, total: int, hover: Hover | None
) -> Scatter:
    size, _, _ = _sizes(total)
    return Scatter(
        x=formats.axis_times(np.array([time for time, _ in points], dtype=np.int64)),
        y=np.array([price for _, price in points]),
        name=f"{look.name} {len(points):,}",
        mode="markers",
        marker={
            "symbol": look.symbol,
            "color": look.colour,
            "size": size,
            "line": {"color": theme.PLOT, "width": 1.0 if size > _OUTLINED_FROM else 0.0},
        },
        customdata=hover.rows if hover else None,
        hovertemplate=hover.template if hover else None,
        hoverinfo=None if hover else "skip",
    )


def _link_traces(trades: Sequence[Trade]) -> list[Scatter]:
    _, width, opacity = _sizes(len(trades))
    traces = []
    for won, (name, colour) in ((True, _WON), (False, _LOST)):
        chosen = [trade for trade in trades if (trade.pnl > 0) is won]
        ends = [(t.entry_price, t.exit_price) for t in chosen]
        style = {"color": colour.format(opacity), "width": width}
        if chosen:
            traces.append(_segments(chosen, ends, f"{name} {len(chosen):,}", style))
    return traces


def _level_traces(trades: Sequence[Trade], medium: Medium) -> list[Scatter]:
    if len(trades) > medium.trades_with_levels:
        return []
    traces = []
    for name, attribute, look in (
        ("Stop level", "stop_loss", EXIT_LOOKS[ExitReason.STOP_LOSS]),
        ("Target level", "take_profit", EXIT_LOOKS[ExitReason.TAKE_PROFIT]),
    ):
        chosen = [trade for trade in trades if getattr(trade, attribute) is not None]
        ends = [(level, level) for level in (getattr(trade, attribute) for trade in chosen)]
        style = {"color": look.colour, "width": 1.4, "dash": "4px,3px"}
        if chosen:
            # No entry in the legend: a level has the colour of the exit that it leads to.
            traces.append(_segments(chosen, ends, name, style).update(showlegend=False))
    return traces


def _segments(
    trades: Sequence[Trade],
    prices: Sequence[tuple[float, float]],
    name: str,
    style: Mapping[str, Any],
) -> Scatter:
    times = np.array([(t.entry_time, t.exit_time) for t in trades], dtype=np.int64)
    texts = iter(formats.axis_times(times.ravel()))
    x = [value for first in texts for value in (first, next(texts), None)]
    y = np.full((len(trades), 3), np.nan)
    y[:, :2] = prices
    return Scatter(
        x=x, y=y.ravel(), name=name, mode="lines", line=style, legendrank=3, hoverinfo="skip"
    )


def _sizes(total: int) -> tuple[float, float, float]:
    return next((sizes for up_to, *sizes in _SIZES if total <= up_to), _SMALLEST)  # type: ignore[return-value]


def _layout(
    results: BacktestResults, medium: Medium, candles: DisplayCandles, names: list[str]
) -> dict[str, Any]:
    lowest, highest = _price_range(results, candles)
    prefix = formats.price_prefix(results.symbol)
    right = theme.axis_margin([theme.widest_label(lowest, highest, prefix=prefix)])
    legend = theme.legend(names, theme.WIDTH - right)
    frame = theme.Frame(right, top=theme.HEADER + theme.legend_height(legend, names))
    axis = theme.money_axis(lowest, highest, prefix=prefix)
    return theme.base_layout(results, frame, medium) | {
        "legend": legend,
        "showlegend": bool(names),
        "xaxis": theme.time_axis(*_period(results, candles)) | {"rangeslider": {"visible": False}},
        "yaxis": axis | ({"range": [lowest, highest]} if highest > lowest else {}),
        "dragmode": "pan",
        "hovermode": "closest",
    }


def _period(results: BacktestResults, candles: DisplayCandles) -> tuple[int, int]:
    if not len(candles):
        return results.start, results.end
    first, last = int(candles.timestamp[0]), int(candles.timestamp[-1]) + candles.step_ms
    return min(first, results.start), max(last, results.end)


def _price_range(results: BacktestResults, candles: DisplayCandles) -> tuple[float, float]:
    prices = [p for t in results.trades for p in (t.entry_price, t.exit_price)]
    marked = np.concatenate((candles.low, candles.high, np.array(prices)))
    if not len(marked):
        return 0.0, 0.0
    lowest, highest = float(marked.min()), float(marked.max())
    span = (highest - lowest) or highest * 0.01
    levels = [p for t in results.trades for p in (t.stop_loss, t.take_profit) if p is not None]
    room = span * _LEVEL_ROOM
    bottom = max(lowest - room, min([lowest, *levels]))
    top = min(highest + room, max([highest, *levels]))
    return bottom - span * 0.04, top + span * 0.04
