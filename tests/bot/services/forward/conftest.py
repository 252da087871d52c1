"""Forward tests on a simulated exchange whose time moves only when a test says so."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.services.forward.ports import unstored
from bot.services.forward.rerun import Comparer
from bot.services.forward.session import ForwardConfig, ForwardSession
from bot.services.market_data import MarketData
from data.cache import CandleStore
from data.storage.records import NewForwardTest
from engine.candles import Candle, CandleSeries
from tests.soak.world import MINUTE_MS, World, open_world

BEGIN = 1_704_067_200_000


@pytest.fixture
def strategies(tmp_path: Path) -> Path:
    """A folder of strategies that tests write themselves."""
    folder = tmp_path / "strategies"
    folder.mkdir()
    return folder


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Candles alone and ticks of a quiet exchange; the strategy at hand is `busy`."""
    async with open_world(tmp_path, speed_up=20.0) as opened:
        yield opened


@pytest.fixture
def make_session():
    """Make the session of a strategy class, warmed up with an hour of candles at 100."""
    return _make_session


@pytest.fixture
def flat_candles():
    """Make candles that open, close and stand at the prices given, one a minute."""
    return _flat_candles


@pytest.fixture
def fake_store():
    return FakeStore


@pytest.fixture
def comparison_of():
    """Compare a test of a world with the backtest of its period."""
    return _compare


class _InThread:
    """Does in a thread what worker processes do."""

    async def run(self, function, argument, *, on_progress=None):
        return await asyncio.to_thread(function, argument, lambda _: None)


async def _compare(world, database, test):
    market = MarketData(world.settings, CandleStore(world.settings.candles_dir))
    return await Comparer(world.settings, database, market, _InThread()).compare(test)


class FakeStore:
    """Keeps what it is given; `errors` are raised one by one by the next commits."""

    def __init__(self):
        self.records, self.events, self.statuses, self.errors = [], [], [], []
        self.gate = asyncio.Event()
        self.gate.set()

    async def commit_step(self, record):
        await self.gate.wait()
        if self.errors:
            raise self.errors.pop(0)
        self.records.append(record)
        return True

    async def save_event(self, test_id, event):
        self.events.append(event)

    async def set_forward_test_status(self, test_id, status, *, fault=None):
        self.statuses.append((str(status), fault))

    @property
    def trades(self):
        return [trade for record in self.records for trade in record.trades]


def _make_session(strategy, *, ticks=True, begin=True, state=None):
    config = ForwardConfig(BEGIN - 60 * MINUTE_MS, BEGIN, fee_rate=0.0, ticks=ticks)
    new = NewForwardTest(
        name="t",
        strategy="own",
        params={},
        symbol="X/USDT",
        exchange="simulated",
        config=config.to_json(),
    )
    session = ForwardSession(unstored(new), strategy)
    if begin:
        session.begin(_flat_candles([100.0] * 60, first=BEGIN - 60 * MINUTE_MS))
    return session


def _flat_candles(prices, first=BEGIN):
    return CandleSeries.from_candles(
        [Candle(first + i * MINUTE_MS, p, p, p, p, 1.0) for i, p in enumerate(prices)]
    )
