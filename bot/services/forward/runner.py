"""Runs one forward test: takes market events in order, steps its session, stores each step.

Nothing is told and nothing goes on before a step is stored: what happened is what is on disk.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from bot.services.forward.session import ForwardSession
from data.errors import StoreError
from data.storage.records import ForwardEvent, ForwardTestStatus, StepRecord
from data.streams.events import CandleArrived, FeedFailed, StreamDown, StreamUp, Tick
from engine.candles import Candle, CandleSeries
from engine.errors import StrategyError
from engine.timeframe import MINUTE_MS

log = logging.getLogger(__name__)

_LARGEST_BLOCK: Final = 500

MarketEvent = CandleArrived | Tick | StreamDown | StreamUp | FeedFailed


class StepStore(Protocol):
    """Stores steps and states of forward tests; the database is one."""

    async def commit_step(self, record: StepRecord) -> bool:
        """Store a step whole."""

    async def save_event(self, test_id: int, event: ForwardEvent) -> None:
        """Store what happened beside the engine."""

    async def set_forward_test_status(
        self, test_id: int, status: ForwardTestStatus, *, fault: str | None = None
    ) -> None:
        """Store what the test is doing."""


class RunnerWatcher(Protocol):
    """Is told of what a runner did; must not raise."""

    def on_step(self, runner: "ForwardRunner", record: StepRecord) -> None:
        """Note that a step was stored."""

    def on_fault(self, runner: "ForwardRunner", reason: str) -> None:
        """Note that the test can't go on by itself."""


class _Order:
    """A change asked for by a person, carried out between two market events."""

    def __init__(self, change: Callable[[], StepRecord]) -> None:
        self.change = change
        self.done: asyncio.Future[StepRecord] = asyncio.get_running_loop().create_future()


class ForwardRunner:
    """A session with its queue and task; a `MarketListener` of its symbol.

    `until` (ms) stops it cleanly once a candle closes at or after that market time.
    """

    def __init__(
        self,
        session: ForwardSession,
        store: StepStore,
        watcher: RunnerWatcher,
        *,
        until: int | None = None,
    ) -> None:
        self.session = session
        self.fault: str | None = None
        self.down_since: int | None = None
        self.last_candle_received: int | None = None
        self.reached_end = asyncio.Event()
        self.faulted = asyncio.Event()
        self._store = store
        self._watcher = watcher
        self._until = until
        self._waiting: deque[MarketEvent | _Order] = deque()
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def backlog(self) -> int:
        """How many events wait."""
        return len(self._waiting)

    def start(self) -> None:
        """Begin to work on the queue."""
        self._note_end(self.session.last_open_time)
        name = f"forward test {self.session.test.name}"
        self._task = asyncio.create_task(self._run(), name=name)

    async def stop(self) -> None:
        """End after the event at work; what waits is lost, and comes again over REST."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def order(self, change: Callable[[], StepRecord]) -> StepRecord:
        """Carry a change out between two market events and store it; raises what it raises."""
        order = _Order(change)
        self._put(order)
        return await order.done

    def on_candle(self, event: CandleArrived) -> None:
        """Take the next closed candle."""
        self._put(event)

    def on_tick(self, tick: Tick) -> None:
        """Take a trade; without a position and a backlog it only moves the price."""
        session = self.session
        if not self._waiting and not session.engine.portfolio.has_position:
            session.on_tick(tick.price, tick.time_ms)
        else:
            self._put(tick)

    def on_outage(self, event: StreamDown | StreamUp) -> None:
        """Take that the stream broke, or is back."""
        self._put(event)

    def on_failure(self, event: FeedFailed) -> None:
        """Take that no more data will come."""
        self._put(event)

    async def take(self, missed: CandleSeries) -> None:
        """Let candles pass that were missed, and store the step."""
        await self._guarded(lambda: self.session.on_candles(missed, recovered=True))

    def _put(self, event: MarketEvent | _Order) -> None:
        self._waiting.append(event)
        self._arrived.set()

    async def _next(self) -> MarketEvent | _Order:
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        return self._waiting.popleft()

    async def _run(self) -> None:
        while True:
            event = await self._next()
            try:
                await self._handle(event)
            except StoreError as error:
                await self._stand_still(f"state can't be stored: {error}")
                return
            except Exception as error:
                log.exception("forward test %s failed", self.session.test.name)
                await self._stand_still(f"unexpected {type(error).__name__}: {error}")
                return

    async def _handle(self, event: MarketEvent | _Order) -> None:
        if isinstance(event, Tick):
            await self._tick(event)
        elif isinstance(event, CandleArrived):
            await self._candle(event)
        elif isinstance(event, _Order):
            await self._carry_out(event)
        elif isinstance(event, FeedFailed):
            await self._stand_still(f"no more market data: {event.reason}")
        else:
            await self._note_outage(event)

    async def _tick(self, tick: Tick) -> None:
        if self.reached_end.is_set():
            return
        record = self.session.on_tick(tick.price, tick.time_ms)
        if record is not None:
            await self._commit(record)

    async def _candle(self, event: CandleArrived) -> None:
        block = self._take_along(event)
        if not block:
            return
        self.last_candle_received = event.received_ms
        # A candle from REST stands for an outage: its close is the price there was, no tick is.
        if event.backfilled:
            self.session.executor.forget_ticks()
        series = CandleSeries.from_candles(block)
        await self._guarded(lambda: self.session.on_candles(series, recovered=event.backfilled))
        self._note_end(block[-1].timestamp)

    def _take_along(self, event: CandleArrived) -> list[Candle]:
        """Return a candle and those that wait right behind it, without any seen or too late."""
        last = self.session.last_open_time or 0
        found: list[Candle] = []
        next_event: MarketEvent | _Order | None = event
        while isinstance(next_event, CandleArrived) and next_event.backfilled == event.backfilled:
            candle = next_event.candle
            is_over = self.reached_end.is_set() or self._is_end(last)
            if candle.timestamp > last and not is_over:
                found.append(candle)
                last = candle.timestamp
            if next_event is not event:
                self._waiting.popleft()
            next_event = self._waiting[0] if len(found) < _LARGEST_BLOCK and self._waiting else None
        return found

    def _is_end(self, open_time: int) -> bool:
        return self._until is not None and open_time + MINUTE_MS >= self._until

    def _note_end(self, open_time: int | None) -> None:
        if open_time is not None and self._is_end(open_time):
            self.reached_end.set()

    async def _carry_out(self, order: _Order) -> None:
        try:
            record = order.change()
        except Exception as error:  # noqa: BLE001 - told to whoever asked, the test goes on
            order.done.set_exception(error)
            return
        await self._commit(record)
        if not order.done.done():
            order.done.set_result(record)

    async def _guarded(self, step: Callable[[], StepRecord]) -> None:
        """Step; a strategy that raises is put to rest, its positions stay watched."""
        try:
            record = step()
        except StrategyError as error:
            await self._commit(self.session.rest())
            await self._set_fault(str(error))
            return
        await self._commit(record)

    async def _commit(self, record: StepRecord) -> None:
        await self._store.commit_step(record)
        self._watcher.on_step(self, record)

    async def _note_outage(self, event: StreamDown | StreamUp) -> None:
        if isinstance(event, StreamDown):
            self.down_since = event.since_ms
            told = ForwardEvent(event.since_ms, "stream_down", {"reason": event.reason})
        else:
            self.down_since = None
            gap = {"gap_from": event.gap_from, "gap_to": event.gap_to}
            told = ForwardEvent(event.gap_to, "stream_up", gap)
        await self._store.save_event(self.session.test.id, told)

    async def _set_fault(self, reason: str) -> None:
        self.fault = reason
        self.faulted.set()
        log.error("forward test %s is faulted: %s", self.session.test.name, reason)
        await self._store.set_forward_test_status(
            self.session.test.id, ForwardTestStatus.FAULTED, fault=reason
        )
        self._watcher.on_fault(self, reason)

    async def _stand_still(self, reason: str) -> None:
        """Stop trading: the stored state is the truth, and the test can be resumed from it."""
        try:
            await self._set_fault(reason)
        except StoreError:
            log.exception("the fault of %s could not be stored", self.session.test.name)
            self._watcher.on_fault(self, reason)
        self._refuse_orders(reason)

    def _refuse_orders(self, reason: str) -> None:
        while self._waiting:
            event = self._waiting.popleft()
            if isinstance(event, _Order) and not event.done.done():
                event.done.set_exception(StoreError(reason))
