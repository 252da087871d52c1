"""Bybit v5: requests and parsing of spot and linear perpetuals. No sockets, no state.

Sources: bybit-exchange/docs market/kline, market/open-interest, market/history-fund-rate,
rate-limit. Lists come newest first.
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

_ROWS: Final = 1000
_FLOW_ROWS: Final = 200
_POOL: Final = "public"
_FACTS: Final = VenueFacts(
    name="bybit",
    ccxt_class="bybit",
    needs_credentials=True,
    has_taker_volume=False,
    intervals=MappingProxyType(
        {
            "1m": "1",
            "3m": "3",
            "5m": "5",
            "15m": "15",
            "30m": "30",
            "1h": "60",
            "2h": "120",
            "4h": "240",
            "6h": "360",
            "12h": "720",
            "1d": "D",
            "1w": "W",
        }
    ),
    market_types=MappingProxyType({MarketKind.SPOT: "spot", MarketKind.PERPETUAL: "linear"}),
    limits=MappingProxyType({_POOL: WeightLimit(600, 5)}),
    rows_at=("result", "list"),
)


@dataclass(frozen=True, slots=True)
class Bybit:
    """Bybit's public REST."""

    facts: VenueFacts = field(default=_FACTS)

    def id_of(self, market: Mapping[str, Any]) -> str:
        """Return the exchange's own id in a market as ccxt lists it."""
        return str(market["id"])

    def page_size(self, instrument: Instrument, *, is_limited: bool) -> int:
        """Return how many candles to ask for at once, for the most candles per second."""
        return _ROWS

    def candles_call(
        self, instrument: Instrument, timeframe: str, start: int, end: int, *, limit: int
    ) -> RestCall:
        """Return the request for the candles that open at start..end, at most `limit`."""
        parameters = {
            "category": _category(instrument),
            "symbol": instrument.id,
            "interval": self.facts.intervals[timeframe],
            "start": start,
            "end": end - 1,
            "limit": limit,  # the default of 200 would leave holes between pages
        }
        return RestCall("publicGetV5MarketKline", parameters, 1, _POOL)

    def parse_candles(self, answer: Any) -> CandleColumns:
        """Read an answer to `candles_call`, the forming candle included."""
        return columns_of_rows(answer["result"]["list"], newest_first=True)

    def open_interest_history(self, instrument: Instrument) -> FlowHistory | None:
        """Return how open interest is paged; None where there is no history."""
        is_spot = instrument.kind is MarketKind.SPOT
        return None if is_spot else FlowHistory(_FLOW_ROWS, 5 * 60_000)

    def open_interest_call(self, instrument: Instrument, start: int, end: int) -> RestCall:
        """Return the request for the open interest at start..end, one page."""
        parameters = {
            "category": _category(instrument),
            "symbol": instrument.id,
            "intervalTime": "5min",
            "startTime": start,
            "endTime": end - 1,
            "limit": _FLOW_ROWS,
        }
        return RestCall("publicGetV5MarketOpenInterest", parameters, 1, _POOL)

    def parse_open_interest(self, answer: Any) -> TimedValues:
        """Read an answer to `open_interest_call`."""
        return values_of_records(answer["result"]["list"], "timestamp", "openInterest")

    def newest_open_interest_call(self, instrument: Instrument) -> RestCall | None:
        """Return None: the stream tells it."""
        return None

    def parse_newest_open_interest(self, answer: Any) -> TimedValue:
        """Raise: there is no such answer."""
        raise NotImplementedError("Bybit tells open interest over its stream")

    def funding_history(self, instrument: Instrument) -> FlowHistory | None:
        """Return how funding is paged, with the shortest funding interval; None for spot."""
        is_spot = instrument.kind is MarketKind.SPOT
        return None if is_spot else FlowHistory(_FLOW_ROWS, HOUR_MS)

    def funding_call(self, instrument: Instrument, start: int, end: int) -> RestCall:
        """Return the request for the funding rates at start..end, one page."""
        parameters = {
            "category": _category(instrument),
            "symbol": instrument.id,
            "startTime": start,
            "endTime": end - 1,
            "limit": _FLOW_ROWS,
        }
        return RestCall("publicGetV5MarketFundingHistory", parameters, 1, _POOL)

    def parse_funding(self, answer: Any) -> TimedValues:
        """Read an answer to `funding_call`."""
        return values_of_records(answer["result"]["list"], "fundingRateTimestamp", "fundingRate")


def _category(instrument: Instrument) -> str:
    return "spot" if instrument.kind is MarketKind.SPOT else "linear"
