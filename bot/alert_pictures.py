"""Pictures of alerts, drawn when they are sent and within a short time; an alert never waits long.

What can't be drawn is logged once and left out: an alert without its picture is still the alert.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from bot.charts.errors import ChartError, ChartUnavailable
from bot.services.alert_kinds import SUMMARY_DAILY, SUMMARY_WEEKLY
from bot.services.forward.alerts import TRADE_CLOSE
from bot.services.forward.runner import ForwardRunner
from bot.services.forward.trade_pictures import TradeSketch
from bot.services.forward.traded_candles import TradedCandles
from bot.services.summary_pictures import SummarySketch
from data.cache import CandleStore
from data.database import Database
from data.errors import DataError
from data.storage.records import OutboxMessage

if TYPE_CHECKING:
    from bot.services.research import Pictures

log = logging.getLogger(__name__)

LIMIT_S: Final = 8.0
_REST_S: Final = 600.0
_KEPT: Final = 24

# Makes the figure of an alert, as JSON.
Sketch = Callable[[OutboxMessage], Awaitable[str]]


class AlertPictures:
    """Draws the pictures of a batch, the newest alerts first, until `limit_s` is over.

    `sketches` makes the figures, by kind of alert. The same picture goes to channel and thread,
    and again with a retry: the last ones are kept. `clock` is monotonic (s).
    """

    def __init__(
        self,
        renderer: "Pictures",
        sketches: Mapping[str, Sketch],
        *,
        limit_s: float = LIMIT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._renderer = renderer
        self._sketches = sketches
        self._limit_s = limit_s
        self._clock = clock
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._drawing: dict[str, asyncio.Task[bytes | None]] = {}
        self._resting_until = -float("inf")
        self._problem: str | None = None

    async def draw(self, messages: Sequence[OutboxMessage]) -> dict[int, bytes]:
        """Return PNG pictures by the ids of those messages that have one; never raises."""
        deadline, found = self._clock() + self._limit_s, dict[int, bytes]()
        for message in reversed(messages):
            if message.kind not in self._sketches:
                continue
            picture = await self._picture(message, deadline)
            if picture is not None:
                found[message.id] = picture
        return found

    async def close(self) -> None:
        """Give up what is still being drawn."""
        tasks = list(self._drawing.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _picture(self, message: OutboxMessage, deadline: float) -> bytes | None:
        name = _name_of(message)
        if name in self._kept:
            self._kept.move_to_end(name)
            return self._kept[name]
        if name not in self._drawing and not self._may_begin(deadline):
            return None
        task = self._drawing.get(name) or self._begin(name, message)
        # Not cancelled when time is over: the renderer notices by itself that its browser hangs,
        # and what comes late is there for the thread, or for a retry.
        done, _ = await asyncio.wait({task}, timeout=max(deadline - self._clock(), 0.0))
        if not done:
            self._note(f"not drawn within {self._limit_s:g} seconds")
            return None
        return None if task.cancelled() else task.result()

    def _may_begin(self, deadline: float) -> bool:
        now = self._clock()
        return not self._drawing and now < deadline and now >= self._resting_until

    def _begin(self, name: str, message: OutboxMessage) -> "asyncio.Task[bytes | None]":
        task = asyncio.create_task(self._draw(name, message), name=f"picture of {name}")
        self._drawing[name] = task
        task.add_done_callback(lambda _: self._drawing.pop(name, None))
        return task

    async def _draw(self, name: str, message: OutboxMessage) -> bytes | None:
        try:
            figure = await self._sketches[message.kind](message)
            picture = await self._renderer.render(figure)
        except ChartUnavailable as error:
            self._resting_until = self._clock() + _REST_S
            self._note(str(error))
            return None
        except (ChartError, DataError) as error:
            self._note(str(error))
            return None
        except Exception as error:
            # The border of all that is only for the eye: no alert may fail for its picture.
            log.exception("the picture of %s", name)
            self._note(f"unexpected {type(error).__name__}")
            return None
        self._kept[name] = picture
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        self._note(None)
        return picture

    def _note(self, problem: str | None) -> None:
        if problem is not None and problem != self._problem:
            log.warning("an alert goes out without its picture: %s", problem)
        elif problem is None and self._problem is not None:
            log.info("alerts have their pictures again")
        self._problem = problem


def make_pictures(
    renderer: "Pictures",
    database: Database,
    store: CandleStore,
    find_runner: Callable[[int], ForwardRunner | None],
    *,
    limit_s: float = LIMIT_S,
) -> AlertPictures:
    """Return what draws the pictures of all kinds of alerts that have one."""
    trades = TradeSketch(database, TradedCandles(store, find_runner))
    summaries = SummarySketch(database)
    sketches: Mapping[str, Sketch] = {
        TRADE_CLOSE: trades,
        SUMMARY_DAILY: summaries,
        SUMMARY_WEEKLY: summaries,
    }
    return AlertPictures(renderer, sketches, limit_s=limit_s)


def _name_of(message: OutboxMessage) -> str:
    """Return an alert's name, the same for each place that it goes to."""
    return message.dedupe_key.removesuffix(f"@{message.channel}")
