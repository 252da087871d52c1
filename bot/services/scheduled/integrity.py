"""Checking the candle store: every file is read, every missing minute named, and fetched again."""

import asyncio
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bot.errors import BotError
from bot.services.market_data import MarketData
from bot.services.own_loop import run_apart
from data.cache import CandleStore
from data.errors import ExchangeError
from data.ranges import Range
from data.series_key import SeriesKey
from engine.timeframe import get_timeframe_ms


class StoreDamaged(BotError):
    """Files of the candle store were damaged; says which, and what became of their candles."""


@dataclass(frozen=True, slots=True)
class Holes:
    """A series with the ranges (ms, end excluded) that are missing between its first and last."""

    key: SeriesKey
    ranges: tuple[Range, ...]

    @property
    def candles(self) -> int:
        """How many candles are missing."""
        step = get_timeframe_ms(self.key.timeframe)
        return sum((end - start) // step for start, end in self.ranges)


@dataclass(frozen=True, slots=True)
class StoreFindings:
    """What reading the whole store found: damaged files are set aside and count as missing."""

    series: int
    holes: tuple[Holes, ...]
    damage: tuple[str, ...]


async def check_candles(market: MarketData, candles_dir: Path, exchange: str) -> str:
    """Read all stored candles and fetch what is missing in between; return what was found.

    Raises:
        StoreDamaged: a file could not be read.
    """
    found = await asyncio.to_thread(examine_store, candles_dir)
    text = f"{found.series:,} series read, "
    if found.holes:
        missing = sum(holes.candles for holes in found.holes)
        text += f"{missing:,} candles missing in {len(found.holes)} of them"
        ours = [holes for holes in found.holes if holes.key.exchange == exchange]
        text += await _mend(market, ours)
    else:
        text += "none lacks a candle"
    if found.damage:
        raise StoreDamaged(f"{text}; {'; '.join(found.damage)}")
    return text


def examine_store(candles_dir: Path) -> StoreFindings:
    """Read every file of the store; blocks for as long as that takes."""
    damage: list[str] = []
    store = CandleStore(candles_dir, on_problem=damage.append)
    keys = store.series()
    holes = [found for key in keys if (found := _find_holes(store, key)).ranges]
    return StoreFindings(len(keys), tuple(holes), tuple(dict.fromkeys(damage)))


def _find_holes(store: CandleStore, key: SeriesKey) -> Holes:
    coverage = store.coverage(key)
    if coverage is None:
        return Holes(key, ())
    end = coverage.last + get_timeframe_ms(key.timeframe)
    return Holes(key, tuple(store.missing_ranges(key, coverage.first, end)))


async def _mend(market: MarketData, holes: list[Holes]) -> str:
    if not holes:
        return ""
    try:
        fetched = await run_apart(partial(_fetch, market, holes))
    except ExchangeError as error:
        return f", not fetched: {error}"
    return f", {fetched:,} of them fetched again"


async def _fetch(market: MarketData, all_holes: list[Holes]) -> int:
    fetched = 0
    async with market.provider() as provider:
        for holes in all_holes:
            for start, end in holes.ranges:
                fetched += (await provider.complete(holes.key, start, end)).fetched
    return fetched
