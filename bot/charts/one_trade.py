"""The picture of one closed trade, to be read on a phone: candles, the way, and levels as tags.

A figure, no files.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from plotly.graph_objects import Candlestick, Figure, Scatter

from bot.charts import formats, theme
from bot.charts.phone import (
    BOTTOM,
    DARK,
    FONT_SIZE,
    HEADER,
    HEIGHT,
    base_layout,
    left_text,
    right_text,
    simulated_badge,
)
from bot.charts.price_tags import Tag, tag_annotations, tag_texts, tags_width
from bot.charts.sampling import DisplayCandles, display_candles
from bot.charts.trades import ENTRY_LOOKS, EXIT_LOOKS, Look
from engine.candles import CandleSeries
from engine.orders import ExitReason, Trade
from engine.timeframe import DAY_MS, MINUTE_MS

MOST_CANDLES: Final = 80

_TITLE_SIZE: Final = 32
_LEFT: Final = 14
_MARKER: Final = 26

# Before and behind a trade, in parts of its length, and at least.
_BEFORE: Final = (0.4, 25 * MINUTE_MS)
_BEHIND: Final = (0.1, 4 * MINUTE_MS)
# How far levels may stretch the price axis, in parts of what candles and markers take.
_LEVEL_ROOM: Final = 0.8

_RISING: Final = "#7db8a6"
_FALLING: Final = "#b9848b"
_STOP: Final = EXIT_LOOKS[ExitReason.STOP_LOSS].colour
_TARGET: Final = EXIT_LOOKS[ExitReason.TAKE_PROFIT].colour
_ENTRY: Final = "#dbdee1"


@dataclass(frozen=True, slots=True)
class OneTrade:
    """A closed trade with the candles around it, as far as they are known."""

    trade: Trade
    symbol: str
    candles: CandleSeries
    is_simulated: bool = False

    @property
    def colour(self) -> str:
        """The colour of the outcome."""
        return outcome_colour(self.trade.pnl)


def outcome_colour(value: float) -> str:
    """Return green for a gain, red for a loss, grey for neither."""
    return theme.MUTED if not value else theme.GREEN if value > 0 else theme.RED


def window_of(trade: Trade) -> tuple[int, int]:
    """Return the period (ms) that the picture of a trade shows."""
    before, behind = (
        max(round(part * trade.holding_ms), least) for part, least in (_BEFORE, _BEHIND)
    )
    return trade.entry_time - before, trade.exit_time + behind


def one_trade_figure(chart: OneTrade) -> Figure:
    """Draw a trade's candles, its way from entry to exit, and its levels.

    Raises:
        ValueError: there is no candle.
    """
    if not len(chart.candles):
        raise ValueError("there are no candles to draw")
    candles = display_candles(chart.candles, limit=MOST_CANDLES)
    lowest, highest = _price_range(chart, candles)
    trade = chart.trade
    ends = [(trade.entry_time, trade.entry_price), (trade.exit_time, trade.exit_price)]
    exit_look = replace(EXIT_LOOKS[trade.exit_reason], colour=chart.colour)
    figure = Figure(
        [
            _candle_trace(candles),
            _way(ends, chart.colour),
            _marker(ends[0], replace(ENTRY_LOOKS[trade.side], colour=_ENTRY), "Entry"),
            _marker(ends[1], exit_look, "Exit"),
        ]
    )
    figure.update_layout(_layout(chart, candles, (lowest, highest)))
    return figure


def _candle_trace(candles: DisplayCandles) -> Candlestick:
    return Candlestick(
        x=formats.axis_times(candles.timestamp),
        xperiod=candles.step_ms,
        xperiod0=formats.axis_times(candles.timestamp[:1])[0],
        xperiodalignment="middle",
        open=candles.open,
        high=candles.high,
        low=candles.low,
        close=candles.close,
        name=f"{candles.label} candles",
        increasing={"line": {"color": _RISING, "width": 2}, "fillcolor": _RISING},
        decreasing={"line": {"color": _FALLING, "width": 2}, "fillcolor": _FALLING},
    )


def _way(ends: Sequence[tuple[int, float]], colour: str) -> Scatter:
    return Scatter(
        x=_times([time for time, _ in ends]),
        y=[price for _, price in ends],
        name="Way",
        mode="lines",
        line={"color": colour, "width": 4},
    )


def _marker(point: tuple[int, float], look: Look, name: str) -> Scatter:
    outline = {"color": DARK, "width": 2.5}
    return Scatter(
        x=_times([point[0]]),
        y=[point[1]],
        name=name,
        mode="markers",
        marker={"symbol": look.symbol, "color": look.colour, "size": _MARKER, "line": outline},
    )


def _price_range(chart: OneTrade, candles: DisplayCandles) -> tuple[float, float]:
    trade = chart.trade
    ends = (trade.entry_price, trade.exit_price)
    lowest = min(float(candles.low.min()), *ends)
    highest = max(float(candles.high.max()), *ends)
    span = (highest - lowest) or highest * 0.01
    levels = [level for level in (trade.stop_loss, trade.take_profit) if level is not None]
    room = span * _LEVEL_ROOM
    reached = [level for level in levels if lowest - room <= level <= highest + room]
    bottom, top = min([lowest, *reached]), max([highest, *reached])
    margin = 0.05 * ((top - bottom) or span)
    return bottom - margin, top + margin


def _layout(
    chart: OneTrade, candles: DisplayCandles, bounds: tuple[float, float]
) -> dict[str, Any]:
    tags = _tags(chart)
    texts = tag_texts(tags, prefix=formats.price_prefix(chart.symbol), bounds=bounds)
    right = tags_width(texts)
    return base_layout(left=_LEFT, right=right) | {
        "xaxis": _time_axis(chart, candles),
        "yaxis": {"range": list(bounds), "visible": False},
        "shapes": [*_level_lines(chart, tags, bounds), _area(chart.trade, chart.colour)],
        "annotations": [
            *_header(chart, candles, right),
            *tag_annotations(tags, texts, bounds=bounds, height=HEIGHT - HEADER - BOTTOM),
            *_badges(chart, right),
        ],
    }


def _time_axis(chart: OneTrade, candles: DisplayCandles) -> dict[str, Any]:
    start, end = window_of(chart.trade)
    first = max(start, int(candles.timestamp[0]))
    span = end - first
    style, count = ("%H:%M", 5) if span <= DAY_MS else ("%b %-d", 5)
    if DAY_MS < span <= 3 * DAY_MS:
        style, count = "%b %-d %Hh", 4
    return {
        "type": "date",
        "range": _times([first, end]),
        "nticks": count,
        "tickformat": style,
        "tickfont": {"color": theme.MUTED},
        "ticklabeloverflow": "hide past div",
        "ticklabelstandoff": 6,
        "gridcolor": theme.GRID,
        "ticks": "",
        "rangeslider": {"visible": False},
    }


def _tags(chart: OneTrade) -> list[Tag]:
    trade = chart.trade
    tags = [
        Tag("Entry", trade.entry_price, _ENTRY),
        Tag("Exit", trade.exit_price, chart.colour),
    ]
    # Where the exit is at the level, one tag says it.
    if trade.stop_loss is not None and trade.stop_loss != trade.exit_price:
        tags.append(Tag("Stop", trade.stop_loss, _STOP))
    if trade.take_profit is not None and trade.take_profit != trade.exit_price:
        tags.append(Tag("Target", trade.take_profit, _TARGET))
    return tags


def _level_lines(
    chart: OneTrade, tags: Sequence[Tag], bounds: tuple[float, float]
) -> list[dict[str, Any]]:
    start = _times([chart.trade.entry_time])[0]
    end = _times([window_of(chart.trade)[1]])[0]
    return [
        {
            "type": "line",
            "x0": start,
            "x1": end,
            "y0": tag.price,
            "y1": tag.price,
            "layer": "below",
            "line": {"color": tag.colour, "width": 2.5, "dash": "9px,6px"},
        }
        for tag in tags
        if bounds[0] <= tag.price <= bounds[1]
    ]


def _area(trade: Trade, colour: str) -> dict[str, Any]:
    x0, x1 = _times([trade.entry_time, trade.exit_time])
    return {
        "type": "rect",
        "x0": x0,
        "x1": x1,
        "y0": trade.entry_price,
        "y1": trade.exit_price,
        "layer": "below",
        "fillcolor": colour,
        "opacity": 0.22,
        "line": {"width": 0},
    }


def _header(chart: OneTrade, candles: DisplayCandles, right: int) -> list[dict[str, Any]]:
    trade = chart.trade
    gain = f"{formats.format_usd(trade.pnl, signed=True)} ({_percent(trade.pnl_percent)})"
    market = f"{trade.side.capitalize()} {chart.symbol} · {candles.label}"
    room = theme.WIDTH - 3 * theme.MARGIN - theme.text_width(gain, _TITLE_SIZE)
    limit = max(int(room / theme.text_width("x", FONT_SIZE)), 8)
    if len(market) > limit:
        market = market[: limit - 1] + "…"
    return [
        left_text(f"<b>{gain}</b>", y=HEADER / 2, left=_LEFT)
        | {"font": {"size": _TITLE_SIZE, "color": chart.colour}},
        right_text(html.escape(market), y=HEADER / 2, right=right),
    ]


def _badges(chart: OneTrade, right: int) -> list[dict[str, Any]]:
    zone = right_text("UTC", y=HEIGHT - BOTTOM / 2, right=right)
    if not chart.is_simulated:
        return [zone]
    return [zone | {"xshift": zone["xshift"] - 110}, simulated_badge(right=right)]


def _percent(value: float) -> str:
    sign = "−" if value < 0 else "+"
    return f"{sign}{abs(value):,.2f}%"


def _times(times: Sequence[int]) -> list[str]:
    return formats.axis_times(np.array(times, dtype=np.int64))
