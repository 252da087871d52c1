"""How charts look: colours, sizes, number formats, and the header above every chart.

Sizes are CSS pixels of an 800 pixel wide chart. Discord shows it about 550 pixels wide, so that a
15 pixel letter arrives with 10. No data is read here beyond what the header says.
"""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from engine.candles import IntArray
from engine.results import BacktestResults
from engine.timeframe import DAY_MS, MINUTE_MS

WIDTH: Final = 800
HEIGHT: Final = 480

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
MARGIN: Final = 14
HEADER: Final = 68
LEGEND_ROW: Final = 24

# Average width of a character, of the widest font named above.
_CHARACTER: Final = 0.62
_TITLE_SIZE: Final = 20
_TITLE_CHARACTERS: Final = 48
_USD_QUOTES: Final = ("USD", "DAI")


@dataclass(frozen=True, slots=True)
class Medium:
    """How much detail a chart can carry: counts of points, candles, and trades with levels."""

    equity_points: int
    candles: int
    trades_with_levels: int
    hover: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """The pixels around a plot."""

    right: int
    left: int = MARGIN
    top: int = HEADER
    bottom: int = 34


PICTURE: Final = Medium(equity_points=1600, candles=400, trades_with_levels=40, hover=False)
PAGE: Final = Medium(equity_points=4000, candles=2000, trades_with_levels=400, hover=True)


def format_percent(value: float | None, *, signed: bool = True) -> str:
    """Return a percentage such as +1,234.5%; a dash where there is none."""
    if value is None:
        return "–"
    text = f"{value:+,.1f}%" if signed else f"{value:,.1f}%"
    return text.replace("-", "−")


def format_usd(value: float, *, signed: bool = False) -> str:
    """Return an amount such as $12,345.67 or −$0.00001234."""
    sign = "−" if value < 0 else "+" if signed else ""
    return f"{sign}${format_number(abs(value))}"


def format_number(value: float) -> str:
    """Return a number with thousands separators and as many decimals as its size deserves."""
    if value == 0 or abs(value) >= 1:
        return f"{value:,.2f}"
    return f"{value:.4g}" if abs(value) >= 1e-4 else f"{value:.8f}"


def format_moment(time: int) -> str:
    """Return a time in ms as 2024-01-31 12:00."""
    return datetime.fromtimestamp(time / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M")


def format_period(start: int, end: int) -> str:
    """Return a period as dates, with the time of day where it is shorter than three days."""
    digits = 16 if end - start < 3 * DAY_MS else 10
    return f"{format_moment(start)[:digits]} – {format_moment(end)[:digits]} UTC"


def axis_times(time: IntArray) -> list[str]:
    """Return times in ms as text for an axis; numbers would be shown in the viewer's zone."""
    unit = "ms" if (time % MINUTE_MS).any() else "m"
    return np.datetime_as_string(time.astype("datetime64[ms]"), unit=unit).tolist()  # type: ignore[no-any-return, call-overload]


def price_prefix(symbol: str) -> str:
    """Return the dollar sign for a symbol that is quoted in dollars, else nothing."""
    quote = symbol.partition("/")[2]
    return "$" if not quote or any(usd in quote for usd in _USD_QUOTES) else ""


def text_width(text: str, size: float = FONT_SIZE) -> float:
    """Return an upper estimate of a text's width in pixels."""
    return len(text) * size * _CHARACTER


def money_axis(lowest: float, highest: float, *, prefix: str = "$") -> dict[str, Any]:
    """Return an axis of amounts with thousands separators; millions are shortened."""
    short = max(abs(lowest), abs(highest)) >= 10_000_000
    return value_axis() | {
        "tickprefix": prefix,
        "separatethousands": True,
        "exponentformat": "B" if short else "none",
    }


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


def time_axis(first: int, last: int) -> dict[str, Any]:
    """Return the time axis (UTC) over a period in ms, with a little room on both sides."""
    room = max((last - first) // 60, MINUTE_MS)
    return {
        "type": "date",
        "range": axis_times(np.array([first - room, last + room])),
        "nticks": 7,
        "tickformatstops": _TICK_FORMATS,
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


def legend_rows(names: Sequence[str], width: float) -> int:
    """Return how many rows a horizontal legend of these names takes: one, or equal columns."""
    entries = [46 + text_width(name) for name in names]
    if sum(entries) <= width:
        return 1
    columns = max(int(width // max(entries)), 1)
    return -(-len(entries) // columns)


def base_layout(results: BacktestResults, frame: Frame) -> dict[str, Any]:
    """Return the layout that all charts share: looks, legend, and the header with its texts."""
    margin = {"l": frame.left, "r": frame.right, "t": frame.top, "b": frame.bottom}
    return {
        "paper_bgcolor": PAPER,
        "plot_bgcolor": PLOT,
        "font": {"family": FONT, "size": FONT_SIZE, "color": TEXT},
        "margin": margin | {"autoexpand": False},
        "legend": _legend(),
        "hoverlabel": {"bgcolor": PAPER, "bordercolor": MUTED, "font": {"size": 13}},
        "annotations": _header(results, frame),
    }


def _legend() -> dict[str, Any]:
    return {
        "orientation": "h",
        "x": 0,
        "xanchor": "left",
        "y": 1,
        "yanchor": "bottom",
        "bgcolor": "rgba(0,0,0,0)",
        "itemsizing": "constant",
        "traceorder": "normal",
        "font": {"size": FONT_SIZE},
    }


def _header(results: BacktestResults, frame: Frame) -> list[dict[str, Any]]:
    market = f" · {results.symbol} · {results.exchange}"
    title = _shortened(results.strategy, _TITLE_CHARACTERS - len(market)) + market
    period = format_period(results.start, results.end)
    texts = [
        _header_text(f"<b>{html.escape(title)}</b>", frame, y=24)
        | {"font": {"size": _TITLE_SIZE, "color": TEXT}},
        _header_text(_headline(results), frame, y=52) | {"font": {"color": TEXT}},
        _header_text(period, frame, y=52, at_right=True),
    ]
    if results.exchange == "simulated":
        texts.append(_header_text("simulated prices", frame, y=24, at_right=True) | _BADGE)
    return texts


_BADGE: Final[Mapping[str, Any]] = {
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
