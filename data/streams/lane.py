"""A sequencer with its gap filler: asks REST for what is missing until candles are whole again.

Sockets and listeners are not known here.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from data.errors import DataError
from data.ranges import Range
from data.retry import Timing
from data.streams.events import Revision
from data.streams.policy import StreamPolicy
from data.streams.sequencer import CandleSequencer, Released
from data.streams.tasks import OnDeath, TaskOwner
from engine.candles import Candle, format_time
from engine.timeframe import MINUTE_MS

logger = logging.getLogger(__name__)

FetchCandles: TypeAlias = Callable[[int, int], Awaitable[Sequence[Candle]]]
_AT_ONCE: Final = 500


class Lane:
    """Delivers a symbol's candles in order and complete, from the stream and from REST.

    `fetch` returns the closed candles that open at start..end (ms, end excluded). `on_revised` is
    told of candles that differ from what was delivered.
    """

    def __init__(
        self,
        name: str,
        next_open: int,
        *,
        fetch: FetchCandles,
        deliver: Callable[[Released], None],
        timing: Timing,
        policy: StreamPolicy,
        tasks: TaskOwner,
        on_death: OnDeath,
        on_revised: Callable[[Revision], None],
    ) -> None:
        self.name = name
        self.sequencer = CandleSequencer(next_open)
        self._fetch = fetch
        self._deliver = deliver
        self._timing = timing
        self._policy = policy
        self._tasks = tasks
        self._on_death = on_death
        self._on_revised = on_revised
        self._target = next_open
        self._filling: asyncio.Task[None] | None = None
        self._rechecking: asyncio.Task[None] | None = None
        self._rechecked_until = next_open

    @property
    def next_open(self) -> int:
        """Return the open time (ms) of the candle that comes next."""
        assert self.sequencer.next_open is not None
        return self.sequencer.next_open

    @property
    def is_filling(self) -> bool:
        """Tell whether REST is being asked."""
        return self._filling is not None

    def receive(self, candle: Candle) -> None:
        """Take a closed candle of the stream."""
        self._accept(self.sequencer.receive(candle))

    def pass_on(self, released: Released) -> None:
        """Take a candle that another lane delivers."""
        self._accept(self.sequencer.pass_on(released))

    def compare(self, candle: Candle) -> None:
        """Take another lane's word on a candle that this one may have delivered."""
        if candle.timestamp < self.next_open:
            self.receive(candle)

    def recheck(self) -> None:
        """Ask REST for what was delivered since the last time; tell what it has otherwise."""
        oldest = self.sequencer.oldest_open
        if oldest is not None and self._rechecking is None:
            work = self._recheck(max(oldest, self._rechecked_until), self.next_open)
            self._rechecking = self._tasks.spawn(f"recheck {self.name}", work, self._on_death)

    def fill_until(self, end: int) -> None:
        """Ask REST for the candles that open before `end` (ms) and haven't come."""
        self._target = max(self._target, end)
        if self._target > self.next_open:
            self._start(0.0)

    def close(self) -> None:
        """Ask and deliver no more."""
        for task in (self._filling, self._rechecking):
            if task is not None:
                task.cancel()

    def _accept(self, released: Sequence[Released]) -> None:
        self._release(released)
        if self.sequencer.gap:
            self._start(self._policy.gap_grace_s)

    def _start(self, grace_s: float) -> None:
        if self._filling is None:
            work = self._fill(grace_s)
            self._filling = self._tasks.spawn(f"backfill {self.name}", work, self._on_death)

    async def _fill(self, grace_s: float) -> None:
        try:
            if grace_s:
                await self._timing.sleep(grace_s)
            fruitless = 0
            while (wanted := self._wanted()) is not None:
                before = self.next_open
                await self._take(await self._fetched(wanted))
                if self.next_open != before:
                    fruitless = 0
                    continue
                if self.sequencer.gap is None:
                    self._target = self.next_open
                    return  # nothing newer exists yet
                fruitless += 1
                await self._doubt(fruitless)
        finally:
            self._filling = None

    async def _recheck(self, start: int, end: int) -> None:
        try:
            await self._take(await self._fetch(start, end))
            self._rechecked_until = end
        except DataError as error:
            logger.debug("%s: not rechecked: %s", self.name, error)
        finally:
            self._rechecking = None

    def _wanted(self) -> Range | None:
        """Return the range to ask for: one candle on either side of the gap comes along."""
        gap = self.sequencer.gap
        end = gap[1] + MINUTE_MS if gap else self._target
        if end <= self.next_open:
            return None
        is_begun = self.sequencer.last_open == self.next_open - MINUTE_MS
        return self.next_open - MINUTE_MS * is_begun, end

    async def _fetched(self, wanted: Range) -> Sequence[Candle]:
        failures = 0
        while True:
            try:
                return await self._fetch(*wanted)
            except DataError as error:
                failures += 1
                logger.warning(
                    "%s: the candles from %s are still missing: %s",
                    self.name,
                    format_time(wanted[0]),
                    error,
                )
                delay = self._policy.refetch.delay_s(min(failures, 32), self._timing.random())
                await self._timing.sleep(delay)

    async def _take(self, candles: Sequence[Candle]) -> None:
        for first in range(0, len(candles), _AT_ONCE):
            self._release(self.sequencer.backfill(candles[first : first + _AT_ONCE]))
            await asyncio.sleep(0)

    async def _doubt(self, fruitless: int) -> None:
        """Wait before asking again, or believe that the candles don't exist."""
        if fruitless < self._policy.confirm_tries:
            await self._timing.sleep(self._policy.confirm_s)
            return
        logger.warning(
            "%s: REST has no candle from %s on after %d answers: taken as missing",
            self.name,
            format_time(self.next_open),
            fruitless,
        )
        self._release(self.sequencer.give_up_gap())

    def _release(self, released: Sequence[Released]) -> None:
        for item in released:
            self._deliver(item)
        for revision in self.sequencer.take_revised():
            self._on_revised(revision)
