"""Fixtures: the whole bot, unmodified, connected to a sandbox; candles made here, no exchange."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from bot.app import App, build_app
from bot.client import ClientOptions
from bot.sandbox.clock import ManualClock
from bot.sandbox.ratelimits import Limit, RateLimits
from bot.sandbox.redirect import redirect_discord
from bot.sandbox.server import SandboxDiscord
from bot.settings import Settings
from data.cache import CandleStore, SeriesKey
from engine.candles import CandleSeries
from engine.timeframe import get_timeframe_ms

STRATEGIES = Path(__file__).resolve().parents[2] / "strategies"
START_MS = 1_704_067_200_000  # 2024-01-01
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 64


class FakePictures:
    """Draws nothing, or fails as it is told."""

    def __init__(self) -> None:
        self.drawn: list[str] = []
        self.error: Exception | None = None
        self.data = PNG

    async def render(self, figure: str) -> bytes:
        self.drawn.append(figure)
        if self.error is not None:
            raise self.error
        return self.data


class ThreadPool:
    """Runs work in a thread of this process; `gate` holds every piece up until it is set."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.started = asyncio.Event()
        self.reports: list[object] = []
        self.progress: Callable[[object], None] | None = None
        self.error: Exception | None = None

    async def run(self, function, argument, *, on_progress=None):
        loop = asyncio.get_running_loop()
        self.progress = on_progress
        self.started.set()
        await self.gate.wait()
        if self.error is not None:
            raise self.error

        def report(value):
            self.reports.append(value)
            loop.call_soon_threadsafe(on_progress, value)

        return await asyncio.to_thread(function, argument, report)


@dataclass
class Bench:
    """A bot that is connected to a sandbox."""

    sandbox: SandboxDiscord
    app: App
    pool: ThreadPool
    pictures: FakePictures
    settings: Settings
    clock: ManualClock

    def user(self, name, **where):
        return self.sandbox.user(name, **where)

    @property
    def channel(self):
        return self.sandbox.channel("research")

    async def audit(self):
        return await self.app.client.services.values.list_audit(200)


Running = Callable[..., AbstractAsyncContextManager[Bench]]


@dataclass
class World:
    """What outlives a bot: its settings with its folder, and the clock."""

    settings: Settings
    sandbox: SandboxDiscord
    clock: ManualClock
    logs: list[logging.LogRecord] = field(default_factory=list)


class LogWatch(logging.Handler):
    """Wakes those who wait for a line of the log."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._written = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        self._written.set()

    async def wait_for(self, text: str) -> str:
        async with asyncio.timeout(15):
            while not any(text in line for line in self.lines):
                self._written.clear()
                await self._written.wait()
        return next(line for line in self.lines if text in line)


@pytest.fixture
def log_watch(caplog):
    caplog.set_level(logging.INFO)
    watch = LogWatch()
    logging.getLogger("bot").addHandler(watch)
    yield watch
    logging.getLogger("bot").removeHandler(watch)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def sandbox(clock: ManualClock) -> AsyncIterator[SandboxDiscord]:
    plenty = Limit(10_000, 1.0)
    limits = RateLimits(default=plenty, overall=plenty, routes={})
    async with SandboxDiscord(clock=clock, rate_limits=limits) as server:
        yield server


@pytest.fixture
def settings(sandbox: SandboxDiscord, tmp_path: Path) -> Settings:
    return Settings.load(
        None,
        discord_token=sandbox.bot_token,
        discord_guild_id=sandbox.guild_id,
        discord_channel_id=(sandbox.channel_id,),
        discord_operator_role_id=sandbox.operator_role_id,
        exchange="simulated",
        exchange_rest_url="http://127.0.0.1:9",
        data_dir=tmp_path / "var",
        strategies_dir=STRATEGIES,
        max_jobs=1,
    )


@pytest.fixture
def candles(settings: Settings) -> CandleSeries:
    """Forty days of one-minute candles in the cache, with a gap of an hour."""
    series = random_walk(40 * 1440)
    keep = np.ones(len(series), dtype=bool)
    keep[20_000:20_060] = False
    with_gap = CandleSeries(
        timestamp=series.timestamp[keep],
        open=series.open[keep],
        high=series.high[keep],
        low=series.low[keep],
        close=series.close[keep],
        volume=series.volume[keep],
        timeframe="1m",
    )
    key = SeriesKey("simulated", "BTC/USDT", "1m")
    store = CandleStore(settings.candles_dir)
    store.write(key, with_gap, volume_delta_source=None)
    return with_gap


@pytest.fixture
def running(sandbox: SandboxDiscord, settings: Settings, clock: ManualClock) -> Running:
    """Return a context manager that runs a bot; each use is a new process as far as it knows."""

    @asynccontextmanager
    async def run(**changes) -> AsyncIterator[Bench]:
        pool, pictures = changes.pop("pool", None) or ThreadPool(), FakePictures()
        own = settings.model_copy(update=changes)
        options = ClientOptions(clock.now, edit_interval_s=0.02, guild_ready_timeout_s=0.0)
        with redirect_discord(sandbox):
            async with build_app(own, options=options, pictures=pictures, pool=pool) as app:
                serving = asyncio.create_task(app.run())
                try:
                    await _first(sandbox.wait_until_connected(), serving)
                    await app.client.wait_until_ready()
                    yield Bench(sandbox, app, pool, pictures, own, clock)
                finally:
                    app.stop()
                    await serving

    return run


@pytest.fixture
async def bench(running: Running, candles: CandleSeries) -> AsyncIterator[Bench]:
    async with running() as value:
        yield value


def random_walk(count: int, timeframe: str = "1m", seed: int = 7) -> CandleSeries:
    rng = np.random.default_rng(seed)
    close = 40_000 * np.exp(np.cumsum(rng.normal(0, 0.0015, count)))
    opened = np.concatenate(([40_000.0], close[:-1]))
    spread = np.abs(rng.normal(0, 0.0005, count)) * close
    step = get_timeframe_ms(timeframe)
    return CandleSeries(
        timestamp=START_MS + step * np.arange(count, dtype=np.int64),
        open=opened,
        high=np.maximum(opened, close) + spread,
        low=np.minimum(opened, close) - spread,
        close=close,
        volume=rng.uniform(1, 10, count),
        timeframe=timeframe,
    )


async def _first(work, serving) -> None:
    waiting = asyncio.ensure_future(work)
    await asyncio.wait({waiting, serving}, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        waiting.cancel()
        serving.result()
    await waiting
