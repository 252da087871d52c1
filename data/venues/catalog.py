"""The exchanges Jesse speaks, by name. Nothing else lives here."""

from collections.abc import Callable
from typing import Final

from data.errors import UnknownExchange
from data.venues.base import Venue
from data.venues.binance import Binance, simulated
from data.venues.bybit import Bybit
from data.venues.hyperliquid import Hyperliquid

EXCHANGES: Final = ("binance", "bybit", "hyperliquid", "simulated")


def find_venue(name: str) -> Venue:
    """Return an exchange by its name.

    Raises:
        UnknownExchange: Jesse doesn't speak it; lists those it does.
    """
    makers: dict[str, Callable[[], Venue]] = {
        "binance": Binance,
        "bybit": Bybit,
        "hyperliquid": Hyperliquid,
        "simulated": simulated,
    }
    if name not in makers:
        known = ", ".join(EXCHANGES)
        raise UnknownExchange(f"unknown exchange {name!r}: set EXCHANGE to one of {known}")
    return makers[name]()
