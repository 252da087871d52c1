"""Live candles and trades of one exchange over its WebSocket, made whole over REST.

How a stream works is in `data.streams`, what an exchange speaks in `data.venues`.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self

from data.ccxt_client import ExchangeSettings, check_url, redirect_urls
from data.errors import UnsupportedRequest
from data.exchange import normalize_symbol
from data.provider import DataProvider, OnCandle
from data.retry import Timing
from data.streams.callbacks import CallbackListener
from data.streams.events import (
    AlertKind as AlertKind,
)
from data.streams.events import (
    CandleArrived as CandleArrived,
)
from data.streams.events import (
    ConnectionAlert,
    FeedFailed,
    MarketListener,
    StreamHealth,
)
from data.streams.events import (
    StreamDown as StreamDown,
)
from data.streams.events import (
    StreamUp as StreamUp,
)
from data.streams.events import (
    Tick as Tick,
)
from data.streams.exchange_time import ExchangeTime
from data.streams.feed import SymbolFeed
from data.streams.group import FeedGroup
from data.streams.history import CandleHistory, as_candles
from data.streams.history import ExchangeHistory as ExchangeHistory
from data.streams.interest import LiveInterest as LiveInterest
from data.streams.interest import SymbolInterest
from data.streams.policy import StreamPolicy
from data.streams.tasks import TaskOwner
from data.venues.base import Instrument
from data.venues.base_stream import StreamVenue
from data.venues.catalog_stream import find_stream_venue
from engine.candles import Candle, CandleSeries
from engine.timeframe import floor_to_timeframe, get_timeframe_ms

logger = logging.getLogger(__name__)

OnAlert = Callable[[ConnectionAlert], None]
OnFailure = Callable[[FeedFailed], None]


@dataclass(frozen=True, slots=True)
class _Callback:
    symbol: str
    listener: CallbackListener
    task: asyncio.Task[None]


class LiveDataProvider(DataProvider):
    """Live market data of one exchange; use it with `async with`.

    All subscribers of a symbol share one subscription, all symbols of a market one connection as
    long as they fit. `history` tells the exchange's time and fills gaps. `on_alert` is called
    when the exchange can't be reached for long and when it can again, `on_failure` when the
    candles of a `subscribe` end for good. With `interest` the candles of perpetuals carry open
    interest, where the exchange tells it. `venue` stands in for the exchange's own protocol.
    """

    def __init__(
        self,
        settings: ExchangeSettings,
        history: CandleHistory,
        *,
        on_alert: OnAlert | None = None,
        on_failure: OnFailure | None = None,
        timing: Timing | None = None,
        policy: StreamPolicy | None = None,
        venue: StreamVenue | None = None,
        interest: LiveInterest | None = None,
    ) -> None:
        if settings.name == "simulated" and not settings.ws_url:
            raise UnsupportedRequest(
                "the simulated exchange has no address: set EXCHANGE_WS_URL to where it runs"
            )
        check_url("EXCHANGE_WS_URL", settings.ws_url, ("ws", "wss"))
        self._settings = settings
        self._venue = venue or find_stream_venue(settings.name)
        self._history = history
        self._interest = interest
        self._alert_listener = on_alert
        self._failure_listener = on_failure
        self._timing = timing or Timing()
        self._policy = policy or StreamPolicy()
        self._time = ExchangeTime(self._timing.monotonic)
        self._tasks = TaskOwner()
        self._groups: list[FeedGroup] = []
        self._feeds: dict[str, tuple[FeedGroup, SymbolFeed]] = {}
        self._callbacks: list[_Callback] = []
        self._changing = asyncio.Lock()
        self._checking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection; listeners are told nothing more."""
        await self._tasks.cancel_all()
        self._feeds.clear()
        self._groups.clear()
        self._callbacks.clear()
        self._checking = None

    async def now(self) -> int:
        """Return the exchange's time in ms."""
        return await self._history.now()

    async def get_historical_candles(
        self, symbol: str, timeframe: str, start: int, end: int
    ) -> CandleSeries:
        """Return the closed candles that open at start..end (ms), from the history."""
        return await self._history.get_historical_candles(symbol, timeframe, start, end)

    async def subscribe_market(
        self,
        symbol: str,
        listener: MarketListener,
        *,
        ticks: bool = False,
        after: int | None = None,
    ) -> None:
        """Tell a listener each 1m candle that opens later than `after` (ms), None: from now on.

        What closed before is fetched first. With `ticks` it is told each trade, too.

        Raises:
            UnknownSymbol: the exchange doesn't list it; names the nearest.
            ExchangeUnavailable: the exchange can't be asked.
        """
        symbol = normalize_symbol(symbol, self._settings.name)
        async with self._changing:
            group, feed = self._feeds.get(symbol) or await self._open_feed(symbol)
            if feed.knows(listener):
                raise UnsupportedRequest(f"this listener is subscribed to {symbol} already")
            feed.add(listener, ticks=ticks, after=after)
            group.update_channels(feed)

    async def unsubscribe_market(self, symbol: str, listener: MarketListener) -> None:
        """Tell a listener nothing more of a symbol; one that isn't subscribed is no error."""
        found = self._feeds.get(normalize_symbol(symbol, self._settings.name))
        if found is not None:
            found[1].remove(listener)

    async def subscribe(self, symbol: str, timeframe: str, on_candle: OnCandle) -> None:
        """Call `on_candle` with each candle of a timeframe that closes from now on.

        The first is the one that is forming now, whole. One call ends before the next begins.
        """
        get_timeframe_ms(timeframe)
        symbol = normalize_symbol(symbol, self._settings.name)
        listener = CallbackListener(timeframe, on_candle, self._note_failure)
        begins = floor_to_timeframe(await self._history.now(), timeframe)
        await self.subscribe_market(symbol, listener, after=begins - 1)
        task = self._tasks.spawn(
            f"candles of {symbol} {timeframe}",
            listener.run(),
            partial(self._drop_callback, symbol, listener),
        )
        self._callbacks.append(_Callback(symbol, listener, task))

    async def unsubscribe(self, symbol: str, timeframe: str) -> None:
        """Stop the calls of `subscribe`."""
        symbol = normalize_symbol(symbol, self._settings.name)
        for callback in list(self._callbacks):
            if (callback.symbol, callback.listener.timeframe) == (symbol, timeframe):
                self._callbacks.remove(callback)
                callback.task.cancel()
                await self.unsubscribe_market(symbol, callback.listener)

    def health(self) -> tuple[StreamHealth, ...]:
        """Return how the stream of each symbol is doing."""
        return tuple(health for group in self._groups for health in group.health())

    async def _open_feed(self, symbol: str) -> tuple[FeedGroup, SymbolFeed]:
        instrument = await self._history.instrument(symbol)
        now_ms = await self._history.now()
        if not self._feeds:
            self._time.observe(now_ms)
        group = self._find_group(instrument)
        channel = self._venue.interest_channel(instrument)
        interest = None
        if self._interest is not None:
            interest = self._interest.of(symbol, instrument, self._tasks, is_streamed=bool(channel))
        feed = SymbolFeed(
            symbol,
            instrument,
            self._venue.facts,
            begins=floor_to_timeframe(now_ms, "1m"),
            fetch=partial(self._fetch, symbol, interest),
            time=self._time,
            timing=self._timing,
            policy=self._policy,
            tasks=self._tasks,
            link=group.connection,
            on_abandoned=partial(self._tidy, symbol),
            interest=interest,
            interest_channel=channel if interest else None,
        )
        if interest is not None:
            interest.check(now_ms)
        group.add(feed)
        self._feeds[symbol] = group, feed
        if self._checking is None or self._checking.done():
            self._checking = self._tasks.spawn("stream checks", self._check(), self._die)
        return group, feed

    def _find_group(self, instrument: Instrument) -> FeedGroup:
        url = redirect_urls(self._venue.facts.urls[instrument.kind], None, self._settings.ws_url)
        for group in self._groups:
            if group.url == url and group.has_room:
                return group
        group = FeedGroup(
            self._venue,
            instrument.kind,
            url,
            now=self._history.now,
            time=self._time,
            timing=self._timing,
            policy=self._policy,
            tasks=self._tasks,
            on_alert=self._alert,
        )
        self._groups.append(group)
        return group

    async def _fetch(
        self, symbol: str, interest: SymbolInterest | None, start: int, end: int
    ) -> list[Candle]:
        candles = as_candles(await self._history.fetch(symbol, start, end))
        return candles if interest is None else await interest.complete_past(candles)

    def _tidy(self, symbol: str) -> None:
        """Give back what nobody listens to any more: trades, symbols, connections."""
        group, feed = self._feeds[symbol]
        if feed.has_listeners:
            group.update_channels(feed)
            return
        del self._feeds[symbol]
        group.remove(feed)
        if not group.feeds:
            self._groups.remove(group)
            group.close()

    async def _check(self) -> None:
        while True:
            await self._timing.sleep(self._policy.check_s)
            for group in list(self._groups):
                await group.check()

    def _alert(self, alert: ConnectionAlert) -> None:
        log = logger.info if alert.kind is AlertKind.RECOVERED else logger.error
        log("%s %s after %d attempts", alert.exchange, alert.kind, alert.attempts)
        if self._alert_listener:
            self._alert_listener(alert)

    def _drop_callback(self, symbol: str, listener: CallbackListener, error: Exception) -> None:
        self._callbacks = [each for each in self._callbacks if each.listener is not listener]
        found = self._feeds.get(symbol)
        if found is not None:
            found[1].remove(listener)
        self._note_failure(FeedFailed(symbol, f"the listener failed: {error!r}; subscribe again"))

    def _note_failure(self, failure: FeedFailed) -> None:
        logger.error("live data of %s ended: %s", failure.symbol, failure.reason)
        if self._failure_listener:
            self._failure_listener(failure)

    def _die(self, error: Exception) -> None:
        for _, feed in list(self._feeds.values()):
            feed.fail(f"internal error: {error!r}; see the log")
