"""What waits for a runner: market events, and what people order, as it came. No engine here."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from data.storage.records import StepRecord
from data.streams.events import (
    CandleArrived,
    CandleRevised,
    FeedFailed,
    StreamDown,
    StreamUp,
    Tick,
)
from engine.candles import Candle


class Order:
    """A change asked for by a person, carried out between two market events."""

    def __init__(self, change: Callable[[], StepRecord]) -> None:
        self.change = change
        self.done: asyncio.Future[StepRecord] = asyncio.get_running_loop().create_future()

    def fulfil(self, record: StepRecord) -> None:
        """Tell whoever asked, who may have gone."""
        if not self.done.done():
            self.done.set_result(record)

    def refuse(self, error: Exception) -> None:
        """Tell whoever asked, who may have gone, why it isn't carried out."""
        if not self.done.done():
            self.done.set_exception(error)


@dataclass(frozen=True, slots=True)
class LookedAt:
    """A trade that was looked at as it came: the step it led to, or what was raised."""

    outcome: StepRecord | Exception

    def record(self) -> StepRecord:
        """Return the step, or raise what was raised."""
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


Seldom = CandleArrived | CandleRevised | StreamDown | StreamUp | FeedFailed | Order | LookedAt
Waiting = Tick | Seldom


class Inbox:
    """A queue with one taker."""

    def __init__(self) -> None:
        self._waiting: deque[Waiting] = deque()
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, event: Waiting) -> None:
        """Add what comes last."""
        self._waiting.append(event)
        self._arrived.set()

    def take_along(self, event: CandleArrived, limit: int) -> list[Candle]:
        """Return a candle and those of its kind that wait right behind it; these are taken."""
        found = [event.candle]
        while self._waiting and len(found) < limit:
            behind = self._waiting[0]
            if not isinstance(behind, CandleArrived) or behind.backfilled != event.backfilled:
                break
            found.append(behind.candle)
            self._waiting.popleft()
        return found

    def take(self) -> Waiting:
        """Take what comes next; there must be something."""
        return self._waiting.popleft()

    async def arrived(self) -> None:
        """Wait until something waits."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()

    def refuse_orders(self, error: Exception) -> None:
        """Drop all that waits, and tell those who ordered."""
        while self._waiting:
            event = self._waiting.popleft()
            if isinstance(event, Order):
                event.refuse(error)
