"""Numbers, times and sizes as a channel shows them. Pure functions; times are in ms UTC."""

from typing import Final, Literal

from bot.ui.limits import NOTHING, Markup
from engine.summary import format_duration

Sign = Literal["", "+"]
TimeStyle = Literal["D", "d", "f", "F", "R", "t", "T"]

_BAR_CELLS: Final = 16
_BYTE_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")


def number(value: float | None, *, digits: int = 2, sign: Sign = "") -> Markup:
    """Return a number with thousands separators, `–` where it doesn't exist.

    What rounds to zero has no sign: +0.00 would tell of a gain where there was a tiny loss.
    """
    if value is None:
        return NOTHING
    if round(value, digits) == 0:
        sign = ""
    text = f"{value:{sign}z,.{digits}f}" if abs(value) < 1e12 else f"{value:{sign}.4g}"
    return Markup(text.replace("-", "−"))


def percent(value: float | None, *, digits: int = 2, sign: Sign = "") -> Markup:
    """Return a percentage, `–` where it doesn't exist."""
    return NOTHING if value is None else Markup(f"{number(value, digits=digits, sign=sign)} %")


def dollars(value: float | None, *, sign: Sign = "") -> Markup:
    """Return an amount in USD, `–` where it doesn't exist."""
    if value is None:
        return NOTHING
    text = number(abs(value))
    is_zero = text == number(0.0)
    mark = "" if is_zero else ("−" if value < 0 else sign)
    return Markup(f"{mark}${text}")


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """Return a count with its noun: 1 trade, 2 trades."""
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def moment(time_ms: int, style: TimeStyle = "f") -> Markup:
    """Return a moment that Discord shows in the reader's own zone."""
    return Markup(f"<t:{time_ms // 1000}:{style}>")


def period(start: int, end: int) -> Markup:
    """Return a period in the reader's zone, with its length."""
    length = format_duration(end - start)
    return Markup(f"{moment(start, 'D')} to {moment(end, 'D')} ({length})")


def seconds(value: float) -> str:
    """Return a duration in seconds in its two largest units."""
    return f"{value:.1f} s" if value < 10 else format_duration(value * 1000)


def size(count: float) -> str:
    """Return a number of bytes in the unit that reads best."""
    for unit in _BYTE_UNITS[:-1]:
        if count < 1024:
            return f"{count:,.0f} {unit}" if unit == "B" else f"{count:,.1f} {unit}"
        count /= 1024
    return f"{count:,.1f} {_BYTE_UNITS[-1]}"


def bar(fraction: float) -> Markup:
    """Return a progress bar with its percentage."""
    share = min(1.0, max(0.0, fraction))
    full = round(share * _BAR_CELLS)
    return Markup(f"{'▰' * full}{'▱' * (_BAR_CELLS - full)} {100 * share:.0f} %")
