"""The candles around a forward test's trades, as far as they are known here. Nothing is fetched."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from bot.services.forward.runner import ForwardRunner
from data.cache import CandleStore, SeriesKey
from data.storage.records import ForwardTest
from engine.candles import PRICE_COLUMNS, CandleSeries
from engine.columns import Column

_COLUMNS: Final = ("timestamp", *PRICE_COLUMNS)


class TradedCandles:
    """One-minute candles of forward tests: a running one's engine has the newest, the store others.

    `find_runner` returns what runs a test (by its id) in this process, None where nothing does.
    """

    def __init__(
        self, store: CandleStore, find_runner: Callable[[int], ForwardRunner | None]
    ) -> None:
        self._store = store
        self._find_runner = find_runner

    async def read(self, test: ForwardTest, start: int, end: int) -> CandleSeries:
        """Return the candles that open at start..end (ms, end excluded), fewer where unknown.

        Raises:
            NoCandles: the store has none.
            StoreError: the store can't be read.
        """
        runner = self._find_runner(test.id)
        if runner is not None:
            # What an engine shows of its candles never changes: a thread may read it.
            base = runner.session.engine.market.base
            if len(base) and base["timestamp"][0] <= start:
                columns = {name: base[name] for name in _COLUMNS}
                return await asyncio.to_thread(_part, columns, start, end)
        key = SeriesKey(test.exchange, test.symbol, "1m")
        return await asyncio.to_thread(self._store.read, key, start, end, columns=())


def _part(columns: Mapping[str, Column], start: int, end: int) -> CandleSeries:
    first, stop = np.searchsorted(columns["timestamp"], (start, end)).tolist()
    return CandleSeries("1m", **{name: column[first:stop] for name, column in columns.items()})
