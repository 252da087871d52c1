"""A simulated exchange whose time is moved by hand, and forward tests on it."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.services.forward.compose import open_forward
from bot.services.forward.service import ForwardService
from bot.services.forward.session import ForwardConfig
from bot.services.strategies import StrategyLibrary
from bot.settings import Settings
from data.cache import CandleStore, SeriesKey
from data.database import Database
from data.funding import FundingStore
from data.retry import Timing
from data.simulator.clock import SteppedClock
from data.simulator.server import SimulatedExchange
from engine.backtest import BacktestData, BacktestRequest, BacktestResults, run_backtest
from tests.conftest import PROJECT_ROOT

DAY_MS = 86_400_000
MINUTE_MS = 60_000
START = 1_704_067_200_000 + 60 * DAY_MS + 30_500  # 2024-03-01 00:00:30.5
STRATEGIES = Path(__file__).resolve().parent / "strategies"
PATIENCE_S = 120.0


class Watcher:
    """Remembers what it was told, and wakes who waits for it."""

    def __init__(self):
        self.steps, self.faults, self.recoveries = [], [], []
        self._waiting = []

    def on_step(self, runner, record):
        self.steps.append(record)
        self.look()

    def on_fault(self, runner, reason):
        self.faults.append((runner.session.test.name, reason))
        self.look()

    def on_recovered(self, runner, away):
        self.recoveries.append((runner.session.test.name, away))
        self.look()

    def look(self):
        for predicate, future in self._waiting:
            if not future.done() and predicate():
                future.set_result(None)

    async def wait_until(self, predicate: Callable[[], bool], patience_s: float = PATIENCE_S):
        if predicate():
            return
        waiting = predicate, asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            async with asyncio.timeout(patience_s):
                await waiting[1]
        finally:
            self._waiting.remove(waiting)


class LaidOpenDatabase(Database):
    """A database that runs what a test wants to do to it."""

    async def run_sql(self, sql: str) -> None:
        await self._write(lambda connection: connection.execute(sql))


def fast_timing(factor: float) -> Timing:
    """Return a clock by which waiting takes a fraction of its time."""

    async def sleep(seconds):
        await asyncio.sleep(seconds / factor)

    return Timing(sleep=sleep, monotonic=lambda: time.monotonic() * factor, random=lambda: 0.0)


@dataclass
class World:
    """An exchange, its clock, the settings of a program beside it, and who watches that."""

    exchange: SimulatedExchange
    clock: SteppedClock
    settings: Settings
    watcher: Watcher = field(default_factory=Watcher)
    timing: Timing | None = None

    @asynccontextmanager
    async def process(self) -> AsyncIterator[tuple[ForwardService, LaidOpenDatabase]]:
        """Open database and service as one process does; leaving the block is its end."""
        async with (
            LaidOpenDatabase.open(self.settings.data_dir / "jesse.db") as database,
            open_forward(self.settings, database, self.watcher, timing=self.timing) as service,
        ):
            yield service, database
            # Tasks that were made a moment ago begin before they are cancelled.
            await asyncio.sleep(0)

    async def advance(self, service: ForwardService, until: int, *, patience_s=PATIENCE_S):
        """Move market time and wait until every test that trades has seen the last candle."""
        # The closing frame of a minute comes up to a second after its close.
        await self.clock.advance_to(until + 2_000)
        wanted = until // MINUTE_MS * MINUTE_MS - MINUTE_MS

        def is_there() -> bool:
            return all(
                (runner.fault and not runner.session.fault)
                or (runner.session.last_open_time or 0) >= wanted
                for runner in service.runners()
            )

        await self.watcher.wait_until(is_there, patience_s)
        # What was stepped is stored a moment later: an order comes after it.
        await asyncio.gather(*(settle(runner) for runner in service.runners()))

    async def until_subscribed(self, service: ForwardService):
        """Wait until the exchange sends every test's candles, and ticks where they are wanted."""
        wanted = set()
        for runner in service.runners():
            name = runner.session.test.symbol.split(":")[0].replace("/", "").lower()
            ticks = runner.session.config.ticks
            wanted |= {f"{name}@kline_1m"} | ({f"{name}@aggTrade"} if ticks else set())
        async with asyncio.timeout(PATIENCE_S):
            while not wanted <= self._subscribed():  # noqa: ASYNC110 - the exchange has no event
                await asyncio.sleep(0.001)

    def _subscribed(self) -> set[str]:
        return {channel for socket in self.exchange.state()["sockets"] for channel in socket}

    async def backtest(self, service: ForwardService, test: Any, end: int) -> BacktestResults:
        """Run a test's period through the backtester, on the exchange's own final candles."""
        config = ForwardConfig.from_json(test.config)
        await service.candles(test, end)
        store = CandleStore(self.settings.candles_dir)
        key = SeriesKey("simulated", test.symbol, "1m")
        funding = FundingStore(self.settings.data_dir / "funding").read("simulated", test.symbol)
        request = BacktestRequest(
            test.strategy,
            params=test.params,
            start=config.started_at,
            end=end,
            slippage_bps=config.slippage_bps,
        )
        loaded = StrategyLibrary(self.settings.strategies_dir).load(test.strategy)
        data = BacktestData(
            store.read(key, config.warm_up_from, end),
            funding=tuple(zip(funding.time.tolist(), funding.rate.tolist(), strict=True)),
        )
        return await asyncio.to_thread(run_backtest, request, loaded.strategy, data)

    async def assert_equals_backtest(self, service, database, test) -> int:
        """Compare a test with the backtest of its period, bit by bit; return its trades' number."""
        curve = await database.get_equity_curve(test.id)
        expected = await self.backtest(service, test, int(curve.time[-1]))
        stored = await database.get_trades(test.id)
        closed = [trade for trade in expected.trades if trade.exit_reason != "end"]
        assert [item.trade for item in stored] == closed
        assert curve.time.tolist() == expected.equity.time.tolist()
        # The last mark of a backtest comes after everything is closed.
        assert curve.equity[:-1].tolist() == expected.equity.equity[:-1].tolist()
        return len(stored)


async def settle(runner) -> None:
    """Wait until a runner has stored all that it was told so far."""
    done = asyncio.get_running_loop().create_future()

    class Passed(Exception):
        pass

    def change():
        done.set_result(None)
        raise Passed

    try:
        await runner.order(change)
    except Passed:
        await done


@asynccontextmanager
async def open_world(
    folder: Path,
    *,
    strategies: Path = STRATEGIES,
    start: int = START,
    speed_up: float | None = None,
    **options: Any,
) -> AsyncIterator[World]:
    """Open a world; `speed_up` shortens the waits of live data, `options` are the exchange's."""
    clock = SteppedClock(start)
    options = {"seed": 7, "rate_limit": False, "kline_updates": False, **options}
    async with SimulatedExchange(clock=clock, **options) as exchange:
        settings = Settings.load(
            None,
            exchange="simulated",
            exchange_rest_url=exchange.rest_url,
            exchange_ws_url=exchange.ws_url,
            data_dir=folder / "var",
            strategies_dir=strategies,
            slippage_bps=1.0,
        )
        timing = fast_timing(speed_up) if speed_up else None
        yield World(exchange, clock, settings, timing=timing)


def shipped_and_busy(folder: Path) -> Path:
    """Return a folder of its own with the strategies that ship with Jesse, and `busy`."""
    target = folder / "strategies"
    shutil.copytree(PROJECT_ROOT / "strategies", target, ignore=shutil.ignore_patterns("__*"))
    shutil.copy(STRATEGIES / "busy.py", target)
    return target
