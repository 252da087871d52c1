"""The equity chart: equity beside buy-and-hold, drawdown below. A figure, no files."""

from typing import Any, Final

import numpy as np
from plotly.graph_objects import Figure, Scatter

from bot.charts import theme
from bot.charts.sampling import drawdown_pct, extremes, sample_equity
from bot.charts.theme import PICTURE, Medium
from engine.candles import CandleSeries, FloatArray
from engine.results import BacktestResults

_GREY: Final = "#8f97a3"
_GAP: Final = 0.03
_DRAWDOWN_SHARE: Final = 0.3


def equity_figure(results: BacktestResults, medium: Medium = PICTURE) -> Figure:
    """Draw equity in USD beside buy-and-hold, and the drawdown in percent below."""
    equity = results.equity.equity
    kept = sample_equity(equity, limit=medium.equity_points)
    times = theme.axis_times(results.equity.time[kept])
    fallen = drawdown_pct(equity)[kept]
    figure = Figure(
        [
            _hold_trace(results, medium),
            _equity_trace(times, equity[kept], medium),
            _drawdown_trace(times, fallen, medium),
        ]
    )
    figure.update_layout(_layout(results, [trace.name for trace in figure.data]))
    _mark_start(figure, results.initial_balance)
    _mark_deepest(figure, times, fallen)
    return figure


def buy_and_hold(candles: CandleSeries, initial_balance: float) -> FloatArray:
    """Return what the balance would be worth in USD at each close, bought at the first open."""
    if not len(candles):
        return np.empty(0)
    return np.asarray(initial_balance * candles.close / candles.open[0])


def _equity_trace(times: list[str], equity: FloatArray, medium: Medium) -> Scatter:
    return _line(times, equity, medium, name="Equity", look=(theme.BLUE, 2.6), rank=1)


def _hold_trace(results: BacktestResults, medium: Medium) -> Scatter:
    held = buy_and_hold(results.price, results.initial_balance)
    kept = extremes(held, limit=medium.equity_points // 2)
    times = theme.axis_times(results.price.close_time[kept])
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
    last = f" {theme.format_usd(values[-1])}" if len(values) else ""
    return Scatter(
        x=times,
        y=values.round(2),
        name=name + last,
        mode="lines" if len(values) > 1 else "markers",
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


def _layout(results: BacktestResults, names: list[str]) -> dict[str, Any]:
    equity = results.equity.equity
    highest = max(equity.max(initial=results.initial_balance), results.initial_balance)
    right = theme.axis_margin([f"${highest:,.0f}", "−100%"])
    rows = theme.legend_rows(names, theme.WIDTH - right)
    split = _DRAWDOWN_SHARE - _GAP
    frame = theme.Frame(right, top=theme.HEADER + rows * theme.LEGEND_ROW)
    return theme.base_layout(results, frame) | {
        "xaxis": theme.time_axis(*_period(results)) | {"anchor": "y2"},
        "yaxis": theme.money_axis(0, highest) | {"domain": [_DRAWDOWN_SHARE, 1]},
        "yaxis2": theme.value_axis()
        | {"domain": [0, split], "ticksuffix": "%", "nticks": 4, "rangemode": "tozero"},
        "hovermode": "x unified",
    }


def _period(results: BacktestResults) -> tuple[int, int]:
    time = results.equity.time
    return (int(time[0]), int(time[-1])) if len(time) else (results.start, results.end)


def _mark_start(figure: Figure, initial_balance: float) -> None:
    figure.add_hline(
        y=initial_balance, yref="y", line={"color": theme.MUTED, "width": 1, "dash": "dot"}
    )


def _mark_deepest(figure: Figure, times: list[str], fallen: FloatArray) -> None:
    if not len(fallen) or fallen.min() == 0:
        return
    deepest = int(fallen.argmin())
    figure.add_scatter(
        x=[times[deepest]],
        y=[fallen[deepest]],
        yaxis="y2",
        mode="markers",
        marker={"color": theme.TEXT, "size": 8, "line": {"color": theme.RED, "width": 2}},
        showlegend=False,
        hoverinfo="skip",
    )
