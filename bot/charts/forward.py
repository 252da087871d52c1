"""The equity of a forward test beside the backtest of its period. A figure, no files."""

import html
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from plotly.graph_objects import Figure, Scatter

from bot.charts import formats, theme
from bot.charts.sampling import sample_equity
from bot.charts.theme import PICTURE, Medium
from engine.candles import FloatArray, IntArray
from engine.results import EquityCurve

_BACKTEST: Final = "#f0b232"
_TITLE_CHARACTERS: Final = 44
# Less than this is shown as 0.0%.
_SHOWN_PERCENT: Final = 0.05


@dataclass(frozen=True, slots=True)
class ForwardChart:
    """What is drawn: a test's name and market, where it began, and its curve; ms and USD."""

    name: str
    market: str
    start: int
    initial_balance: float
    live: EquityCurve
    backtest: EquityCurve | None
    is_simulated: bool = False


def forward_equity_figure(chart: ForwardChart, medium: Medium = PICTURE) -> Figure:
    """Draw equity in USD; the backtest is a thin line on top, so that any difference shows."""
    live_time, live = _with_start(chart, chart.live)
    traces = [_line(live_time, live, medium, name="Forward test", look=(theme.BLUE, 4.0))]
    curves = [live]
    if chart.backtest is not None:
        time, values = _with_start(chart, chart.backtest)
        look = (_BACKTEST, 1.3)
        traces.append(_line(time, values, medium, name="Backtest", look=look))
        curves.append(values)
    bounds = float(min(c.min() for c in curves)), float(max(c.max() for c in curves))
    figure = Figure(traces)
    figure.update_layout(_layout(chart, [trace.name for trace in traces], bounds))
    return figure


def _with_start(chart: ForwardChart, curve: EquityCurve) -> tuple[IntArray, FloatArray]:
    return (
        np.concatenate(([chart.start], curve.time)),
        np.concatenate(([chart.initial_balance], curve.equity)),
    )


def _line(
    time: IntArray,
    values: FloatArray,
    medium: Medium,
    *,
    name: str,
    look: tuple[str, float],
) -> Scatter:
    kept = sample_equity(values, limit=medium.equity_points)
    colour, width = look
    return Scatter(
        x=formats.axis_times(time[kept]),
        y=values[kept].round(2),
        name=f"{name} {formats.format_usd(values[-1])}",
        mode="lines",
        line={"color": colour, "width": width},
    )


def _layout(chart: ForwardChart, names: list[str], bounds: tuple[float, float]) -> dict[str, Any]:
    right = theme.axis_margin([theme.widest_label(*bounds, prefix="$")])
    legend = theme.legend(names, theme.WIDTH - right)
    top = theme.HEADER + theme.legend_height(legend, names)
    end = int(chart.live.time[-1]) if len(chart.live.time) else chart.start
    frame = theme.Frame(right, top=top)
    return {
        "template": "none",
        "height": theme.HEIGHT,
        "paper_bgcolor": theme.PAPER,
        "plot_bgcolor": theme.PLOT,
        "font": {"family": theme.FONT, "size": theme.FONT_SIZE, "color": theme.TEXT},
        "margin": {
            "l": frame.left,
            "r": frame.right,
            "t": frame.top,
            "b": frame.bottom,
            "autoexpand": False,
        },
        "legend": legend,
        "showlegend": True,
        "xaxis": theme.time_axis(chart.start, max(end, chart.start + 1)),
        "yaxis": theme.money_axis(*bounds),
        "annotations": _header(chart, frame, end),
        "shapes": [_start_line(chart.initial_balance)],
    }


def _header(chart: ForwardChart, frame: theme.Frame, end: int) -> list[dict[str, Any]]:
    title = f"{chart.name} · {chart.market}"
    if len(title) > _TITLE_CHARACTERS:
        title = title[: _TITLE_CHARACTERS - 1] + "…"
    last = chart.live.equity[-1] if len(chart.live.equity) else chart.initial_balance
    gain = 100 * (float(last) / chart.initial_balance - 1)
    colour = theme.MUTED if abs(gain) < _SHOWN_PERCENT else theme.GREEN if gain > 0 else theme.RED
    change = f"<span style='color:{colour}'><b>{formats.format_percent(gain)}</b></span>"
    texts = [
        _text(f"<b>{html.escape(title)}</b>", frame, y=24)
        | {"font": {"size": 20, "color": theme.TEXT}},
        _text(f"{change}  ·  forward test", frame, y=52),
        _text(formats.format_period(chart.start, end), frame, y=52, at_right=True),
    ]
    if chart.is_simulated:
        badge = {"bgcolor": theme.AMBER, "borderpad": 4, "font": {"color": "#1e1f22"}}
        texts.append(_text("simulated prices", frame, y=24, at_right=True) | badge)
    return texts


def _text(text: str, frame: theme.Frame, *, y: int, at_right: bool = False) -> dict[str, Any]:
    return {
        "text": text,
        "showarrow": False,
        "xref": "paper",
        "yref": "paper",
        "x": 1 if at_right else 0,
        "xanchor": "right" if at_right else "left",
        "xshift": frame.right - theme.MARGIN if at_right else theme.MARGIN - frame.left,
        "y": 1,
        "yanchor": "middle",
        "yshift": frame.top - y,
        "font": {"color": theme.MUTED},
    }


def _start_line(initial_balance: float) -> dict[str, Any]:
    return {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": initial_balance,
        "y1": initial_balance,
        "layer": "below",
        "line": {"color": theme.MUTED, "width": 1, "dash": "dot"},
    }
