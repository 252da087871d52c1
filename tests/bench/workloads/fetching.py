"""Fetching from the simulated exchange into an empty store, against bare GETs of the same pages.

The exchange has a process of its own and no rate limit; both sides keep as many requests in flight.
"""

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import aiohttp

from data.cache import CandleStore, sha256_of
from data.exchange import ExchangeSettings
from data.historical import HistoricalDataProvider
from engine.timeframe import DAY_MS
from tests.bench import market
from tests.bench.exchange import PAGES
from tests.bench.measuring import (
    DAY_CANDLES,
    EXCHANGE,
    ROOT,
    START_MS,
    Context,
    Meter,
    WrongResult,
    timed,
)

# Less than the exchange keeps in memory: what it takes to invent prices is not measured.
_DAYS: Final = 150
_QUICK_DAYS: Final = 40
_IN_FLIGHT: Final = 8


@contextmanager
def ours(context: Context, _option: str) -> Iterator[Meter]:
    """Fetch through the provider, each time into a new store, and compare what is stored."""
    days = _days(context)
    end = START_MS + days * DAY_MS
    expected = sha256_of(market.store(context).read(market.key(), START_MS, end))
    with _exchange() as url, asyncio.Runner() as runner:

        def measure() -> Mapping[str, float]:
            with tempfile.TemporaryDirectory(prefix="jesse-bench-") as folder:
                store = CandleStore(Path(folder))
                with timed() as watch:
                    runner.run(_fetch(url, days, store))
                if sha256_of(store.read(market.key())) != expected:
                    raise WrongResult("what is stored is not what the market holds")
            return {"rate": days * DAY_CANDLES / watch.seconds}

        yield Meter(measure)


@contextmanager
def reference(context: Context, _option: str) -> Iterator[Meter]:
    """Get the same pages as bytes and drop them."""
    days = _days(context)
    with _exchange() as url, asyncio.Runner() as runner:
        with tempfile.TemporaryDirectory(prefix="jesse-bench-") as folder:
            runner.run(_fetch(url, days, CandleStore(Path(folder))))
        pages: list[str] = runner.run(_pages(url))

        def measure() -> Mapping[str, float]:
            with timed() as watch:
                runner.run(_get_all(url, pages))
            return {"rate": days * DAY_CANDLES / watch.seconds}

        yield Meter(measure)


def _days(context: Context) -> int:
    return _QUICK_DAYS if context.is_quick else _DAYS


@contextmanager
def _exchange() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.exchange"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait()


async def _fetch(url: str, days: int, store: CandleStore) -> None:
    settings = ExchangeSettings(EXCHANGE, rest_url=url)
    async with HistoricalDataProvider(store, settings) as provider:
        end = START_MS + days * DAY_MS
        summary = await provider.complete(market.key(), START_MS, end)
    if summary.fetched != days * DAY_CANDLES:
        raise WrongResult(f"{summary.fetched} candles fetched of {days * DAY_CANDLES}")


async def _pages(url: str) -> list[str]:
    async with aiohttp.ClientSession(url) as session, session.get(PAGES) as answer:
        pages: list[str] = await answer.json()
        return pages


async def _get_all(url: str, pages: list[str]) -> None:
    slots = asyncio.Semaphore(_IN_FLIGHT)
    async with aiohttp.ClientSession(url) as session:

        async def get(page: str) -> None:
            async with slots, session.get(page) as answer:
                answer.raise_for_status()
                await answer.read()

        await asyncio.gather(*map(get, pages))
