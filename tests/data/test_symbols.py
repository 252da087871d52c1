"""Symbols as people type them."""

import pytest

from data.errors import UnknownSymbol
from data.symbols import nearest_symbols, normalize_symbol


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("BTC/USDT", "BTC/USDT"),
        ("btcusdt", "BTC/USDT"),
        (" BTC-USDT ", "BTC/USDT"),
        ("btc_usdt", "BTC/USDT"),
        ("btc usdt", "BTC/USDT"),
        ("BTC", "BTC/USDT"),
        ("btc/usdt:usdt", "BTC/USDT:USDT"),
        ("BTCUSDT.P", "BTC/USDT:USDT"),
        ("BTCUSDTPERP", "BTC/USDT:USDT"),
        ("BTC-PERP", "BTC/USDT:USDT"),
        ("BTC/USDT:USDT.P", "BTC/USDT:USDT"),
        ("ETHBTC", "ETH/BTC"),
        ("1000PEPEUSDT", "1000PEPE/USDT"),
        ("WBTC", "WBTC/USDT"),
        ("CBBTC", "CBBTC/USDT"),
        ("STETH", "STETH/USDT"),
        ("PERP", "PERP/USDT"),
        ("PERPUSDT", "PERP/USDT"),
        ("BTCFDUSD", "BTC/FDUSD"),
        ("BTCUSD", "BTC/USD"),
        ("USDT", "USDT/USDT"),
        ("USDCUSDT", "USDC/USDT"),
    ],
)
def test_spellings_become_the_unified_one(text, symbol):
    assert normalize_symbol(text) == symbol


def test_the_unified_spelling_stays_as_it_is():
    for symbol in ("BTC/USDT", "BTC/USDT:USDT", "ETH/BTC", "PERP/USDT", "BTC/USDC:USDC"):
        assert normalize_symbol(symbol) == symbol


@pytest.mark.parametrize("text", ["BTC", "btc-perp", "BTC/USDC:USDC"])
def test_a_coin_on_hyperliquid_is_its_perpetual(text):
    assert normalize_symbol(text, "hyperliquid") == "BTC/USDC:USDC"


@pytest.mark.parametrize("text", ["", "  ", "/", "BTC/", "/USDT", "BTC/USDT/X", "BTC$", "../x"])
def test_what_can_be_no_symbol_is_refused(text):
    with pytest.raises(UnknownSymbol, match="is no symbol: use a form like BTC/USDT"):
        normalize_symbol(text)


def test_the_nearest_symbols_have_the_same_coin_first():
    listed = ["BTC/USDT", "BTC/USDC", "BTT/USDT", "ETH/USDT", "BTC/USDT:USDT", "XRP/EUR"]

    near = nearest_symbols("BTC/USD", listed)

    assert near[:2] == ["BTC/USDT", "BTC/USDC"]
    assert "BTT/USDT" in near
    assert "XRP/EUR" not in near
    assert nearest_symbols("QQQQQQ/ZZZ", ["AB/CD"]) == []
