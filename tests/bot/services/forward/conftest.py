"""Forward tests on a simulated exchange whose time moves only when a test says so."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.services.forward.compose import open_forward
from bot.services.forward.service import ForwardService
from bot.settings import Settings
from data.database import Database
from data.simulator.clock import SteppedClock
from data.simulator.server import SimulatedExchange
from tests.conftest import PROJECT_ROOT

DAY_MS = 86_400_000
START = 1_704_067_200_000


class Watcher:
    """Remembers what it was told, and wakes who waits for a candle."""

    def __init__(self):
        self.steps, self.faults, self.recoveries = [], [], []
        self.changed = asyncio.Condition()
        self._wakers = set()

    def on_step(self, runner, record):
        self.steps.append(record)
        self._wake()

    def on_fault(self, runner, reason):
        self.faults.append((runner.session.test.name, reason))
        self._wake()

    def on_recovered(self, runner, away):
        self.recoveries.append((runner.session.test.name, away))

    def _wake(self):
        async def notify():
            async with self.changed:
                self.changed.notify_all()

        task = asyncio.get_running_loop().create_task(notify())
        self._wakers.add(task)
        task.add_done_callback(self._wakers.discard)

    async def wait_until(self, predicate: Callable[[], bool]):
        async with asyncio.timeout(120), self.changed:
            await self.changed.wait_for(predicate)


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(START + 60 * DAY_MS + 30_500)


@pytest.fixture
async def exchange(clock) -> AsyncIterator[SimulatedExchange]:
    async with SimulatedExchange(
        seed=7, clock=clock, rate_limit=False, kline_updates=False
    ) as simulated:
        yield simulated


@pytest.fixture
def settings(exchange, tmp_path: Path) -> Settings:
    return Settings.load(
        exchange="simulated",
        exchange_rest_url=exchange.rest_url,
        exchange_ws_url=exchange.ws_url,
        data_dir=tmp_path / "var",
        strategies_dir=PROJECT_ROOT / "strategies",
        slippage_bps=1.0,
    )


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()


@pytest.fixture
def process(settings, watcher):
    """Open database and service as one process does; leaving the block is its end."""

    @asynccontextmanager
    async def run() -> AsyncIterator[tuple[ForwardService, Database]]:
        async with (
            Database.open(settings.data_dir / "jesse.db") as database,
            open_forward(settings, database, watcher) as service,
        ):
            yield service, database

    return run


@pytest.fixture
def advance(clock, watcher):
    """Move market time and wait until every running test has seen the last closed candle."""

    async def move(service: ForwardService, until: int):
        # The closing frame of a minute comes up to a second after its close.
        await clock.advance_to(until + 2_000)
        wanted = until // 60_000 * 60_000 - 60_000
        await watcher.wait_until(
            lambda: all(
                r.fault or (r.session.last_open_time or 0) >= wanted for r in service.runners()
            )
        )

    return move
