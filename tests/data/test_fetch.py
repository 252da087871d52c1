"""A fetch that is cancelled or fails at any moment stores only what is true, and goes on later."""

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import pytest

from data.cache import CandleStore, SeriesKey
from data.errors import ExchangeUnavailable, NoCandles, StoreError
from data.fetch import CandleFetch
from data.ranges import Range
from data.retry import Timing
from data.venues.base import CandleColumns, Instrument, MarketKind
from data.venues.binance import Binance

MINUTE = 60_000
PAGE = 40
NOW = 1_709_251_200_000 + 600 * MINUTE + 17_000  # 2024-03-01 10:00:17
KEY = SeriesKey("binance", "BTC/USDT", "1m")
INSTRUMENT = Instrument("BTC/USDT", "BTCUSDT", MarketKind.SPOT)


class SmallPages(Binance):
    __slots__ = ()

    def page_size(self, instrument, *, is_limited):
        return PAGE


@dataclass
class Exchange:
    """An exchange in this process; `luck` decides how late, how short and how wrong answers are."""

    luck: random.Random
    gaps: list[Range] = field(default_factory=list)
    short_share: float = 0.0
    fault_share: float = 0.0
    venue: Binance = field(default_factory=SmallPages)
    withheld: set[int] = field(default_factory=set)
    name: str = "binance"
    is_rate_limited: bool = True
    timing: Timing = field(default_factory=Timing)

    def in_flight(self, call):
        return 5

    def has(self, time):
        return time <= NOW and not any(start <= time < end for start, end in self.gaps)

    async def ask(self, call, parse, what):
        for _ in range(self.luck.randrange(6)):
            await asyncio.sleep(0)
        if self.luck.random() < self.fault_share:
            raise ExchangeUnavailable(what)
        start, end = call.parameters["startTime"], call.parameters["endTime"]
        first = -(-start // MINUTE) * MINUTE
        times = [t for t in range(first, min(end, NOW) + 1, MINUTE) if self.has(t)][:PAGE]
        if times and self.luck.random() < self.short_share:
            times = self.shorten(times)
        return columns_at(np.array(times, dtype=np.int64))

    def shorten(self, times):
        """Leave the last candles out, each only once: two wrong answers are believed."""
        kept = [
            n for n, time in enumerate(times, 1) if time in self.withheld or n < len(times) // 2
        ]
        times, rest = times[: max(kept, default=0)], times[max(kept, default=0) :]
        self.withheld.update(rest)
        return times


class FillingStore(CandleStore):
    """A store whose disk is full now and then, while `full_share` says so."""

    luck = random.Random(0)
    full_share = 0.0

    def write(self, key, series, *, volume_delta_source):
        if self.luck.random() < self.full_share:
            raise StoreError("no space left")
        return super().write(key, series, volume_delta_source=volume_delta_source)


def columns_at(times):
    price = 100.0 + times // MINUTE % 7
    return CandleColumns(times, price, price + 1, price - 1, price, price, price / 3)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr("data.fetch._WRITE_ALWAYS", 3 * PAGE)
    monkeypatch.setattr("data.fetch._WRITE_AT_MONTH_END", PAGE)


def make_gaps(luck):
    gaps, at = [], NOW // MINUTE * MINUTE - 1100 * MINUTE
    for _ in range(luck.randrange(7)):
        at += luck.randrange(1, 250) * MINUTE
        gaps.append((at, at + luck.randrange(1, 130) * MINUTE))
        at = gaps[-1][1]
    return [gap for gap in gaps if gap[1] < NOW - 30 * MINUTE]


def stored_times(store):
    try:
        candles = store.read(KEY)
    except NoCandles:
        return []
    expected = columns_at(candles.timestamp)
    for name in ("open", "high", "low", "close", "volume", "volume_delta"):
        np.testing.assert_array_equal(getattr(candles, name), getattr(expected, name))
    return candles.timestamp.tolist()


def check_truth(store, exchange):
    for time in stored_times(store):
        assert exchange.has(time)
        assert time + MINUTE <= NOW
    for start, end in store.known_gaps(KEY):
        assert not [time for time in range(start, end, MINUTE) if exchange.has(time)]


async def fetch(store, exchange, asked):
    missing = store.missing_ranges(KEY, *asked)
    await CandleFetch(store, KEY, exchange, INSTRUMENT, now=NOW).run(missing)


@pytest.mark.parametrize("seed", range(30))
async def test_a_fetch_that_ends_anywhere_leaves_nothing_untrue_and_can_be_gone_on_with(
    tmp_path, seed
):
    luck = random.Random(seed)
    store, gaps = FillingStore(tmp_path), make_gaps(luck)
    store.luck, store.full_share = luck, luck.choice([0, 0, 0.3])
    asked = NOW // MINUTE * MINUTE - 1000 * MINUTE, NOW
    for _ in range(4):
        exchange = Exchange(luck, gaps, luck.choice([0, 0.2]), luck.choice([0, 0.05]))
        task = asyncio.create_task(fetch(store, exchange, asked))
        for _ in range(luck.randrange(150)):
            await asyncio.sleep(0)
        for _ in range(luck.randrange(3)):
            task.cancel()
            await asyncio.sleep(0)
        with suppress(asyncio.CancelledError, ExchangeUnavailable, StoreError):
            await task
        check_truth(store, exchange)

    store.full_share = 0.0
    await fetch(store, Exchange(luck, gaps), asked)

    truth = [t for t in range(asked[0], NOW - MINUTE + 1, MINUTE) if Exchange(luck, gaps).has(t)]
    assert [time for time in stored_times(store) if asked[0] <= time] == truth
    assert store.missing_ranges(KEY, asked[0], asked[1] - 30 * MINUTE) == []
