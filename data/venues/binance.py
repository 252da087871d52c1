"""Binance: requests and parsing of spot and USD-M perpetuals. No sockets, no state.

Sources: binance-spot-api-docs/rest-api.md; USD-M "Kline/Candlestick Data", "Open Interest",
"Open Interest Statistics", "Get Funding Rate History". The simulated exchange speaks USD-M's
protocol.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from data.venues.base import (
    HOUR_MS,
    CandleColumns,
    FlowHistory,
    Instrument,
    MarketKind,
    RestCall,
    TimedValue,
    TimedValues,
    VenueFacts,
    WeightLimit,
    columns_of_rows,
    values_of_records,
)
from engine.timeframe import DAY_MS, TIMEFRAMES

_TAKER_BUY_BASE: Final = 9
_SPOT_ROWS: Final = 1000
_SPOT_WEIGHT: Final = 2
_PERPETUAL_ROWS: Final = 1500
_PERPETUAL_WEIGHTS: Final = ((100, 1), (500, 2), (1001, 5))  # (limit below, weight)
# 499 candles for weight 2 are the most candles per weight: 250, against 200 and 150 above.
_PERPETUAL_ROWS_LIMITED: Final = 499

_INTERVALS: Final = MappingProxyType({timeframe: timeframe for timeframe in TIMEFRAMES})
_FACTS: Final = VenueFacts(
    name="binance",
    ccxt_class="binance",
    needs_credentials=True,
    has_taker_volume=True,
    intervals=_INTERVALS,
    market_types=MappingProxyType({MarketKind.SPOT: "spot", MarketKind.PERPETUAL: "linear"}),
    limits=MappingProxyType(
        {
            "spot": WeightLimit(6000, 60),
            "perpetual": WeightLimit(2400, 60),
            "flow": WeightLimit(1000, 300),
            "funding": WeightLimit(500, 300),
        }
    ),
    rows_at=(),
)
_SIMULATED_FACTS: Final = VenueFacts(
    name="simulated",
    ccxt_class="binanceusdm",
    needs_credentials=False,
    has_taker_volume=True,
    intervals=_INTERVALS,
    market_types=MappingProxyType({MarketKind.PERPETUAL: "linear"}),
    limits=_FACTS.limits,
    clock_valid_s=0.0,  # its market time may run at any speed
    is_rate_limited=False,  # on loopback; where it does refuse, it says for how long
    bare_symbol_is_perpetual=True,
    rows_at=(),
)


@dataclass(frozen=True, slots=True)
class Binance:
    """Binance's public REST."""

    facts: VenueFacts = field(default=_FACTS)

    def id_of(self, market: Mapping[str, Any]) -> str:
        """Return the exchange's own id in a market as ccxt lists it."""
        return str(market["id"])

    def page_size(self, instrument: Instrument, *, is_limited: bool) -> int:
        """Return how many candles to ask for at once, for the most candles per second."""
        if instrument.kind is MarketKind.SPOT:
            return _SPOT_ROWS
        return _PERPETUAL_ROWS_LIMITED if is_limited else _PERPETUAL_ROWS

    def candles_call(
        self, instrument: Instrument, timeframe: str, start: int, end: int, *, limit: int
    ) -> RestCall:
        """Return the request for the candles that open at start..end, at most `limit`."""
        parameters = {
            "symbol": instrument.id,
            "interval": self.facts.intervals[timeframe],
            "startTime": start,
            "endTime": end - 1,
            "limit": limit,
        }
        if instrument.kind is MarketKind.SPOT:
            return RestCall("publicGetKlines", parameters, _SPOT_WEIGHT, "spot")
        weight = next((weight for below, weight in _PERPETUAL_WEIGHTS if limit < below), 10)
        return RestCall("fapiPublicGetKlines", parameters, weight, "perpetual")

    def parse_candles(self, answer: Any) -> CandleColumns:
        """Read an answer to `candles_call`, the forming candle included."""
        return columns_of_rows(answer, taker_buy_field=_TAKER_BUY_BASE)

    def open_interest_history(self, instrument: Instrument) -> FlowHistory | None:
        """Return how open interest is paged; None where there is no history."""
        if instrument.kind is MarketKind.SPOT:
            return None
        # "Only the data of the latest 1 month": an hour less, so that no page is refused.
        return FlowHistory(500, 5 * 60_000, reaches_back_ms=30 * DAY_MS - HOUR_MS)

    def open_interest_call(self, instrument: Instrument, start: int, end: int) -> RestCall:
        """Return the request for the open interest at start..end, one page."""
        parameters = {
            "symbol": instrument.id,
            "period": "5m",
            "startTime": start,
            "endTime": end - 1,
            "limit": 500,
        }
        return RestCall("fapiDataGetOpenInterestHist", parameters, 1, "flow")

    def parse_open_interest(self, answer: Any) -> TimedValues:
        """Read an answer to `open_interest_call`."""
        return values_of_records(answer, "timestamp", "sumOpenInterest")

    def newest_open_interest_call(self, instrument: Instrument) -> RestCall | None:
        """Return the request for a perpetual's newest open interest, None for spot."""
        if instrument.kind is MarketKind.SPOT:
            return None
        return RestCall("fapiPublicGetOpenInterest", {"symbol": instrument.id}, 1, "perpetual")

    def parse_newest_open_interest(self, answer: Any) -> TimedValue:
        """Read an answer to `newest_open_interest_call`."""
        return TimedValue(int(answer["time"]), float(answer["openInterest"]))

    def funding_history(self, instrument: Instrument) -> FlowHistory | None:
        """Return how funding is paged, with the shortest funding interval; None for spot."""
        is_spot = instrument.kind is MarketKind.SPOT
        return None if is_spot else FlowHistory(1000, HOUR_MS)

    def funding_call(self, instrument: Instrument, start: int, end: int) -> RestCall:
        """Return the request for the funding rates at start..end, one page."""
        parameters = {
            "symbol": instrument.id,
            "startTime": start,
            "endTime": end - 1,
            "limit": 1000,
        }
        return RestCall("fapiPublicGetFundingRate", parameters, 1, "funding")

    def parse_funding(self, answer: Any) -> TimedValues:
        """Read an answer to `funding_call`."""
        return values_of_records(answer, "fundingTime", "fundingRate")


def simulated() -> Binance:
    """Return the simulated exchange, which speaks USD-M's protocol and lists perpetuals only."""
    return Binance(_SIMULATED_FACTS)
