"""The equity chart: equity beside buy-and-hold, drawdown below. A figure, no files."""

from typing import Any, Final

import numpy as np
from plotly.graph_objects import Figure, Scatter

from bot.charts import formats, theme
from bot.charts.sampling import drawdown_pct, extremes, sample_equity
from bot.charts.theme import PICTURE, Medium
from engine.candles import FloatArray, IntArray
from engine.results import BacktestResults

_GREY: Final = "#8f97a3"
_GAP: Final = 0.05
_DRAWDOWN_SHARE: Final = 0.3


def equity_figure(results: BacktestResults, medium: Medium = PICTURE) -> Figure:
    """Draw equity in USD beside buy-and-hold, and the drawdown in percent below."""
    time, equity = _with_start(results, results.equity.time, results.equity.equity)
    held_time, held = _with_start(results, results.price.close_time, buy_and_hold(results))
    kept = sample_equity(equity, limit=medium.equity_points)
    times = formats.axis_times(time[kept])
    fallen = drawdown_pct(equity)[kept]
    traces = [
        _hold_trace(held_time, held, medium),
        _line(times, equity[kept], medium, name="Equity", look=(theme.BLUE, 2.6), rank=1),
        _drawdown_trace(times, fallen, medium),
        *_deepest_trace(times, fallen),
    ]
    names = [trace.name for trace in traces if trace.showlegend is not False]
    bounds = float(min(equity.min(), held.min())), float(max(equity.max(), held.max()))
    figure = Figure(traces)
    figure.update_layout(_layout(results, medium, names, bounds, float(fallen.min())))
    return figure


def buy_and_hold(results: BacktestResults) -> FloatArray:
    """Return what the balance held in the traded asset is worth in USD at each drawn close.

    It ends at the return that the metrics name, which is reckoned from the first base close.
    """
    closes = results.price.close
    if not len(closes):
        return np.empty(0)
    held_pct = results.metrics.buy_and_hold_pct
    if held_pct is None:
        return np.asarray(results.initial_balance * closes / closes[0])
    return np.asarray(results.initial_balance * (1 + held_pct / 100) * closes / closes[-1])


def _with_start(
    results: BacktestResults, time: IntArray, values: FloatArray
) -> tuple[IntArray, FloatArray]:
    """Return a curve that begins with the initial balance, which is the first peak as well."""
    return (
        np.concatenate(([results.start], time)),
        np.concatenate(([results.initial_balance], values)),
    )


def _hold_trace(time: IntArray, held: FloatArray, medium: Medium) -> Scatter:
    kept = extremes(held, limit=medium.equity_points // 2)
    times = formats.axis_times(time[kept])
    return _line(times, held[kept], medium, name="Buy and hold", look=(_GREY, 1.6), rank=2)


def _line(
    times: list[str],
    values: FloatArray,
    medium: Medium,
    *,
    name: str,
    look: tuple[str, float],
    rank: int,
) -> Scatter:
    colour, width = look
    return Scatter(
        x=times,
        y=values.round(2),
        name=f"{name} {formats.format_usd(values[-1])}",
        mode="lines",
        line={"color": colour, "width": width},
        legendrank=rank,
        hovertemplate=f"{name} $%{{y:,.2f}}<extra></extra>" if medium.hover else None,
    )


def _drawdown_trace(times: list[str], fallen: FloatArray, medium: Medium) -> Scatter:
    return Scatter(
        x=times,
        y=fallen.round(3),
        name="Drawdown",
        yaxis="y2",
        legendrank=3,
        mode="lines",
        line={"color": theme.RED, "width": 1.6},
        fill="tozeroy",
        fillcolor="rgba(255,92,102,0.28)",
        hovertemplate="Drawdown %{y:.2f}%<extra></extra>" if medium.hover else None,
    )


def _deepest_trace(times: list[str], fallen: FloatArray) -> list[Scatter]:
    if not fallen.any():
        return []
    deepest = int(fallen.argmin())
    return [
        Scatter(
            x=[times[deepest]],
            y=[fallen[deepest]],
            yaxis="y2",
            mode="markers",
            marker={"color": theme.TEXT, "size": 8, "line": {"color": theme.RED, "width": 2}},
            showlegend=False,
            hoverinfo="skip",
        )
    ]


def _layout(
    results: BacktestResults,
    medium: Medium,
    names: list[str],
    bounds: tuple[float, float],
    deepest: float,
) -> dict[str, Any]:
    right = theme.axis_margin([theme.widest_label(*bounds, prefix="$"), "−100%"])
    legend = theme.legend(names, theme.WIDTH - right)
    frame = theme.Frame(right, top=theme.HEADER + theme.legend_height(legend, names))
    lower = {"domain": [0, _DRAWDOWN_SHARE - _GAP], "ticksuffix": "%", "nticks": 4}
    return theme.base_layout(results, frame, medium) | {
        "legend": legend,
        "xaxis": theme.time_axis(results.start, results.end) | {"anchor": "y2"},
        "yaxis": theme.money_axis(*bounds) | {"domain": [_DRAWDOWN_SHARE, 1]},
        "yaxis2": theme.value_axis() | lower | {"range": [min(1.1 * deepest, -1.0), 0]},
        "hovermode": "x unified",
        "hoversubplots": "axis",
        "shapes": [_start_line(results.initial_balance)],
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
