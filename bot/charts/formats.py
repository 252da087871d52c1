"""Numbers, amounts, times and periods as text for charts. No colours, no layout."""

from datetime import UTC, datetime
from typing import Final

import numpy as np

from engine.candles import IntArray
from engine.timeframe import DAY_MS, MINUTE_MS

_USD_QUOTES: Final = ("USD", "DAI")


def format_percent(value: float | None) -> str:
    """Return a signed percentage such as +1,234.5%; a dash where there is none."""
    if value is None:
        return "–"
    sign = "" if abs(value) < 0.05 else "+" if value > 0 else "−"
    return f"{sign}{abs(value):,.1f}%"


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
