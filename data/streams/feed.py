"""One symbol's live market: from its frames to its listeners. No sockets, no subscriptions.

The candles of the stream pass one lane, which makes them whole, on the way to the audience.
"""

import logging
from collections.abc import Callable

from data.retry import Timing
from data.streams.audience import Audience
from data.streams.closing import StateCloser, TradeTally
from data.streams.events import (
    MarketListener,
    Revision,
    StreamDown,
    StreamHealth,
    StreamUp,
    Tick,
)
from data.streams.exchange_time import ExchangeTime
from data.streams.interest import SymbolInterest
from data.streams.lane import FetchCandles, Lane
from data.streams.link import Link
from data.streams.overdue import OverdueWatch
from data.streams.policy import StreamPolicy
from data.streams.sequencer import Released
from data.streams.tasks import TaskOwner
from data.venues.base import Instrument
from data.venues.base_stream import (
    StreamCandle,
    StreamFacts,
    StreamInterest,
    StreamTrade,
    find_flaw,
)
from engine.candles import Candle, format_time
from engine.timeframe import MINUTE_MS, floor_to_timeframe

logger = logging.getLogger(__name__)


class SymbolFeed:
    """One symbol's stream and its listeners; `time` is the exchange's.

    The link is replaced when the stream is silent though the market is not. `on_abandoned` is
    called when a listener has left. With `interest` candles carry open interest, which comes over
    `interest_channel` where a stream tells it.
    """

    def __init__(
        self,
        symbol: str,
        instrument: Instrument,
        facts: StreamFacts,
        *,
        begins: int,
        fetch: FetchCandles,
        time: ExchangeTime,
        timing: Timing,
        policy: StreamPolicy,
        tasks: TaskOwner,
        link: Link,
        on_abandoned: Callable[[], None],
        interest: SymbolInterest | None = None,
        interest_channel: str | None = None,
    ) -> None:
        self.symbol = symbol
        self.instrument = instrument
        self.is_connected = False
        self.reconnects = 0
        self.interest_channel = interest_channel
        self._interest = interest
        self._down: StreamDown | None = None
        self._fetch = fetch
        self._time = time
        self._timing = timing
        self._policy = policy
        self._tasks = tasks
        self._link = link
        self._closer = None if facts.marks_closes else StateCloser()
        self._tally = None if facts.has_taker_volume else TradeTally()
        self._audience = Audience(symbol, self._make_lane, time.now_ms, on_abandoned)
        self._lane = self._make_lane(symbol, begins, self._pass_on, self._audience.revise)
        self._overdue = OverdueWatch(self._lane, begins=begins, timing=timing, policy=policy)
        self._tick_floor = begins
        self._stale_ticks = 0
        self._unreadable = 0
        self._heard_at: float | None = None
        self._heard_ms = 0  # the newest moment that a candle frame told of
        self._up_since_ms = 0

    @property
    def has_listeners(self) -> bool:
        """Tell whether anybody listens."""
        return len(self._audience) > 0

    @property
    def needs_trades(self) -> bool:
        """Tell whether trades are wanted by a listener or for the taker volume."""
        return self._tally is not None or self._audience.wants_ticks

    def knows(self, listener: MarketListener) -> bool:
        """Tell whether a listener is subscribed."""
        return self._audience.knows(listener)

    def add(self, listener: MarketListener, *, ticks: bool, after: int | None) -> None:
        """Tell a listener every candle that opens later than `after` (ms); None: from now on."""
        if self._down is not None:
            listener.on_outage(self._down)
        next_open = self._lane.next_open
        begins = next_open if after is None else floor_to_timeframe(after, "1m") + MINUTE_MS
        lane = self._audience.add(listener, ticks=ticks, begins=begins)
        lane.fill_until(next_open)

    def remove(self, listener: MarketListener) -> None:
        """Tell a listener nothing more."""
        self._audience.remove(listener)

    def close(self) -> None:
        """Ask REST no more; every listener has left."""
        if self._interest is not None:
            self._interest.close()
        self._lane.close()

    def fail(self, reason: str) -> None:
        """End the feed: tell every listener, and have none."""
        self._audience.fail(reason)
        self._lane.close()

    def take_candle(self, message: StreamCandle) -> None:
        """Take a candle frame."""
        self._heard_at = self._timing.monotonic()
        if message.event_ms is not None:
            self._time.observe(message.event_ms)
        self._heard_ms = max(self._heard_ms, message.event_ms or 0, message.candle.timestamp)
        if self._closer is not None:
            for candle in self._closer.update(message.candle):
                self._take_closed(candle)
        elif message.is_closed:
            self._take_closed(message.candle)

    def take_trade(self, trade: StreamTrade) -> None:
        """Take a trade; it is passed on unless it is older than what was told already."""
        self._heard_at = self._timing.monotonic()
        if self._tally is not None:
            self._tally.add(trade)
            self._time.observe_passed(trade.time_ms)
        if not self._audience.wants_ticks:
            return
        if trade.time_ms < self._tick_floor:
            self._stale_ticks += 1
            return
        self._tick_floor = trade.time_ms
        self._audience.tell_tick(
            Tick(self.symbol, trade.price, trade.quantity, trade.time_ms, trade.taker_side)
        )

    def take_interest(self, message: StreamInterest) -> None:
        """Take what the stream tells of open interest."""
        if self._interest is not None:
            time_ms = self._time.now_ms() if message.time_ms is None else message.time_ms
            self._interest.take(message.open_interest, time_ms)

    def lose_interest(self, reason: str) -> None:
        """Go on without open interest: the exchange refuses its channel."""
        assert self._interest is not None, "only interest has a channel of its own"
        self.interest_channel = None
        self._interest.note_missing(reason)

    def note_unreadable(self) -> None:
        """Count a frame that can't be read."""
        self._unreadable += 1

    def go_down(self, reason: str) -> None:
        """Note that the connection broke."""
        self.is_connected = False
        if self._closer is not None:
            self._closer.forget()
        if self._interest is not None:
            self._interest.interrupt()
        self._down = StreamDown(self.symbol, reason, self._time.now_ms())
        self._audience.tell_outage(self._down)

    def come_up(self, *, now_ms: int) -> None:
        """Note that the connection is open; if it was broken, fetch what was missed so far."""
        self.is_connected = True
        self._up_since_ms = now_ms
        if self._down is None:
            return
        self._down = None
        self.reconnects += 1
        forming = floor_to_timeframe(now_ms, "1m")
        missed_from = self._lane.next_open
        self._audience.tell_outage(StreamUp(self.symbol, missed_from, max(missed_from, forming)))
        self._lane.fill_until(forming)

    async def check(self) -> None:
        """Close what the clock closes, and ask REST for what is overdue."""
        now_ms = self._time.now_ms()
        if self._interest is not None:
            self._interest.check(now_ms)
        if self._closer is not None:
            await self._close_by_clock(self._closer, now_ms)
        self._overdue.check(now_ms)

    def health(self) -> StreamHealth:
        """Return how the stream is doing."""
        sequencer = self._lane.sequencer
        heard = self._heard_at
        return StreamHealth(
            symbol=self.symbol,
            is_connected=self.is_connected,
            listeners=len(self._audience),
            last_candle_open=sequencer.last_open,
            last_frame_age_s=None if heard is None else self._timing.monotonic() - heard,
            reconnects=self.reconnects,
            duplicates=sequencer.duplicates,
            revisions=sequencer.revisions,
            last_revision=sequencer.last_revision,
            backfilled=sequencer.backfilled,
            missing=sequencer.missing,
            held=sequencer.held,
            stale_ticks=self._stale_ticks,
            unreadable_frames=self._unreadable,
            open_interest_ms=self._interest.newest_ms if self._interest else None,
        )

    def _make_lane(
        self,
        name: str,
        begins: int,
        deliver: Callable[[Released], None],
        revise: Callable[[Revision], None],
    ) -> Lane:
        return Lane(
            name,
            begins,
            fetch=self._fetch,
            deliver=deliver,
            timing=self._timing,
            policy=self._policy,
            tasks=self._tasks,
            on_death=lambda error: self.fail(f"internal error: {error!r}; see the log"),
            on_revised=revise,
        )

    async def _close_by_clock(self, closer: StateCloser, now_ms: int) -> None:
        """Close a candle whose minute is over, if frames of its end can't still be missing.

        A socket can die unnoticed: only what came after the end shows that all before it came.
        """
        if not closer.is_due(now_ms - self._policy.close_grace_ms):
            return
        since_end_s = (now_ms - floor_to_timeframe(now_ms, "1m")) / 1000.0
        if self._link.heard_at >= self._timing.monotonic() - since_end_s:
            for candle in closer.close():
                self._take_closed(candle)
        else:
            await self._link.ping()

    def _take_closed(self, candle: Candle) -> None:
        flaw = find_flaw(candle)
        if flaw is not None:
            logger.warning(
                "%s: candle %s of the stream is left to REST: %s",
                self.symbol,
                format_time(candle.timestamp),
                flaw,
            )
            return
        if self._tally is not None:
            candle = self._tally.complete(candle)
        # One that was delivered before is only compared: what it carried then stays.
        if self._interest is not None and candle.timestamp >= self._lane.next_open:
            candle = self._interest.complete(candle)
        self._lane.receive(candle)

    def _pass_on(self, released: Released) -> None:
        """Give a candle that is next in order to every listener's lane."""
        candle = released.candle
        self._tick_floor = max(self._tick_floor, candle.timestamp + MINUTE_MS)
        self._overdue.note_delivery()
        self._audience.pass_on(released)
        if released.backfilled and candle.volume > 0:
            self._suspect_mute(candle.timestamp)

    def _suspect_mute(self, open_time: int) -> None:
        """Tell a mute stream from an idle market: REST has trades where no frame came at all."""
        heard_ms = max(self._heard_ms, self._up_since_ms)
        if self.is_connected and heard_ms < open_time:
            self._up_since_ms = self._time.now_ms()
            self._link.replace(f"no candle frame of {self.symbol} since {format_time(heard_ms)}")
