"""The chart of monthly returns: a table of years and months in colour. A figure, no files."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from plotly.graph_objects import Figure, Heatmap

from bot.charts import theme
from bot.charts.theme import PICTURE, Medium
from engine.candles import FloatArray
from engine.results import BacktestResults

_MONTHS: Final = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)
_TOTAL: Final = "Year"
_ROW_HEIGHT: Final = 54
# Stands where the years and the months meet.
_CORNER: Final = {
    "text": "%",
    "showarrow": False,
    "xref": "paper",
    "yref": "paper",
    "x": 0,
    "xanchor": "right",
    "xshift": -2,
    "y": 1,
    "yanchor": "bottom",
    "font": {"color": theme.MUTED},
}
_SCALE: Final = ((0.0, "#d83a45"), (0.5, "#3a3d44"), (1.0, "#1f9d66"))


@dataclass(frozen=True, slots=True)
class MonthlyReturns:
    """Returns in percent: a row of twelve months for each year, NaN outside of the run."""

    years: tuple[int, ...]
    months: FloatArray
    totals: FloatArray


def monthly_returns(results: BacktestResults) -> MonthlyReturns:
    """Return what each calendar month and year (UTC) of a run earned, in percent of its start."""
    equity = results.equity.equity
    if not len(equity):
        return MonthlyReturns((), np.empty((0, 12)), np.empty(0))
    # A mark at midnight is the close of the day before, so it belongs to the month before.
    month = (results.equity.time - 1).astype("datetime64[ms]").astype("datetime64[M]").astype(int)
    lasts = np.append(np.flatnonzero(np.diff(month)), len(equity) - 1)
    first_year, last_year = month[0] // 12, month[-1] // 12
    grid = np.full((last_year - first_year + 1) * 12, np.nan)
    grid[month[lasts] - first_year * 12] = _changes(equity[lasts], results.initial_balance)
    years = month // 12
    year_lasts = np.append(np.flatnonzero(np.diff(years)), len(equity) - 1)
    totals = np.full(last_year - first_year + 1, np.nan)
    totals[years[year_lasts] - first_year] = _changes(equity[year_lasts], results.initial_balance)
    return MonthlyReturns(
        tuple(range(1970 + first_year, 1971 + last_year)), grid.reshape(-1, 12), totals
    )


def monthly_returns_figure(results: BacktestResults, medium: Medium = PICTURE) -> Figure:
    """Draw the return of each month in its colour, with the year's total beside it."""
    returns = monthly_returns(results)
    figure = Figure(
        [
            _cells(returns.months, _MONTHS, returns.years, medium),
            _cells(returns.totals[:, None], (_TOTAL,), returns.years, medium, xaxis="x2"),
        ]
    )
    figure.update_layout(_layout(results, medium, len(returns.years)))
    return figure


def _changes(values: FloatArray, before: float) -> FloatArray:
    starts = np.concatenate(([before], values[:-1]))
    change = np.divide(values, starts, out=np.full(len(values), np.nan), where=starts > 0)
    return np.asarray(100 * (change - 1))


def _cells(
    values: FloatArray,
    columns: tuple[str, ...],
    years: tuple[int, ...],
    medium: Medium,
    *,
    xaxis: str = "x",
) -> Heatmap:
    limit = _colour_limit(values)
    return Heatmap(
        x=columns,
        y=[str(year) for year in years],
        z=values,
        xaxis=xaxis,
        zmin=-limit,
        zmax=limit,
        colorscale=_SCALE,
        showscale=False,
        xgap=3,
        ygap=3,
        text=[[_cell_text(value) for value in row] for row in values.tolist()],
        texttemplate="%{text}",
        textfont={"size": 14, "weight": 400 if len(columns) > 1 else 700, "color": theme.TEXT},
        hovertemplate="%{x} %{y}: %{z:+.2f}%<extra></extra>" if medium.hover else None,
        hoverongaps=False,
    )


def _colour_limit(values: FloatArray) -> float:
    """Return the return (percent) of full colour: one wild month must not pale all others."""
    known = np.abs(values[np.isfinite(values)])
    return max(1.0, float(np.percentile(known, 90))) if len(known) else 1.0


def _cell_text(value: float) -> str:
    if np.isnan(value):
        return ""
    if abs(value) < 0.05:
        return "0.0"
    digits = 1 if abs(value) < 99.95 else 0
    shown = f"{value:+.{digits}f}" if abs(value) < 10_000 else f"{value / 1000:+,.0f}k"
    return shown.replace("-", "−")


def _layout(results: BacktestResults, medium: Medium, rows: int) -> dict[str, Any]:
    frame = theme.Frame(theme.MARGIN, left=58, top=theme.HEADER + 34, bottom=theme.MARGIN)
    column = {"side": "top", "showgrid": False, "fixedrange": True, "ticks": ""}
    layout = theme.base_layout(results, frame, medium)
    layout["annotations"].append(_CORNER)
    return layout | {
        "height": frame.top + frame.bottom + max(rows, 1) * _ROW_HEIGHT,
        "xaxis": column | {"domain": [0, 0.905]},
        "xaxis2": column | {"domain": [0.92, 1], "tickfont": {"weight": 700}},
        "yaxis": {"type": "category", "autorange": "reversed", "showgrid": False, "ticks": ""},
        "plot_bgcolor": theme.PAPER,
    }
