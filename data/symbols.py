"""Symbols as people type them, and the nearest listed ones. No network."""

import difflib
import re
from collections.abc import Iterable
from typing import Final

from data.errors import UnknownSymbol

# Quotes by which a symbol without a mark is cut, the longer before its own ending.
_STABLE_QUOTES: Final = ("FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USD", "EUR", "TRY", "BRL")
_COIN_QUOTES: Final = ("BTC", "ETH", "BNB")
_SHORTEST_BASE_OF_COIN_QUOTE: Final = 3  # ETHBTC is a pair, WBTC and CBBTC are coins
_PERPETUAL_ENDINGS: Final = (".P", "-PERP", "_PERP", "PERP")
_WHOLE: Final = re.compile(r"[A-Z0-9]+/[A-Z0-9]+(:[A-Z0-9]+)?")
_MARKS: Final = re.compile(r"[-_ ]")


def normalize_symbol(text: str, exchange: str = "binance") -> str:
    """Return a symbol in the unified spelling: btcusdt, BTC-USDT and btc all give BTC/USDT.

    BTC/USDT:USDT (a perpetual settled in USDT) is kept; BTCUSDT.P and BTC-PERP give it, too. On
    Hyperliquid a bare coin is its perpetual in USDC.

    Raises:
        UnknownSymbol: the text can't be a symbol.
    """
    symbol = text.strip().upper()
    ending = next((end for end in _PERPETUAL_ENDINGS if _is_perpetual(symbol, end)), None)
    pair = _pair_of(symbol.removesuffix(ending or ""), exchange)
    if not _WHOLE.fullmatch(pair):
        raise UnknownSymbol(f"{text!r} is no symbol: use a form like BTC/USDT or BTC/USDT:USDT")
    if ending and ":" not in pair:
        pair = f"{pair}:{pair.split('/')[1]}"
    return pair


def nearest_symbols(symbol: str, listed: Iterable[str], count: int = 5) -> list[str]:
    """Return the listed symbols that resemble one that isn't listed, the nearest first."""
    names = sorted(set(listed))
    base = symbol.split("/")[0]
    same_base = [name for name in names if name.split("/")[0] == base]
    ranked = difflib.get_close_matches(symbol, same_base, count, cutoff=0.0)
    ranked += difflib.get_close_matches(symbol, names, count, cutoff=0.6)
    return list(dict.fromkeys(ranked))[:count]


def _is_perpetual(symbol: str, ending: str) -> bool:
    # PERP itself is a coin: only behind a whole pair, or behind a mark, is it an ending.
    rest = symbol.removesuffix(ending)
    if rest == symbol or not rest:
        return False
    return ending != "PERP" or any(rest.endswith(quote) for quote in _STABLE_QUOTES)


def _pair_of(symbol: str, exchange: str) -> str:
    if "/" in symbol:
        return symbol
    marked = _MARKS.sub("/", symbol)
    if "/" in marked:
        return marked
    return _cut(symbol) or _with_quote(symbol, exchange)


def _cut(symbol: str) -> str | None:
    for quote in (*_STABLE_QUOTES, *_COIN_QUOTES):
        base = symbol.removesuffix(quote)
        shortest = _SHORTEST_BASE_OF_COIN_QUOTE if quote in _COIN_QUOTES else 1
        if base != symbol and len(base) >= shortest:
            return f"{base}/{quote}"
    return None


def _with_quote(coin: str, exchange: str) -> str:
    return f"{coin}/USDC:USDC" if exchange == "hyperliquid" else f"{coin}/USDT"
