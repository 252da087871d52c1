"""The text of Binance's answers: decimals, klines and the list of contracts.

Numbers come in whole units, so that the text is exact. No requests, no clock.
"""

import json
from typing import Any

from data.simulator.number_text import NumberColumn, rows_json
from data.simulator.path import CandleUnits
from data.simulator.symbols import SymbolSpec


def decimal_text(units: int, decimals: int) -> str:
    """Return whole units of 10^-decimals as a decimal number."""
    if decimals == 0:
        return str(units)
    whole, fraction = divmod(units, 10**decimals)
    return f"{whole}.{fraction:0{decimals}d}"


def compact_json(value: Any) -> str:
    """Return JSON without blanks."""
    return json.dumps(value, separators=(",", ":"))


def klines_json(candles: CandleUnits, spec: SymbolSpec, length_ms: int) -> str:
    """Return candles as Binance's array of 12 raw fields each."""
    price, quantity, quote = spec.price_decimals, spec.quantity_decimals, spec.quote_decimals
    columns = (
        NumberColumn(candles["timestamp"], is_quoted=False),
        NumberColumn(candles["open"], price),
        NumberColumn(candles["high"], price),
        NumberColumn(candles["low"], price),
        NumberColumn(candles["close"], price),
        NumberColumn(candles["volume"], quantity),
        NumberColumn(candles["timestamp"] + length_ms - 1, is_quoted=False),
        NumberColumn(candles["quote_volume"], quote),
        NumberColumn(candles["trades"], is_quoted=False),
        NumberColumn(candles["taker_buy_base"], quantity),
        NumberColumn(candles["taker_buy_quote"], quote),
    )
    return rows_json(columns, last='"0"')


def exchange_info(
    specs: tuple[SymbolSpec, ...], *, server_time_ms: int, listed_at: int
) -> dict[str, Any]:
    """Return the body of /fapi/v1/exchangeInfo."""
    return {
        "timezone": "UTC",
        "serverTime": server_time_ms,
        "futuresType": "U_MARGINED",
        "simulated": True,
        "rateLimits": [
            {
                "rateLimitType": "REQUEST_WEIGHT",
                "interval": "MINUTE",
                "intervalNum": 1,
                "limit": 2400,
            }
        ],
        "exchangeFilters": [],
        "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-10000"}],
        "symbols": [_contract(spec, listed_at) for spec in specs],
    }


def _contract(spec: SymbolSpec, listed_at: int) -> dict[str, Any]:
    return {
        "symbol": spec.symbol,
        "pair": spec.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": 4_133_404_800_000,
        "onboardDate": listed_at,
        "status": "TRADING",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": spec.base_asset,
        "quoteAsset": "USDT",
        "marginAsset": "USDT",
        "pricePrecision": spec.price_decimals,
        "quantityPrecision": spec.quantity_decimals,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "settlePlan": 0,
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "filters": _filters(spec),
        "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }


def _filters(spec: SymbolSpec) -> list[dict[str, Any]]:
    tick = decimal_text(spec.tick_units, spec.price_decimals)
    step = decimal_text(1, spec.quantity_decimals)
    return [
        {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "4529764", "tickSize": tick},
        {"filterType": "LOT_SIZE", "minQty": step, "maxQty": "10000000", "stepSize": step},
        {"filterType": "MARKET_LOT_SIZE", "minQty": step, "maxQty": "100000", "stepSize": step},
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 10},
        {"filterType": "MIN_NOTIONAL", "notional": "5"},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": "1.0500",
            "multiplierDown": "0.9500",
            "multiplierDecimal": "4",
        },
    ]
