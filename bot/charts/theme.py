"""How charts look: colours, sizes, number formats, and the header above every chart.

Sizes are CSS pixels of an 800 pixel wide chart. Discord shows it about 550 pixels wide, so that a
15 pixel letter arrives with 10. No data is read here beyond what the header says.
"""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bot.charts.formats import axis_times, format_percent, format_period
from engine.results import BacktestResults
from engine.timeframe import DAY_MS, MINUTE_MS

WIDTH: Final = 800
HEIGHT: Final = 480
SCALE: Final = 1.5

PAPER: Final = "#313338"
PLOT: Final = "#2b2d31"
GRID: Final = "#404349"
TEXT: Final = "#f2f3f5"
MUTED: Final = "#b5bac1"
GREEN: Final = "#2fd08c"
RED: Final = "#ff5c66"
BLUE: Final = "#5aa9ff"
AMBER: Final = "#f0b232"

FONT: Final = "'Helvetica Neue', Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
FONT_SIZE: Final = 15
MARGIN: Final = 18
HEADER: Final = 68

# Average width of a character, of the widest font named above.
_CHARACTER: Final = 0.58
_LEGEND_ROW: Final = 24
_LEGEND_SYMBOL: Final = 48
_NO_LEGEND: Final = 8
_TITLE_SIZE: Final = 20
# How much of a title fits, with a badge beside it or without.
_TITLE_CHARACTERS: Final = (46, 58)
_SHORTENED_FROM: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class Medium:
    """How much detail a chart can carry: counts of points, candles, and trades with levels.

    `toolbar` is the width in pixels that buttons take in the upper right corner.
    """

    equity_points: int
    candles: int
    trades_with_levels: int
    hover: bool
    toolbar: int = 0


@dataclass(frozen=True, slots=True)
class Frame:
    """The pixels around a plot."""

    right: int
    left: int = MARGIN
    top: int = HEADER
    bottom: int = 38


PICTURE: Final = Medium(equity_points=1600, candles=400, trades_with_levels=40, hover=False)
PAGE: Final = Medium(
    equity_points=4000, candles=2000, trades_with_levels=400, hover=True, toolbar=200
)


def text_width(text: str, size: float = FONT_SIZE) -> float:
    """Return an upper estimate of a text's width in pixels."""
    return len(text) * size * _CHARACTER


def widest_label(lowest: float, highest: float, *, prefix: str) -> str:
    """Return what the longest label of an axis of amounts may look like."""
    if highest >= _SHORTENED_FROM:
        return f"{prefix}999.9M"
    sign = "−" if lowest < 0 else ""
    widest = max(abs(lowest), abs(highest))
    return f"{sign}{prefix}{widest:,.{_decimals(lowest, highest)}f}"


def money_axis(lowest: float, highest: float, *, prefix: str = "$") -> dict[str, Any]:
    """Return an axis of amounts with thousands separators; tens of millions are shortened."""
    if highest >= _SHORTENED_FROM:
        return value_axis() | {"tickprefix": prefix, "exponentformat": "B"}
    # Two decimals more than needed now, for who zooms in; trailing zeros are dropped.
    decimals = _decimals(lowest, highest) + 2
    return value_axis() | {"tickformat": f"{prefix},.{decimals}~f"}


def value_axis() -> dict[str, Any]:
    """Return the looks of a vertical axis: few ticks, on the right."""
    return {
        "side": "right",
        "nticks": 6,
        "gridcolor": GRID,
        "zeroline": False,
        "ticks": "",
        "ticklabelstandoff": 4,
    }


def _decimals(lowest: float, highest: float) -> int:
    step = max((highest - lowest) / 8, 1e-12)
    return max(0, math.ceil(-math.log10(step)))


def time_axis(first: int, last: int) -> dict[str, Any]:
    """Return the time axis (UTC) over a period in ms, with a little room on both sides."""
    room = max((last - first) // 60, MINUTE_MS)
    return {
        "type": "date",
        "range": axis_times(np.array([first - room, last + room])),
        "nticks": 7,
        "tickformatstops": _TICK_FORMATS,
        "hoverformat": "%Y-%m-%d %H:%M UTC",
        "ticklabelstandoff": 5,
        "ticklabeloverflow": "hide past div",
        "gridcolor": GRID,
        "ticks": "",
    }


# One line per label at any zoom; the header names the year of short periods.
_TICK_FORMATS: Final = (
    {"dtickrange": [None, MINUTE_MS - 1], "value": "%H:%M:%S"},
    {"dtickrange": [MINUTE_MS, DAY_MS - 1], "value": "%b %-d %H:%M"},
    {"dtickrange": [DAY_MS, 27 * DAY_MS], "value": "%b %-d"},
    {"dtickrange": ["M1", "M11"], "value": "%b %Y"},
    {"dtickrange": ["M12", None], "value": "%Y"},
)


def axis_margin(labels: Sequence[str]) -> int:
    """Return the pixels that the labels of a vertical axis need."""
    return 16 + round(max(text_width(label) for label in labels))


def legend(names: Sequence[str], width: float) -> dict[str, Any]:
    """Return a legend above a plot of some width: one row, or columns of equal width."""
    entries = [_LEGEND_SYMBOL + text_width(name) for name in names]
    columns = len(names) if sum(entries) <= width else max(int(width // max(entries)), 1)
    in_columns = {"entrywidthmode": "fraction", "entrywidth": 1 / columns if columns else None}
    return {
        "orientation": "h",
        "x": 0,
        "xanchor": "left",
        "y": 1,
        "yanchor": "bottom",
        "bgcolor": "rgba(0,0,0,0)",
        "itemsizing": "constant",
        "traceorder": "normal",
    } | (in_columns if columns < len(names) else {})


def legend_height(shown: dict[str, Any], names: Sequence[str]) -> int:
    """Return the pixels that a legend takes above a plot."""
    columns = round(1 / shown["entrywidth"]) if "entrywidth" in shown else len(names)
    return -(-len(names) // columns) * _LEGEND_ROW if names else _NO_LEGEND


def base_layout(results: BacktestResults, frame: Frame, medium: Medium) -> dict[str, Any]:
    """Return the layout that all charts share: looks, legend, and the header with its texts."""
    margin = {"l": frame.left, "r": frame.right, "t": frame.top, "b": frame.bottom}
    return {
        # Plotly's own template is ten times as long as this layout.
        "template": "none",
        "paper_bgcolor": PAPER,
        "plot_bgcolor": PLOT,
        "font": {"family": FONT, "size": FONT_SIZE, "color": TEXT},
        "margin": margin | {"autoexpand": False},
        "hoverlabel": {"bgcolor": PAPER, "bordercolor": MUTED, "font": {"size": 13, "color": TEXT}},
        "annotations": _header(results, frame, medium),
    }


def _header(results: BacktestResults, frame: Frame, medium: Medium) -> list[dict[str, Any]]:
    simulated = results.exchange == "simulated"
    market = f" · {results.symbol} · {results.exchange}"
    room = _TITLE_CHARACTERS[0 if simulated or medium.toolbar else 1] - len(market)
    title = html.escape(_shortened(results.strategy, room) + market)
    period = format_period(results.start, results.end)
    texts = [
        _header_text(f"<b>{title}</b>", frame, y=24) | _TITLE,
        _header_text(_headline(results), frame, y=52) | {"font": {"color": TEXT}},
        _header_text(period, frame, y=52, at_right=True),
    ]
    if simulated:
        badge = _header_text("simulated prices", frame, y=24, at_right=True) | _BADGE
        texts.append(badge | {"xshift": badge["xshift"] - medium.toolbar})
    return texts


_TITLE: Final[dict[str, Any]] = {"font": {"size": _TITLE_SIZE, "color": TEXT}}
_BADGE: Final[dict[str, Any]] = {
    "bgcolor": AMBER,
    "borderpad": 4,
    "font": {"color": "#1e1f22"},
}


def _header_text(text: str, frame: Frame, *, y: int, at_right: bool = False) -> dict[str, Any]:
    # Placed by pixels from the plot's upper corners, so that a page of any size looks the same.
    return {
        "text": text,
        "showarrow": False,
        "xref": "paper",
        "yref": "paper",
        "x": 1 if at_right else 0,
        "xanchor": "right" if at_right else "left",
        "xshift": frame.right - MARGIN if at_right else MARGIN - frame.left,
        "y": 1,
        "yanchor": "middle",
        "yshift": frame.top - y,
        "font": {"color": MUTED},
    }


def _headline(results: BacktestResults) -> str:
    metrics = results.metrics
    gain = metrics.total_return_pct
    colour = MUTED if not gain else GREEN if gain > 0 else RED
    parts = [f"<span style='color:{colour}'><b>{format_percent(gain)}</b></span>"]
    if metrics.max_drawdown_pct is not None:
        parts.append(f"drawdown {format_percent(-abs(metrics.max_drawdown_pct))}")
    parts.append(f"{metrics.trades:,} trade{'' if metrics.trades == 1 else 's'}")
    return "  ·  ".join(parts)


def _shortened(text: str, limit: int) -> str:
    limit = max(limit, 8)
    return text if len(text) <= limit else text[: limit - 1] + "…"
