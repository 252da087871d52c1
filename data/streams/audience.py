"""The listeners of one symbol: each is told in its turn, and none can harm another.

Every listener has a lane of its own, so that one that joins late or comes back after days misses
nothing. No frames are known here.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from data.streams.events import (
    CandleArrived,
    CandleRevised,
    FeedFailed,
    MarketListener,
    Revision,
    StreamDown,
    StreamUp,
    Tick,
)
from data.streams.lane import Lane
from data.streams.sequencer import Released

logger = logging.getLogger(__name__)

MakeLane = Callable[[str, int, Callable[[Released], None], Callable[[Revision], None]], Lane]


@dataclass(eq=False, slots=True)
class _Subscriber:
    listener: MarketListener
    wants_ticks: bool
    lane: Lane


class Audience:
    """Listeners of one symbol; `on_left` is called when one has left, or had to."""

    def __init__(
        self,
        symbol: str,
        make_lane: MakeLane,
        now_ms: Callable[[], int],
        on_left: Callable[[], None],
    ) -> None:
        self._symbol = symbol
        self._make_lane = make_lane
        self._now_ms = now_ms
        self._on_left = on_left
        self._subscribers: list[_Subscriber] = []
        self._tick_takers: tuple[_Subscriber, ...] = ()

    def __len__(self) -> int:
        return len(self._subscribers)

    @property
    def wants_ticks(self) -> bool:
        """Tell whether any listener takes ticks."""
        return bool(self._tick_takers)

    def knows(self, listener: MarketListener) -> bool:
        """Tell whether a listener is here."""
        return any(each.listener is listener for each in self._subscribers)

    def add(self, listener: MarketListener, *, ticks: bool, begins: int) -> Lane:
        """Tell a listener the candles that open at `begins` (ms) or later; return its lane."""

        def deliver(released: Released) -> None:
            self._tell_candle(subscriber, released)

        def revise(revision: Revision) -> None:
            self._tell_revision(subscriber, revision)

        lane = self._make_lane(f"{self._symbol} for a listener", begins, deliver, revise)
        subscriber = _Subscriber(listener, ticks, lane)
        self._subscribers.append(subscriber)
        self._sort_out_ticks()
        return lane

    def remove(self, listener: MarketListener) -> None:
        """Tell a listener nothing more."""
        for subscriber in [each for each in self._subscribers if each.listener is listener]:
            self._remove(subscriber)

    def pass_on(self, released: Released) -> None:
        """Take a candle that is next in order."""
        for subscriber in list(self._subscribers):
            subscriber.lane.pass_on(released)

    def revise(self, revision: Revision) -> None:
        """Take a candle that was delivered with other values, to whom it was."""
        for subscriber in list(self._subscribers):
            subscriber.lane.compare(revision.revised)

    def tell_tick(self, tick: Tick) -> None:
        """Tell a trade to those who take ticks."""
        for subscriber in self._tick_takers:
            try:
                subscriber.listener.on_tick(tick)
            except Exception as error:  # noqa: BLE001 - the border to listeners
                self._blame(subscriber, error)

    def tell_outage(self, event: StreamDown | StreamUp) -> None:
        """Tell everybody that the stream broke, or is back."""
        for subscriber in list(self._subscribers):
            try:
                subscriber.listener.on_outage(event)
            except Exception as error:  # noqa: BLE001 - the border to listeners
                self._blame(subscriber, error)

    def fail(self, reason: str) -> None:
        """Tell everybody that nothing more will come, and have no listeners."""
        for subscriber in list(self._subscribers):
            self._fail(subscriber, reason)

    def _tell_candle(self, subscriber: _Subscriber, released: Released) -> None:
        if subscriber not in self._subscribers:
            return
        event = CandleArrived(self._symbol, released.candle, released.backfilled, self._now_ms())
        try:
            subscriber.listener.on_candle(event)
        except Exception as error:  # noqa: BLE001 - the border to listeners
            self._blame(subscriber, error)

    def _tell_revision(self, subscriber: _Subscriber, revision: Revision) -> None:
        if subscriber not in self._subscribers:
            return
        try:
            subscriber.listener.on_revision(CandleRevised(self._symbol, revision))
        except Exception as error:  # noqa: BLE001 - the border to listeners
            self._blame(subscriber, error)

    def _blame(self, subscriber: _Subscriber, error: Exception) -> None:
        logger.error("%s: a listener failed and is dropped", self._symbol, exc_info=error)
        self._fail(subscriber, f"the listener failed: {error!r}; subscribe again")

    def _fail(self, subscriber: _Subscriber, reason: str) -> None:
        self._remove(subscriber)
        try:
            subscriber.listener.on_failure(FeedFailed(self._symbol, reason))
        except Exception:  # the border to listeners
            logger.exception("%s: a listener failed while told of a failure", self._symbol)

    def _remove(self, subscriber: _Subscriber) -> None:
        self._subscribers.remove(subscriber)
        subscriber.lane.close()
        self._sort_out_ticks()
        self._on_left()

    def _sort_out_ticks(self) -> None:
        self._tick_takers = tuple(each for each in self._subscribers if each.wants_ticks)
