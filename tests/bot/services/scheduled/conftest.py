"""A database, a candle store and a simulated exchange whose time stands still."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.services.market_data import MarketData
from bot.settings import Settings
from data.cache import CandleStore, SeriesKey
from data.database import Database
from data.simulator.clock import SteppedClock
from data.simulator.server import SimulatedExchange

DAY_MS = 86_400_000
START = 1_704_067_200_000  # 2024-01-01


@pytest.fixture
def market_clock() -> SteppedClock:
    return SteppedClock(START + 3 * DAY_MS)


@pytest.fixture
async def exchange(market_clock) -> AsyncIterator[SimulatedExchange]:
    async with SimulatedExchange(seed=7, clock=market_clock, rate_limit=False) as simulated:
        yield simulated


@pytest.fixture
def settings(exchange, tmp_path: Path) -> Settings:
    return Settings.load(
        None,
        exchange="simulated",
        exchange_rest_url=exchange.rest_url,
        exchange_ws_url=exchange.ws_url,
        data_dir=tmp_path / "var",
    )


@pytest.fixture
def store(settings) -> CandleStore:
    return CandleStore(settings.candles_dir)


@pytest.fixture
def market(settings, store) -> MarketData:
    return MarketData(settings, store)


@pytest.fixture
async def database(settings) -> AsyncIterator[Database]:
    async with Database.open(settings.data_dir / "jesse.db") as opened:
        yield opened


@pytest.fixture
def cached(market):
    """Fetch candles of some symbols into the cache: days of January 2024."""

    async def fetch(*symbols, first=1, last=2):
        keys = [SeriesKey("simulated", symbol, "1m") for symbol in symbols]
        async with market.provider() as provider:
            for key in keys:
                await provider.complete(
                    key, START + (first - 1) * DAY_MS, START + (last - 1) * DAY_MS
                )
        return keys

    return fetch
