"""The exchanges whose streams Jesse speaks, by name. Nothing else lives here."""

from collections.abc import Callable
from typing import Final

from data.errors import UnknownExchange
from data.venues.base_stream import StreamVenue
from data.venues.binance_stream import BinanceStream, simulated_stream
from data.venues.bybit_stream import BybitStream
from data.venues.hyperliquid_stream import HyperliquidStream

STREAMING_EXCHANGES: Final = ("binance", "bybit", "hyperliquid", "simulated")


def find_stream_venue(name: str) -> StreamVenue:
    """Return an exchange's streams by its name.

    Raises:
        UnknownExchange: Jesse doesn't speak it; lists those it does.
    """
    makers: dict[str, Callable[[], StreamVenue]] = {
        "binance": BinanceStream,
        "bybit": BybitStream,
        "hyperliquid": HyperliquidStream,
        "simulated": simulated_stream,
    }
    if name not in makers:
        known = ", ".join(STREAMING_EXCHANGES)
        raise UnknownExchange(f"unknown exchange {name!r}: set EXCHANGE to one of {known}")
    return makers[name]()
