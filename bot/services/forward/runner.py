"""Runs one forward test: takes market events in order, steps its session, stores each step.

Nothing is told and nothing goes on before a step is stored: what happened is what is on disk.
Where that fails the runner stands still; who revives it begins with what is stored.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from bot.errors import InvalidInput
from bot.services.forward.funding import FundingWatch
from bot.services.forward.inbox import Inbox, LookedAt, Order, Seldom
from bot.services.forward.revisions import told_of_revision
from bot.services.forward.session import ForwardSession
from bot.services.forward.storing import RunnerWatcher, StepStore, is_lasting, told_of_outage
from bot.services.forward.ticks import TickWatch
from bot.services.forward.turns import Turns
from data.errors import StoreError
from data.storage.records import ForwardTestStatus, StepRecord
from data.streams.events import (
    CandleArrived,
    CandleRevised,
    FeedFailed,
    StreamDown,
    StreamUp,
    Tick,
)
from engine.candles import Candle, CandleSeries
from engine.timeframe import MINUTE_MS

log = logging.getLogger(__name__)

_LARGEST_BLOCK: Final = 500
_WITHOUT_PAUSE: Final = 128


class ForwardRunner:
    """A session with its queue and task; a `MarketListener` of its symbol.

    `until` (ms) stops it cleanly once a candle closes at or after that market time. `fault` says
    why the strategy rests or why nothing goes on any more; `is_interrupted` that it stands still
    for what passes, such as a full disk: revived from its stored state it goes on. Runners that
    share `turns` don't all decide in one go.
    """

    def __init__(
        self,
        session: ForwardSession,
        store: StepStore,
        watcher: RunnerWatcher,
        *,
        until: int | None = None,
        funding: FundingWatch | None = None,
        turns: Turns | None = None,
    ) -> None:
        self.session = session
        self.fault = session.fault
        self.is_interrupted = False
        self.down_since: int | None = None
        self.last_candle_received: int | None = None
        self.reached_end = asyncio.Event()
        self.faulted = asyncio.Event()
        self._store = store
        self._watcher = watcher
        self._until = until
        self._funding = funding
        self._turns = turns or Turns()
        self._ticks = TickWatch(session)
        self._is_busy = False
        self._inbox = Inbox()
        self._task: asyncio.Task[None] | None = None

    @property
    def backlog(self) -> int:
        """How many events wait."""
        return len(self._inbox)

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
        self._inbox.refuse_orders(self._not_now("it was stopped"))

    async def order(self, change: Callable[[], StepRecord]) -> StepRecord:
        """Carry a change out between two market events and store it; raises what it raises.

        Raises:
            InvalidInput: the test stands still; says why.
        """
        if self._task is None or self._task.done():
            raise self._not_now(self.fault or "it is not running")
        order = Order(change)
        self._inbox.put(order)
        return await order.done

    def on_candle(self, event: CandleArrived) -> None:
        """Take the next closed candle."""
        self._inbox.put(event)

    def on_tick(self, tick: Tick) -> None:
        """Take a trade: it is looked at now, unless something comes before it."""
        session = self.session
        if self._inbox or self._is_busy or self._task is None:
            self._inbox.put(tick)
        elif not session.engine.portfolio.has_position:
            session.see_price(tick.price, tick.time_ms)
        else:
            self._look_now(tick)

    def on_outage(self, event: StreamDown | StreamUp) -> None:
        """Take that the stream broke, or is back."""
        self._inbox.put(event)

    def on_revision(self, event: CandleRevised) -> None:
        """Take that a candle was not final; what was traded at it stays."""
        self._inbox.put(event)

    def on_failure(self, event: FeedFailed) -> None:
        """Take that no more data will come."""
        self._inbox.put(event)

    async def take(self, missed: CandleSeries) -> None:
        """Let candles pass that were missed, and store the step."""
        await self._step(missed, recovered=True)

    async def report_fault(self, reason: str) -> None:
        """Store and tell that the test can't go on by itself; what is open stays watched."""
        self.fault = reason
        self.faulted.set()
        log.error("forward test %s is faulted: %s", self.session.test.name, reason)
        await self._store.set_forward_test_status(
            self.session.test.id, ForwardTestStatus.FAULTED, fault=reason
        )
        self._watcher.on_fault(self, reason)

    async def _run(self) -> None:
        while True:
            await self._inbox.arrived()
            try:
                self._is_busy = True
                await self._work_off()
                self._is_busy = False
            except StoreError as error:
                reason = f"state can't be stored: {error}"
                await self._stand_still(reason, lasting=is_lasting(error))
                return
            except Exception as error:
                log.exception("forward test %s failed", self.session.test.name)
                reason = f"unexpected {type(error).__name__}: {error}"
                await self._stand_still(reason, lasting=True)
                return

    async def _work_off(self) -> None:
        """Handle all that waits, with pauses: a backlog of trades must not hold others up."""
        handled = 0
        while self._inbox:
            event = self._inbox.take()
            handled += 1
            if not isinstance(event, Tick):
                await self._handle(event)
            elif (record := self._look_at(event)) is not None:
                await self._store_tick(record)
            if handled % _WITHOUT_PAUSE == 0:
                await asyncio.sleep(0)

    async def _handle(self, event: Seldom) -> None:
        if isinstance(event, CandleArrived):
            await self._candle(event)
        elif isinstance(event, LookedAt):
            await self._store_tick(event.record())
        elif isinstance(event, Order):
            await self._carry_out(event)
        elif isinstance(event, CandleRevised):
            await self._store.save_event(self.session.test.id, told_of_revision(event.revision))
        elif isinstance(event, FeedFailed):
            await self.report_fault(f"no more market data: {event.reason}")
        else:
            await self._note_outage(event)

    def _look_now(self, tick: Tick) -> None:
        """Look at a trade without a way through the task; whatever comes of it is left to that."""
        try:
            outcome: StepRecord | Exception | None = self._look_at(tick)
        except Exception as error:  # noqa: BLE001 - raised again by the task
            outcome = error
        if outcome is not None:
            self._inbox.put(LookedAt(outcome))

    def _look_at(self, tick: Tick) -> StepRecord | None:
        return None if self.reached_end.is_set() else self._ticks.look_at(tick)

    async def _store_tick(self, record: StepRecord) -> None:
        await self._commit(record)
        await self._note_strategy_fault()

    async def _candle(self, event: CandleArrived) -> None:
        await self._turns.take()
        block = self._take_along(event)
        if not block:
            return
        self.last_candle_received = event.received_ms
        await self._add_funding(block)
        await self._step(CandleSeries.from_candles(block), recovered=event.backfilled)
        self._note_end(block[-1].timestamp)
        if not self.reached_end.is_set():
            for record in self._ticks.look_at_held():
                await self._store_tick(record)

    async def _add_funding(self, block: Sequence[Candle]) -> None:
        watch, close_time = self._funding, block[-1].timestamp + MINUTE_MS
        if watch is None or not watch.is_due(close_time):
            return
        engine = self.session.engine
        if engine.portfolio.has_position or engine.pending or len(block) > 1:
            self.session.add_funding(await watch.due(close_time))
        else:
            watch.pass_over(close_time)

    async def _step(self, block: CandleSeries, *, recovered: bool) -> None:
        for record in self.session.on_candles(block, recovered=recovered):
            await self._commit(record)
        await self._note_strategy_fault()

    def _take_along(self, event: CandleArrived) -> list[Candle]:
        """Return a candle and those that wait right behind it, without any seen or too late."""
        last = self.session.last_open_time or 0
        found: list[Candle] = []
        for candle in self._inbox.take_along(event, _LARGEST_BLOCK):
            is_over = self.reached_end.is_set() or self._is_end(last)
            if candle.timestamp > last and not is_over:
                found.append(candle)
                last = candle.timestamp
        return found

    def _is_end(self, open_time: int) -> bool:
        return self._until is not None and open_time + MINUTE_MS >= self._until

    def _note_end(self, open_time: int | None) -> None:
        if open_time is not None and self._is_end(open_time):
            self.reached_end.set()

    async def _carry_out(self, order: Order) -> None:
        if order.done.done():
            return
        try:
            record = order.change()
        except Exception as error:  # noqa: BLE001 - told to whoever asked, the test goes on
            order.refuse(error)
            return
        try:
            await self._commit(record)
        except BaseException as error:
            order.refuse(self._not_now(str(error) or "it was stopped"))
            raise
        order.fulfil(record)
        await self._note_strategy_fault()

    async def _commit(self, record: StepRecord) -> None:
        await self._store.commit_step(record)
        self._watcher.on_step(self, record)

    async def _note_outage(self, event: StreamDown | StreamUp) -> None:
        self.down_since = event.since_ms if isinstance(event, StreamDown) else None
        await self._store.save_event(self.session.test.id, told_of_outage(event))

    async def _note_strategy_fault(self) -> None:
        """Tell of a strategy that was put to rest in the step that is stored now."""
        fault = self.session.fault
        if fault is not None and self.fault is None:
            await self.report_fault(fault)

    async def _stand_still(self, reason: str, *, lasting: bool) -> None:
        """Stop trading: the stored state is the truth, and the test can be revived from it."""
        self.is_interrupted = not lasting
        if lasting:
            try:
                await self.report_fault(reason)
                self._inbox.refuse_orders(self._not_now(reason))
                return
            except StoreError:
                log.exception("the fault of %s could not be stored", self.session.test.name)
        self.fault = reason
        self.faulted.set()
        log.error("forward test %s stands still: %s", self.session.test.name, reason)
        self._watcher.on_fault(self, reason)
        self._inbox.refuse_orders(self._not_now(reason))

    def _not_now(self, reason: str) -> InvalidInput:
        return InvalidInput(f"forward test {self.session.test.name} stands still: {reason}")
