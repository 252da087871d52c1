"""What appears under the pointer on an interactive trades chart.

A trade's texts are a template for each trace and short rows of data for each point: thousands of
trades must fit into a file that can be sent.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.charts import formats
from bot.charts.sampling import DisplayCandles
from engine.orders import ExitReason, Side, Trade


@dataclass(frozen=True, slots=True)
class Hover:
    """A template in Plotly's words, and the row of data that fills it for each point."""

    template: str
    rows: list[list[Any]]


def candle_texts(candles: DisplayCandles, prefix: str) -> list[str]:
    """Return for each candle its open time and prices."""
    columns = (candles.open, candles.high, candles.low, candles.close)
    times = candles.timestamp.tolist()
    return [
        f"{formats.format_moment(time)} UTC · {candles.label}<br>"
        + "<br>".join(
            f"{name} {prefix}{formats.format_number(value)}"
            for name, value in zip(("Open", "High", "Low", "Close"), prices, strict=True)
        )
        for time, *prices in zip(times, *(c.tolist() for c in columns), strict=True)
    ]


def entry_hover(trades: Sequence[Trade], side: Side, symbol: str) -> Hover:
    """Return what is known of trades of one side when they are opened: size, stop, target."""
    template = (
        f"<b>#%{{customdata[0]}} {side} opened</b>"
        f"{_fill(symbol)}<br>size {_size(symbol)}%{{customdata[3]}}<extra></extra>"
    )
    return Hover(
        template, [[t.id, t.size, round(t.size_usd, 2), _levels(t, symbol)] for t in trades]
    )


def exit_hover(trades: Sequence[Trade], reason: ExitReason, symbol: str) -> Hover:
    """Return how trades with one reason ended: price, size, profit in USD and percent, fees."""
    template = (
        f"<b>#%{{customdata[0]}} %{{customdata[3]}} closed: {str(reason).replace('_', ' ')}</b>"
        f"{_fill(symbol)}<br>size {_size(symbol)}"
        "<br>P&L %{customdata[4]} (%{customdata[5]})<br>fees $%{customdata[6]:,.2f}"
        "%{customdata[7]}<extra></extra>"
    )
    return Hover(template, [_exit_row(trade) for trade in trades])


def _exit_row(trade: Trade) -> list[Any]:
    return [
        trade.id,
        trade.size,
        round(trade.size_usd, 2),
        str(trade.side),
        formats.format_usd(trade.pnl, signed=True),
        f"{trade.pnl_percent:+,.2f}%".replace("-", "−"),
        round(trade.fees, 4),
        "<br>both levels reached, stop assumed" if trade.ambiguous else "",
    ]


def _fill(symbol: str) -> str:
    # Seven significant digits serve any price, from bitcoin's to the smallest coin's.
    prefix = formats.price_prefix(symbol)
    return f"<br>%{{x|%Y-%m-%d %H:%M}} UTC<br>at {prefix}%{{y:,.7~r}}"


def _size(symbol: str) -> str:
    base = html.escape(symbol.partition("/")[0])
    return f"%{{customdata[1]:,.6~r}} {base} ($%{{customdata[2]:,.2f}})"


def _levels(trade: Trade, symbol: str) -> str:
    prefix = formats.price_prefix(symbol)
    named = (("stop", trade.stop_loss), ("target", trade.take_profit))
    return "".join(
        f"<br>{name} {prefix}{formats.format_number(level)}"
        for name, level in named
        if level is not None
    )
