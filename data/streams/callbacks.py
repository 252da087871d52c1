"""A plain function as a listener of one timeframe: coarser candles are made of 1m candles here."""

import asyncio
import inspect
import logging
from collections.abc import Callable

from data.provider import OnCandle
from data.streams.events import (
    CandleArrived,
    CandleRevised,
    FeedFailed,
    StreamDown,
    StreamUp,
    Tick,
)
from engine.candles import Candle, CandleSeries
from engine.timeframe import floor_to_timeframe, is_timeframe_complete

logger = logging.getLogger(__name__)


class CandleMaker:
    """Makes the candles of one timeframe of 1m candles in order; the first begins on the grid."""

    def __init__(self, timeframe: str) -> None:
        self._timeframe = timeframe
        self._parts: list[Candle] = []

    def take(self, candle: Candle) -> list[Candle]:
        """Return the candles that this one completes, or shows to be over."""
        made: list[Candle] = []
        if self._parts and self._open_of(candle) != self._open_of(self._parts[0]):
            made.append(self._make())
        self._parts.append(candle)
        if is_timeframe_complete(candle.timestamp, self._timeframe):
            made.append(self._make())
        return made

    def _open_of(self, candle: Candle) -> int:
        return floor_to_timeframe(candle.timestamp, self._timeframe)

    def _make(self) -> Candle:
        parts, self._parts = self._parts, []
        return CandleSeries.from_candles(parts).aggregate(self._timeframe)[0]


class CallbackListener:
    """Calls a function, plain or asynchronous, with each candle of a timeframe, one at a time."""

    def __init__(
        self, timeframe: str, on_candle: OnCandle, on_failure: Callable[[FeedFailed], None]
    ) -> None:
        self.timeframe = timeframe
        self._maker = CandleMaker(timeframe)
        self._on_candle = on_candle
        self._on_failure = on_failure
        self._queue: asyncio.Queue[Candle] = asyncio.Queue()

    def on_candle(self, event: CandleArrived) -> None:
        """Take the next closed 1m candle."""
        for candle in self._maker.take(event.candle):
            self._queue.put_nowait(candle)

    def on_tick(self, tick: Tick) -> None:
        """Take no notice: ticks are not asked for."""

    def on_outage(self, event: StreamDown | StreamUp) -> None:
        """Take no notice: the candles that are missed come later."""

    def on_revision(self, event: CandleRevised) -> None:
        """Take no notice: a candle is told once."""

    def on_failure(self, event: FeedFailed) -> None:
        """Tell that no candle will come any more."""
        self._on_failure(event)

    async def run(self) -> None:
        """Call the function until cancelled."""
        while True:
            result = self._on_candle(await self._queue.get())
            if inspect.isawaitable(result):
                await result
