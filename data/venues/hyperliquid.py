"""Hyperliquid: requests and parsing of spot and perpetuals. No sockets, no state.

Sources: Hyperliquid documentation "Info endpoint" and "Rate limits". It keeps only the most
recent 5000 candles of each length.
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

_KEEPS: Final = 5000
_FUNDING_ROWS: Final = 500
_POOL: Final = "info"
_INFO_WEIGHT: Final = 20
_FACTS: Final = VenueFacts(
    name="hyperliquid",
    ccxt_class="hyperliquid",
    needs_credentials=False,
    has_taker_volume=False,
    intervals=MappingProxyType(
        {
            timeframe: timeframe
            for timeframe in (
                *("1m", "3m", "5m", "15m", "30m"),
                *("1h", "2h", "4h", "12h", "1d", "1w"),
            )
        }
    ),
    market_types=MappingProxyType({MarketKind.SPOT: "spot", MarketKind.PERPETUAL: "swap"}),
    limits=MappingProxyType({_POOL: WeightLimit(1200, 60)}),
    keeps_latest=_KEEPS,
    default_quote="USDC",
)


@dataclass(frozen=True, slots=True)
class Hyperliquid:
    """Hyperliquid's info endpoint."""

    facts: VenueFacts = field(default=_FACTS)

    def id_of(self, market: Mapping[str, Any]) -> str:
        """Return the coin by which the info endpoint knows a market that ccxt lists."""
        return str(market["baseName"] if market["swap"] else market["id"])

    def page_size(self, instrument: Instrument, *, is_limited: bool) -> int:
        """Return how many candles to ask for at once, for the most candles per second."""
        return _KEEPS

    def candles_call(
        self, instrument: Instrument, timeframe: str, start: int, end: int, *, limit: int
    ) -> RestCall:
        """Return the request for the candles that open at start..end; there is no limit to set."""
        request = {
            "coin": instrument.id,
            "interval": self.facts.intervals[timeframe],
            "startTime": start,
            "endTime": end - 1,
        }
        weight = _INFO_WEIGHT + limit / 60
        return RestCall("publicPostInfo", {"type": "candleSnapshot", "req": request}, weight, _POOL)

    def parse_candles(self, answer: Any) -> CandleColumns:
        """Read an answer to `candles_call`, the forming candle included."""
        return columns_of_rows(
            [[r["t"], r["o"], r["h"], r["l"], r["c"], r["v"]] for r in _records(answer)]
        )

    def open_interest_history(self, instrument: Instrument) -> FlowHistory | None:
        """Return None: open interest comes live only."""
        return None

    def open_interest_call(self, instrument: Instrument, start: int, end: int) -> RestCall:
        """Raise: there is no such request."""
        raise NotImplementedError("Hyperliquid has no history of open interest")

    def parse_open_interest(self, answer: Any) -> TimedValues:
        """Raise: there is no such answer."""
        raise NotImplementedError("Hyperliquid has no history of open interest")

    def newest_open_interest_call(self, instrument: Instrument) -> RestCall | None:
        """Return None: the stream tells it."""
        return None

    def parse_newest_open_interest(self, answer: Any) -> TimedValue:
        """Raise: there is no such answer."""
        raise NotImplementedError("Hyperliquid tells open interest over its stream")

    def funding_history(self, instrument: Instrument) -> FlowHistory | None:
        """Return how funding is paged, with the shortest funding interval; None for spot."""
        is_spot = instrument.kind is MarketKind.SPOT
        return None if is_spot else FlowHistory(_FUNDING_ROWS, HOUR_MS)

    def funding_call(self, instrument: Instrument, start: int, end: int) -> RestCall:
        """Return the request for the funding rates at start..end, one page."""
        parameters = {
            "type": "fundingHistory",
            "coin": instrument.id,
            "startTime": start,
            "endTime": end - 1,
        }
        weight = _INFO_WEIGHT + _FUNDING_ROWS / 20
        return RestCall("publicPostInfo", parameters, weight, _POOL)

    def parse_funding(self, answer: Any) -> TimedValues:
        """Read an answer to `funding_call`."""
        return values_of_records(_records(answer), "time", "fundingRate")


def _records(answer: Any) -> list[Any]:
    if not isinstance(answer, list):
        raise ValueError(f"the answer should be a list, not {type(answer).__name__}")
    return answer
