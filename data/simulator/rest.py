"""The public REST routes of Binance USD-M, answered from the simulated market.

Each route is a function of a query and the clock that returns a JSON text. Faults, weights
and HTTP belong to the server.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from data.simulator.clock import MarketClock
from data.simulator.errors import ApiError
from data.simulator.faults import FaultControl
from data.simulator.intervals import interval_ms, next_open_time, open_time_of
from data.simulator.klines import minute_states, select_klines
from data.simulator.market import FUNDING_MS, OPEN_INTEREST_MS, SimulatedMarket
from data.simulator.params import read_interval, read_limit, read_range, read_symbol
from data.simulator.path import DAY_MS, MINUTE_MS
from data.simulator.render import compact_json, decimal_text, exchange_info, klines_json
from data.simulator.symbols import SymbolSpec

Query = Mapping[str, str]
Route = Callable[[Query], str]

_HISTORY_MS = 30 * DAY_MS
_HISTORY_PERIODS = ("5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d")


class RestRoutes:
    """Answer requests about one market; errors are raised as ApiError."""

    def __init__(self, market: SimulatedMarket, clock: MarketClock, faults: FaultControl) -> None:
        self._market = market
        self._clock = clock
        self._faults = faults

    def table(self) -> dict[str, Route]:
        """Return each path with the function that answers it."""
        return {
            "/fapi/v1/ping": lambda _query: "{}",
            "/fapi/v1/time": self.time,
            "/fapi/v1/exchangeInfo": self.exchange_info,
            "/fapi/v1/klines": self.klines,
            "/fapi/v1/openInterest": self.open_interest,
            "/futures/data/openInterestHist": self.open_interest_history,
            "/fapi/v1/fundingRate": self.funding_rate,
            "/fapi/v1/premiumIndex": self.premium_index,
            "/fapi/v1/ticker/24hr": self.ticker,
        }

    def time(self, _query: Query) -> str:
        """Return the server's time."""
        return compact_json({"serverTime": self._server_time()})

    def exchange_info(self, _query: Query) -> str:
        """Return the list of contracts."""
        body = exchange_info(
            self._market.symbols,
            server_time_ms=self._server_time(),
            listed_at=self._market.listed_at,
        )
        return compact_json(body)

    def klines(self, query: Query) -> str:
        """Return candles, the forming one last."""
        spec, interval = read_symbol(query, self._market), read_interval(query)
        start, end = read_range(query)
        candles = select_klines(
            self._market,
            spec.symbol,
            interval,
            now_ms=self._clock.now_ms(),
            limit=read_limit(query, default=500, most=1500),
            start_ms=start,
            end_ms=end,
        )
        length = interval_ms(interval)
        shown = self._faults.without_gaps(spec.symbol, candles, length)
        return klines_json(shown, spec, length)

    def open_interest(self, query: Query) -> str:
        """Return the present open interest."""
        spec, now = read_symbol(query, self._market), self._clock.now_ms()
        interest = self._market.open_interest(spec.symbol, open_time_of(now, OPEN_INTEREST_MS), 1)
        amount = decimal_text(int(interest.open_interest[0]), spec.quantity_decimals)
        return compact_json({"openInterest": amount, "symbol": spec.symbol, "time": now})

    def open_interest_history(self, query: Query) -> str:
        """Return open interest of the latest 30 days."""
        spec = read_symbol(query, self._market)
        period = read_interval(query, "period")
        if period not in _HISTORY_PERIODS:
            raise ApiError(-1120, "Invalid interval.")
        length, now = interval_ms(period), self._clock.now_ms()
        start, end = read_range(query)
        if start is not None and start < now - _HISTORY_MS:
            raise ApiError(-1130, "parameter 'startTime' is invalid.")
        limit = read_limit(query, default=30, most=500)
        oldest = next_open_time(max(now - _HISTORY_MS, self._market.listed_at), length)
        times = _steps(start, end, length=length, limit=limit, oldest=oldest, now_ms=now)
        return compact_json([self._interest_row(spec, time) for time in times])

    def funding_rate(self, query: Query) -> str:
        """Return the funding rates that have been settled."""
        chosen = (
            [read_symbol(query, self._market)] if "symbol" in query else list(self._market.symbols)
        )
        start, end = read_range(query)
        times = _steps(
            start,
            end,
            length=FUNDING_MS,
            limit=read_limit(query, default=100, most=1000),
            oldest=next_open_time(self._market.listed_at, FUNDING_MS),
            now_ms=self._clock.now_ms(),
        )
        if not times:
            return "[]"
        return compact_json([row for spec in chosen for row in self._funding_rows(spec, times)])

    def premium_index(self, query: Query) -> str:
        """Return mark prices and the next funding, of one symbol or all."""
        if "symbol" in query:
            return compact_json(self._premium(read_symbol(query, self._market)))
        return compact_json([self._premium(spec) for spec in self._market.symbols])

    def ticker(self, query: Query) -> str:
        """Return the changes over the last 24 hours, of one symbol or all."""
        if "symbol" in query:
            return compact_json(self._ticker(read_symbol(query, self._market)))
        return compact_json([self._ticker(spec) for spec in self._market.symbols])

    def _server_time(self) -> int:
        return self._clock.now_ms() + self._faults.current.time_offset_ms

    def _interest_row(self, spec: SymbolSpec, time_ms: int) -> dict[str, Any]:
        amount = int(self._market.open_interest(spec.symbol, time_ms, 1).open_interest[0])
        price = int(self._market.minutes(spec.symbol, time_ms, time_ms + MINUTE_MS)["open"][0])
        return {
            "symbol": spec.symbol,
            "sumOpenInterest": decimal_text(amount, spec.quantity_decimals),
            "sumOpenInterestValue": decimal_text(amount * price, spec.quote_decimals),
            "timestamp": time_ms,
        }

    def _funding_rows(self, spec: SymbolSpec, times: range) -> list[dict[str, Any]]:
        funding = self._market.funding(spec.symbol, times[0], len(times))
        return [
            {
                "symbol": spec.symbol,
                "fundingTime": int(time_ms),
                "fundingRate": f"{rate:.8f}",
                "markPrice": decimal_text(int(mark), spec.price_decimals),
            }
            for time_ms, rate, mark in zip(
                funding.timestamp, funding.rate, funding.mark_price, strict=True
            )
        ]

    def _premium(self, spec: SymbolSpec) -> dict[str, Any]:
        now = self._clock.now_ms()
        settled = open_time_of(now, FUNDING_MS)
        funding = self._market.funding(spec.symbol, settled + FUNDING_MS, 1)
        mark = decimal_text(self._last_price(spec, now), spec.price_decimals)
        return {
            "symbol": spec.symbol,
            "markPrice": mark,
            "indexPrice": mark,
            "estimatedSettlePrice": mark,
            "lastFundingRate": f"{funding.rate[0]:.8f}",
            "interestRate": "0.00010000",
            "nextFundingTime": settled + FUNDING_MS,
            "time": now,
        }

    def _ticker(self, spec: SymbolSpec) -> dict[str, Any]:
        now = self._clock.now_ms()
        minute = open_time_of(now, MINUTE_MS)
        opened = max(minute - DAY_MS + MINUTE_MS, self._market.listed_at)
        day = self._market.minutes(spec.symbol, opened, minute)
        forming = minute_states(self._market, spec.symbol, minute, np.array([now]))
        day = np.concatenate([day, forming])
        first, last = int(day["open"][0]), int(day["close"][-1])
        volume, quote = int(day["volume"].sum()), int(day["quote_volume"].sum())
        price, quantity = spec.price_decimals, spec.quantity_decimals
        change = decimal_text(abs(last - first), price)
        return {
            "symbol": spec.symbol,
            "priceChange": change if last >= first else f"-{change}",
            "priceChangePercent": f"{100.0 * (last - first) / first:.3f}",
            "weightedAvgPrice": decimal_text(quote // volume, price),
            "lastPrice": decimal_text(last, price),
            "lastQty": decimal_text(1, quantity),
            "openPrice": decimal_text(first, price),
            "highPrice": decimal_text(int(day["high"].max()), price),
            "lowPrice": decimal_text(int(day["low"].min()), price),
            "volume": decimal_text(volume, quantity),
            "quoteVolume": decimal_text(quote, spec.quote_decimals),
            "openTime": opened,
            "closeTime": now,
            "count": int(day["trades"].sum()),
        }

    def _last_price(self, spec: SymbolSpec, now_ms: int) -> int:
        minute = open_time_of(now_ms, MINUTE_MS)
        state = minute_states(self._market, spec.symbol, minute, np.array([now_ms]))
        return int(state["close"][0])


def _steps(
    start: int | None, end: int | None, *, length: int, limit: int, oldest: int, now_ms: int
) -> range:
    """Return the times that exist within the bounds: the oldest ones, or the latest ones."""
    last = open_time_of(now_ms if end is None else min(end, now_ms), length)
    if start is None:
        first = max(oldest, last - (limit - 1) * length)
    else:
        first = max(oldest, next_open_time(start, length))
        last = min(last, first + (limit - 1) * length)
    return range(first, last + 1, length)
