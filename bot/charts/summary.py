"""The equity of forward tests over a day or a week, to be read on a phone. A figure, no files.

Each test is a line in percent of its equity at the start of the period, with its change as a tag.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from plotly.graph_objects import Figure, Scatter

from bot.charts import formats, theme
from bot.charts.phone import (
    BOTTOM,
    HEADER,
    HEIGHT,
    base_layout,
    left_text,
    right_text,
    simulated_badge,
)
from bot.charts.price_tags import Tag, tag_annotations, tags_width
from bot.charts.sampling import sample_equity
from engine.candles import FloatArray, IntArray
from engine.results import EquityCurve
from engine.timeframe import DAY_MS

MOST_LINES: Final = 6

_COLOURS: Final = ("#5aa9ff", "#f0b232", "#2fd08c", "#ff8fc7", "#b9a2ff", "#ff9447")
_ALL: Final = "#f2f3f5"
_POINTS: Final = 800
_TITLE_SIZE: Final = 30
_LEFT: Final = 96
_NAME_CHARACTERS: Final = 13


@dataclass(frozen=True, slots=True)
class SummaryLine:
    """A test with its equity in USD; the first mark is where it stood at the start."""

    name: str
    curve: EquityCurve

    @property
    def change_percent(self) -> float:
        """What equity changed by over the period."""
        first = float(self.curve.equity[0])
        return 100 * (float(self.curve.equity[-1]) / first - 1) if first > 0 else 0.0


@dataclass(frozen=True, slots=True)
class SummaryChart:
    """What is drawn: the period (ms), and its tests, each with one mark or more."""

    start: int
    end: int
    lines: Sequence[SummaryLine]
    is_simulated: bool = False


def summary_figure(chart: SummaryChart) -> Figure:
    """Draw each test's change in percent; where they are many, those that changed most."""
    shown = chart.lines
    if len(shown) > MOST_LINES:
        moved = sorted(shown, key=lambda line: abs(line.change_percent), reverse=True)
        shown = [line for line in shown if line in moved[:MOST_LINES]]
    colours = _COLOURS[: len(shown)]
    traces = [_trace(line, colour) for line, colour in zip(shown, colours, strict=True)]
    if len(chart.lines) > 1:
        total = SummaryLine("All", total_curve([line.curve for line in chart.lines]))
        shown, colours = [*shown, total], (*colours, _ALL)
        traces.append(_trace(total, _ALL, width=5.0))
    figure = Figure(traces)
    figure.update_layout(_layout(chart, shown, colours))
    return figure


def total_curve(curves: Sequence[EquityCurve]) -> EquityCurve:
    """Return the sum of curves at every time of any; before its first mark each counts as that."""
    time = np.unique(np.concatenate([curve.time for curve in curves]))
    equity = np.zeros(len(time))
    for curve in curves:
        index = np.searchsorted(curve.time, time, side="right") - 1
        equity += curve.equity[np.maximum(index, 0)]
    return EquityCurve(time, equity)


def _trace(line: SummaryLine, colour: str, *, width: float = 3.5) -> Scatter:
    time, percent = _percent_of(line.curve)
    kept = sample_equity(100 + percent, limit=_POINTS)
    return Scatter(
        x=formats.axis_times(time[kept]),
        y=percent[kept].round(4),
        name=line.name,
        mode="lines",
        line={"color": colour, "width": width},
    )


def _percent_of(curve: EquityCurve) -> tuple[IntArray, FloatArray]:
    first = float(curve.equity[0])
    if first <= 0:
        return curve.time, np.zeros(len(curve.time))
    return curve.time, 100 * (curve.equity / first - 1)


def _layout(
    chart: SummaryChart, lines: Sequence[SummaryLine], colours: Sequence[str]
) -> dict[str, Any]:
    bounds = _bounds(lines)
    tags = [
        Tag(line.name, line.change_percent, colour)
        for line, colour in zip(lines, colours, strict=True)
    ]
    texts = [f"{_clipped(tag.name)} {_signed(tag.price)}" for tag in tags]
    right = tags_width(texts)
    height = HEIGHT - HEADER - BOTTOM
    return base_layout(left=_LEFT, right=right) | {
        "xaxis": _time_axis(chart),
        "yaxis": _percent_axis(bounds),
        "annotations": [
            *_header(chart, lines, right),
            *tag_annotations(tags, texts, bounds=bounds, height=height),
        ],
    }


def _bounds(lines: Sequence[SummaryLine]) -> tuple[float, float]:
    changes = [_percent_of(line.curve)[1] for line in lines]
    lowest = min(0.0, *(float(change.min()) for change in changes))
    highest = max(0.0, *(float(change.max()) for change in changes))
    room = max(0.08 * (highest - lowest), 0.01)
    return lowest - room, highest + room


def _percent_axis(bounds: tuple[float, float]) -> dict[str, Any]:
    step = (bounds[1] - bounds[0]) / 5
    decimals = 0 if step >= 1 else 1 if step >= 0.1 else 2
    return {
        "range": list(bounds),
        "nticks": 6,
        "tickformat": f"+.{decimals}f",
        "ticksuffix": "%",
        "tickfont": {"color": theme.MUTED, "size": 22},
        "gridcolor": theme.GRID,
        "zerolinecolor": theme.MUTED,
        "zerolinewidth": 2,
        "ticks": "",
    }


def _time_axis(chart: SummaryChart) -> dict[str, Any]:
    is_short = chart.end - chart.start <= 2 * DAY_MS
    return {
        "type": "date",
        "range": formats.axis_times(np.array([chart.start, chart.end], dtype=np.int64)),
        "nticks": 5,
        "tickformat": "%H:%M" if is_short else "%a %-d",
        "tickfont": {"color": theme.MUTED},
        "ticklabeloverflow": "hide past div",
        "ticklabelstandoff": 6,
        "gridcolor": theme.GRID,
        "ticks": "",
    }


def _header(chart: SummaryChart, lines: Sequence[SummaryLine], right: int) -> list[dict[str, Any]]:
    change = lines[-1].change_percent
    colour = theme.GREEN if change > 0 else theme.RED if change < 0 else theme.MUTED
    title = f"<b>{_signed(change)}</b>"
    period = f"{_moment(chart.start)} – {_moment(chart.end)}"
    texts = [
        left_text(title, y=HEADER / 2, left=_LEFT)
        | {"font": {"size": _TITLE_SIZE, "color": colour}},
        right_text(f"{period} UTC", y=HEADER / 2, right=right),
    ]
    return [*texts, simulated_badge(right=right)] if chart.is_simulated else texts


def _moment(time: int) -> str:
    moment = datetime.fromtimestamp(time / 1000, tz=UTC)
    return f"{moment:%b} {moment.day} {moment:%H:%M}"


def _clipped(name: str) -> str:
    return name if len(name) <= _NAME_CHARACTERS else name[: _NAME_CHARACTERS - 1] + "…"


def _signed(percent: float) -> str:
    sign = "" if abs(percent) < 0.005 else "−" if percent < 0 else "+"
    return f"{sign}{abs(percent):,.2f}%"
