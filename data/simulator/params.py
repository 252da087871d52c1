"""Reading the parameters of a request, with Binance's errors for wrong ones.

No answers are made here.
"""

from collections.abc import Mapping

from data.simulator.errors import ApiError, UnknownIntervalError, UnknownSymbolError
from data.simulator.intervals import interval_ms
from data.simulator.market import SimulatedMarket
from data.simulator.symbols import SymbolSpec


def read_symbol(query: Mapping[str, str], market: SimulatedMarket) -> SymbolSpec:
    """Return the contract named by `symbol`, which must be given."""
    try:
        return market.spec(_mandatory(query, "symbol"))
    except UnknownSymbolError as error:
        raise ApiError(-1121, "Invalid symbol.") from error


def read_interval(query: Mapping[str, str], name: str = "interval") -> str:
    """Return the candle length, which must be given."""
    interval = _mandatory(query, name)
    try:
        interval_ms(interval)
    except UnknownIntervalError as error:
        raise ApiError(-1120, "Invalid interval.") from error
    return interval


def read_limit(query: Mapping[str, str], *, default: int, most: int) -> int:
    """Return how many rows are wanted."""
    limit = _read_integer(query, "limit")
    if limit is None:
        return default
    if not 1 <= limit <= most:
        raise ApiError(-1130, "Data sent for parameter 'limit' is not valid.")
    return limit


def read_range(query: Mapping[str, str]) -> tuple[int | None, int | None]:
    """Return startTime and endTime in ms, where given."""
    start, end = _read_integer(query, "startTime"), _read_integer(query, "endTime")
    if start is not None and end is not None and start > end:
        raise ApiError(-1023, "Start time is greater than end time.")
    return start, end


def _mandatory(query: Mapping[str, str], name: str) -> str:
    if not query.get(name):
        message = f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
        raise ApiError(-1102, message)
    return query[name]


def _read_integer(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 20):
        message = (
            f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'."
        )
        raise ApiError(-1100, message)
    return int(text)
