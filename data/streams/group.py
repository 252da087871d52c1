"""The symbols that share one connection: frames to feeds, and what befalls it to all of them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

from data.errors import DataError
from data.retry import Timing
from data.streams.connection import StreamConnection
from data.streams.events import AlertKind, ConnectionAlert, StreamHealth
from data.streams.exchange_time import ExchangeTime, is_credible
from data.streams.feed import SymbolFeed
from data.streams.policy import StreamPolicy
from data.streams.tasks import TaskOwner
from data.venues.base import MarketKind
from data.venues.base_stream import (
    MarketMessage,
    StreamCandle,
    StreamInterest,
    StreamTrade,
    StreamVenue,
)
from engine.candles import format_time
from engine.timeframe import MINUTE_MS

logger = logging.getLogger(__name__)

_CHANNELS_A_SYMBOL: Final = 2  # candles and trades; where it is streamed, open interest, too
_TIME_ASKED_EVERY_S: Final = 60.0


class FeedGroup:
    """Symbols on one connection; `now` asks the exchange for its time."""

    def __init__(
        self,
        venue: StreamVenue,
        kind: MarketKind,
        url: str,
        *,
        now: Callable[[], Awaitable[int]],
        time: ExchangeTime,
        timing: Timing,
        policy: StreamPolicy,
        tasks: TaskOwner,
        on_alert: Callable[[ConnectionAlert], None],
    ) -> None:
        self.url = url
        self.connection = StreamConnection(venue, kind, url, self, timing=timing, policy=policy)
        self._venue = venue
        self._now = now
        self._time = time
        self._timing = timing
        self._tasks = tasks
        self._on_alert = on_alert
        self._feeds: dict[str, SymbolFeed] = {}
        self._channels: dict[str, tuple[str, ...]] = {}
        self._down_reason: str | None = None
        self._asking_time: asyncio.Task[None] | None = None
        self._task = tasks.spawn(f"stream {urlsplit(url).netloc}", self.connection.run(), self._die)

    @property
    def feeds(self) -> tuple[SymbolFeed, ...]:
        """Return the symbols on this connection."""
        return tuple(self._feeds.values())

    @property
    def has_room(self) -> bool:
        """Tell whether another symbol fits, whatever its listeners will ask for."""
        has_interest = any(feed.interest_channel for feed in self._feeds.values())
        channels = (len(self._feeds) + 1) * (_CHANNELS_A_SYMBOL + has_interest)
        fits = channels <= self._venue.facts.channels_per_connection
        return fits and not self._task.done()

    def add(self, feed: SymbolFeed) -> None:
        """Carry a symbol."""
        self._feeds[feed.instrument.id] = feed
        self.update_channels(feed)
        if self.connection.is_up:
            feed.come_up(now_ms=self._time.now_ms())
        elif self._down_reason is not None:
            feed.go_down(self._down_reason)

    def remove(self, feed: SymbolFeed) -> None:
        """Carry a symbol no more."""
        feed.close()
        del self._feeds[feed.instrument.id]
        self.connection.remove(self._channels.pop(feed.instrument.id))

    def update_channels(self, feed: SymbolFeed) -> None:
        """Subscribe what a symbol's listeners need now, and nothing else."""
        wanted: tuple[str, ...] = (self._venue.candle_channel(feed.instrument),)
        if feed.needs_trades:
            wanted += (self._venue.trade_channel(feed.instrument),)
        if feed.interest_channel:
            wanted += (feed.interest_channel,)
        known = self._channels.get(feed.instrument.id, ())
        self._channels[feed.instrument.id] = wanted
        self.connection.remove([channel for channel in known if channel not in wanted])
        self.connection.add(wanted)

    def close(self) -> None:
        """Close the connection."""
        self._task.cancel()

    async def check(self) -> None:
        """Look after every symbol."""
        for feed in self.feeds:
            await feed.check()

    def health(self) -> list[StreamHealth]:
        """Return how each symbol is doing."""
        return [feed.health() for feed in self.feeds]

    def on_message(self, message: MarketMessage) -> None:
        """Take a candle, a trade or an open interest."""
        feed = self._feeds.get(message.id)
        if feed is None:
            return  # unsubscribed a moment ago
        time_ms = _newest_time(message)
        if not is_credible(time_ms, now_ms=self._time.now_ms()):
            self._leave_out(feed, time_ms)
        elif isinstance(message, StreamTrade):
            feed.take_trade(message)
        elif isinstance(message, StreamInterest):
            feed.take_interest(message)
        else:
            feed.take_candle(message)

    def on_unreadable(self, problem: str) -> None:
        """Note a frame that can't be read."""
        logger.warning("%s: frame left out: %s", self._venue.facts.name, problem)
        for feed in self.feeds:
            feed.note_unreadable()

    def on_refused(self, channel: str, error: str) -> None:
        """End the symbol whose channel the exchange refuses; open interest it can do without."""
        for feed in self.feeds:
            if channel == feed.interest_channel:
                feed.lose_interest(error)
                self.update_channels(feed)
            elif channel in self._channels.get(feed.instrument.id, ()):
                feed.fail(f"{self._venue.facts.name} refuses {channel}: {error}")

    def on_down(self, reason: str) -> None:
        """Tell every symbol that the connection broke."""
        self._down_reason = reason
        for feed in self.feeds:
            feed.go_down(reason)

    def on_up(self) -> None:
        """Tell every symbol that the connection is open."""
        self._down_reason = None
        self._tasks.spawn("stream recovery", self._recover(), self._die)

    def on_alert(self, kind: AlertKind, attempts: int, down_s: float, reason: str) -> None:
        """Pass an alert on."""
        symbols = tuple(feed.symbol for feed in self.feeds)
        self._on_alert(
            ConnectionAlert(kind, self._venue.facts.name, attempts, down_s, reason, symbols)
        )

    def _leave_out(self, feed: SymbolFeed, time_ms: int) -> None:
        """Leave out a frame of a time to come, and ask whether it is the estimate that is wrong.

        If so, REST has what was left out, and the frames that follow count again.
        """
        feed.note_unreadable()
        if self._asking_time is None:
            now_ms = self._time.now_ms()
            logger.warning(
                "%s: frames of %s are left out: their time, %d ms, is %d minutes ahead of %s",
                self._venue.facts.name,
                feed.symbol,
                time_ms,
                (time_ms - now_ms) // MINUTE_MS,
                format_time(now_ms),
            )
            self._asking_time = self._tasks.spawn("exchange time", self._check_time(), self._die)

    async def _check_time(self) -> None:
        await self._ask_time()
        await self._timing.sleep(_TIME_ASKED_EVERY_S)
        self._asking_time = None

    async def _ask_time(self) -> None:
        try:
            self._time.observe(await self._now())
        except DataError as error:
            logger.warning("the exchange's time is estimated: %s", error)

    async def _recover(self) -> None:
        await self._ask_time()
        now_ms = self._time.now_ms()
        for feed in self.feeds:
            if self.connection.is_up and not feed.is_connected:
                feed.come_up(now_ms=now_ms)

    def _die(self, error: Exception) -> None:
        for feed in self.feeds:
            feed.fail(f"internal error: {error!r}; see the log")


def _newest_time(message: MarketMessage) -> int:
    """Return the latest time (ms) that a frame bears, 0 where it bears none."""
    if isinstance(message, StreamCandle):
        return max(message.candle.timestamp, message.event_ms or 0)
    return message.time_ms or 0
