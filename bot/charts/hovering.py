"""Texts that appear under the pointer on an interactive trades chart."""

from bot.charts import theme
from engine.candles import CandleSeries
from engine.orders import Trade


def candle_texts(candles: CandleSeries, prefix: str) -> list[str]:
    """Return for each candle its open time and prices."""
    columns = (candles.open, candles.high, candles.low, candles.close)
    times = candles.timestamp.tolist()
    return [
        f"{theme.format_moment(time)} UTC · {candles.timeframe}<br>"
        + "<br>".join(
            f"{name} {prefix}{theme.format_number(value)}"
            for name, value in zip(("Open", "High", "Low", "Close"), prices, strict=True)
        )
        for time, *prices in zip(times, *(c.tolist() for c in columns), strict=True)
    ]


def entry_text(trade: Trade, symbol: str) -> str:
    """Return what is known of a trade when it is opened."""
    levels = [
        f"{name} {_price(level, symbol)}"
        for name, level in (("stop", trade.stop_loss), ("target", trade.take_profit))
        if level is not None
    ]
    lines = [
        f"<b>#{trade.id} {trade.side} opened</b>",
        f"{theme.format_moment(trade.entry_time)} UTC",
        f"at {_price(trade.entry_price, symbol)}",
        f"size {_size(trade, symbol)}",
        *([" · ".join(levels)] if levels else []),
    ]
    return "<br>".join(lines)


def exit_text(trade: Trade, symbol: str) -> str:
    """Return how a trade ended: reason, price, profit in USD and percent, fees."""
    reason = str(trade.exit_reason).replace("_", " ")
    assumed = " (both levels reached, stop assumed)" if trade.ambiguous else ""
    return "<br>".join(
        (
            f"<b>#{trade.id} {trade.side} closed: {reason}</b>{assumed}",
            f"{theme.format_moment(trade.exit_time)} UTC",
            f"at {_price(trade.exit_price, symbol)}",
            f"size {_size(trade, symbol)}",
            f"P&amp;L {theme.format_usd(trade.pnl, signed=True)}"
            f" ({theme.format_percent(trade.pnl_percent)})",
            f"fees {theme.format_usd(trade.fees)}",
        )
    )


def _price(price: float, symbol: str) -> str:
    return theme.price_prefix(symbol) + theme.format_number(price)


def _size(trade: Trade, symbol: str) -> str:
    base = symbol.partition("/")[0]
    return f"{trade.size:.6g} {base} ({theme.format_usd(trade.size_usd)})"
