"""A connection to one exchange: its time, its symbols, and single requests that are retried.

What a request asks and how its answer reads is in `data.venues`; paging is in `data.download`.
"""

import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from math import ceil
from typing import Any, Final, TypeVar

from data.ccxt_client import (
    ExchangeSettings as ExchangeSettings,
)
from data.ccxt_client import (
    check_settings,
    make_client,
    translate,
)
from data.errors import ExchangeError, UnknownSymbol, UnsupportedRequest
from data.rate_limits import RateLimits, usable_per_second
from data.retry import RetryPolicy, Timing, TransientFault, WeightBucket, with_retries
from data.symbols import nearest_symbols
from data.symbols import normalize_symbol as normalize_symbol
from data.venues.base import Instrument, MarketKind, RestCall, Venue
from data.venues.catalog import EXCHANGES as EXCHANGES
from data.venues.catalog import find_venue

logger = logging.getLogger(__name__)

Parsed = TypeVar("Parsed")

# Answers that take this long to come don't slow a download below the limit.
_USUAL_ANSWER_S: Final = 0.5
_LEAST_IN_FLIGHT: Final = 8
_MOST_IN_FLIGHT: Final = 48
_UNREADABLE: Final = (ValueError, TypeError, KeyError, IndexError)


class ExchangeClient:
    """One exchange over REST; `requests` counts what was sent. Use `open_exchange`.

    Clients that are given the same `limits` keep within them together.
    """

    def __init__(
        self,
        settings: ExchangeSettings,
        venue: Venue,
        client: Any,
        *,
        rate_limit: bool | None = None,
        timing: Timing | None = None,
        policy: RetryPolicy | None = None,
        limits: RateLimits | None = None,
    ) -> None:
        self.name = settings.name
        self.venue = venue
        self.requests = 0
        limited = venue.facts.is_rate_limited if rate_limit is None else rate_limit
        self.is_rate_limited = limited
        self._client = client
        self._secrets = [s for s in (settings.api_key, settings.api_secret) if s]
        self._timing = timing or Timing()
        self._policy = policy or RetryPolicy()
        self._buckets = (limits or RateLimits()).of(
            settings.name, venue.facts, self._timing, is_limited=limited
        )
        self._instruments: dict[MarketKind, dict[str, Instrument]] = {}
        self._clock: tuple[float, float] | None = None  # (asked at, server time less monotonic)

    @property
    def timing(self) -> Timing:
        """Where sleep, time and chance come from."""
        return self._timing

    async def now(self, kind: MarketKind | None = None) -> int:
        """Return the exchange's time in ms; never ahead of it, whatever this machine's clock says.

        `kind` is the market whose server is asked first, where an exchange has several.
        """
        facts = self.venue.facts
        if self._clock is None or self._monotonic() - self._clock[0] >= facts.clock_valid_s:
            server_ms = await self._ask_time(kind)
            answered = self._monotonic()
            self._clock = (answered, server_ms - answered * 1000.0)
        return int(self._monotonic() * 1000.0 + self._clock[1])

    async def symbols(self) -> tuple[str, ...]:
        """Return every symbol that trades, sorted, in the spelling Jesse takes."""
        kinds = self.venue.facts.market_types
        symbols = {
            _bare(instrument) if self.venue.facts.bare_symbol_is_perpetual else instrument.symbol
            for kind in kinds
            for instrument in (await self._listed(kind)).values()
            if instrument.is_active
        }
        return tuple(sorted(symbols))

    async def instrument(self, symbol: str) -> Instrument:
        """Return what is listed under a symbol.

        Raises:
            UnknownSymbol: nothing is; names the nearest symbols.
        """
        kind = self._kind_of(symbol)
        listed = await self._listed(kind)
        full = symbol
        if kind is MarketKind.PERPETUAL and ":" not in symbol:
            full = f"{symbol}:{symbol.split('/')[-1]}"
        if full not in listed:
            raise UnknownSymbol(await self._explain_unknown(symbol))
        return listed[full]

    async def ask(
        self,
        call: RestCall,
        parse: Callable[[Any], Parsed],
        what: str,
        *,
        policy: RetryPolicy | None = None,
    ) -> Parsed:
        """Send a request, within the exchange's limits, until its answer can be read.

        `policy` says how often to try, by default as this client does.

        Raises:
            ExchangeUnavailable: no usable answer after all tries.
            ExchangeError: the exchange refuses the request; says why.
        """
        bucket = self._buckets[call.pool]

        async def send_once() -> Parsed:
            await bucket.take(call.weight)
            answer = await self._send(lambda: getattr(self._client, call.method)(call.parameters))
            try:
                return parse(answer)
            except _UNREADABLE as error:
                raise TransientFault(f"unreadable answer: {error}") from error

        return await self._retried(send_once, what, bucket, policy)

    def in_flight(self, call: RestCall) -> int:
        """Return how many such requests to keep under way for the limit alone to hold them back."""
        if not self.is_rate_limited:
            return _LEAST_IN_FLIGHT
        limit = self.venue.facts.limits[call.pool]
        per_second = usable_per_second(limit) / call.weight
        return min(max(_LEAST_IN_FLIGHT, ceil(per_second * _USUAL_ANSWER_S)), _MOST_IN_FLIGHT)

    def _monotonic(self) -> float:
        return self._timing.monotonic()

    def _kind_of(self, symbol: str) -> MarketKind:
        is_perpetual = ":" in symbol or self.venue.facts.bare_symbol_is_perpetual
        return MarketKind.PERPETUAL if is_perpetual else MarketKind.SPOT

    async def _ask_time(self, first: MarketKind | None) -> int:
        kinds = sorted(self.venue.facts.market_types, key=lambda kind: kind is not first)
        for kind in kinds:
            parameters = {"type": "spot" if kind is MarketKind.SPOT else "swap"}
            try:
                return await self._retried(
                    partial(self._fetch_time, parameters),
                    f"the time of {self.name}",
                    next(iter(self._buckets.values())),
                )
            except UnsupportedRequest:
                # One address may stand for one of the servers only, such as a replay of futures.
                if kind is kinds[-1]:
                    raise
        raise AssertionError("every exchange has a kind of market")

    async def _fetch_time(self, parameters: dict[str, str]) -> int:
        is_binance = self.venue.facts.ccxt_class.startswith("binance")
        answer = await self._send(lambda: self._client.fetch_time(parameters if is_binance else {}))
        if not isinstance(answer, int):
            raise TransientFault(f"unreadable time: {answer!r}")
        return answer

    async def _listed(self, kind: MarketKind) -> dict[str, Instrument]:
        if kind not in self._instruments:
            markets = await self._retried(
                partial(self._fetch_markets, kind),
                f"the symbols of {self.name}",
                next(iter(self._buckets.values())),
            )
            self._instruments[kind] = markets
        return self._instruments[kind]

    async def _fetch_markets(self, kind: MarketKind) -> dict[str, Instrument]:
        types = {"types": [self.venue.facts.market_types[kind]]}
        options = self._client.options
        options["fetchMarkets"] = {**options.get("fetchMarkets", {}), **types}
        markets = await self._send(self._client.fetch_markets)
        wanted = "spot" if kind is MarketKind.SPOT else "swap"
        listed = {
            market["symbol"]: Instrument(
                market["symbol"], self.venue.id_of(market), kind, market["active"] is not False
            )
            for market in markets
            if market and market[wanted] and (kind is MarketKind.SPOT or market["linear"])
        }
        if not listed:
            raise TransientFault("the list of symbols is empty")
        return listed

    async def _retried(
        self,
        ask: Callable[[], Awaitable[Parsed]],
        what: str,
        bucket: WeightBucket,
        policy: RetryPolicy | None = None,
    ) -> Parsed:
        return await with_retries(
            ask, what, bucket=bucket, policy=policy or self._policy, timing=self._timing
        )

    async def _send(self, send: Callable[[], Any]) -> Any:
        self.requests += 1
        try:
            return await send()
        except (TransientFault, ExchangeError):
            raise
        except Exception as error:  # noqa: BLE001 - the border to ccxt
            raise self._without_secrets(translate(error, self.name)) from None

    def _without_secrets(self, error: Exception) -> Exception:
        for secret in self._secrets:
            error.args = tuple(
                re.sub(re.escape(secret.get_secret_value()), "***", str(text))
                for text in error.args
            )
        return error

    async def _explain_unknown(self, symbol: str) -> str:
        listed: list[str] = []
        for kind in self.venue.facts.market_types:
            try:
                listed += await self._listed(kind)
            except ExchangeError as error:
                logger.warning("no %s symbols to suggest: %s", kind, error)
        near = nearest_symbols(symbol, listed)
        advice = f"did you mean {', '.join(near)}?" if near else "see the exchange's own list"
        return f"{self.name} doesn't list {symbol}: {advice}"


@asynccontextmanager
async def open_exchange(
    settings: ExchangeSettings,
    *,
    rate_limit: bool | None = None,
    timing: Timing | None = None,
    policy: RetryPolicy | None = None,
    limits: RateLimits | None = None,
    timeout_s: float = 20.0,
) -> AsyncIterator[ExchangeClient]:
    """Open an exchange, and close it; nothing is sent yet.

    `rate_limit` None keeps within the documented limits, except on the simulated exchange; all
    that are opened with the same `limits` keep within them together.

    Raises:
        UnknownExchange: Jesse doesn't speak it.
        MissingCredentials: it needs API_KEY and API_SECRET.
    """
    venue = find_venue(settings.name)
    check_settings(settings, venue.facts)
    client = await make_client(settings, venue.facts, timeout_s=timeout_s)
    try:
        yield ExchangeClient(
            settings,
            venue,
            client,
            rate_limit=rate_limit,
            timing=timing,
            policy=policy,
            limits=limits,
        )
    finally:
        await client.close()


def _bare(instrument: Instrument) -> str:
    return instrument.symbol.split(":")[0]
