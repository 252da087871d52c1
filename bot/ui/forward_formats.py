"""Prices, sizes and positions as text. Pure functions."""

from decimal import Decimal
from typing import Any, Final

from bot.charts.formats import price_prefix
from bot.ui.formats import number, percent
from bot.ui.limits import NOTHING, Markup, escape

SIDE_SIGNS: Final = {"long": "🟢", "short": "🔴"}


def price(value: float | None, symbol: str) -> Markup:
    """Return a price with as many decimals as its size deserves, `–` where there is none."""
    if value is None:
        return NOTHING
    if abs(value) >= 1000:
        text = number(value)
    elif abs(value) >= 1:
        text = number(value, digits=4)
    else:
        text = Markup(f"{_plain(value):f}")
    return Markup(f"{price_prefix(symbol)}{text}")


def amount(size: float, symbol: str) -> Markup:
    """Return a size with its asset: 0.1523 BTC."""
    base = symbol.partition("/")[0]
    return Markup(f"{_plain(size):,f} {escape(base)}")


def level(value: float | None, reference: float | None, symbol: str) -> Markup:
    """Return a stop or target with its distance from a price in percent."""
    if value is None:
        return NOTHING
    if not reference:
        return price(value, symbol)
    distance = percent(100 * (value / reference - 1), sign="+")
    return Markup(f"{price(value, symbol)} ({distance})")


def side_title(side: Any, symbol: str) -> str:
    """Return a position's name: 🟢 Long BTC/USDT."""
    return f"{SIDE_SIGNS.get(str(side), '')} {str(side).capitalize()} {symbol}".strip()


def reason_text(reason: Any) -> str:
    """Return why a position was closed, in words."""
    words = {"manual": "closed by hand", "end": "end of the run"}
    return words.get(str(reason), str(reason).replace("_", " "))


def _plain(value: float) -> Decimal:
    """Six digits that count, never written with an exponent."""
    return Decimal(f"{value:.6g}")
