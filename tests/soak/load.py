"""Fifty forward tests under five thousand trades a second, and one over a week: time and memory."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from bot.services.forward.compose import open_forward
from bot.services.forward.runner import ForwardRunner
from bot.services.forward.service import ForwardAsk
from bot.settings import Settings
from data.database import Database
from data.simulator.symbols import listed_symbols
from tests.conftest import PROJECT_ROOT
from tests.soak.kills import open_nursery
from tests.soak.world import DAY_MS, MINUTE_MS, STRATEGIES, Watcher, open_world


@dataclass(frozen=True)
class LoadFigures:
    """What a load test measured; latencies are from a candle's arrival to its stored step."""

    tests: int
    symbols: int
    ticks_per_s: float
    fills: int
    p50_ms: float
    p99_ms: float
    worst_ms: float
    largest_backlog: int
    last_backlog: int
    cpu_share: float
    lag_p99_ms: float
    machine_load: float


class Stopwatch(Watcher):
    """Measures from the arrival of a candle to its step being stored."""

    def __init__(self):
        super().__init__()
        self.arrived, self.latencies_ms, self.ticks = {}, [], 0

    def on_step(self, runner, record):
        for mark in record.equity_marks:
            begun = self.arrived.pop((runner, mark.time), None)
            if begun is not None and record.alerts:
                self.latencies_ms.append(1000 * (time.perf_counter() - begun))
        self.look()


def measured(watch: Stopwatch) -> type[ForwardRunner]:
    """Let runners tell when candles and trades arrive; return their class as it was."""
    on_candle, on_tick = ForwardRunner.on_candle, ForwardRunner.on_tick

    def candle(runner, event):
        watch.arrived[runner, event.candle.timestamp + MINUTE_MS] = time.perf_counter()
        on_candle(runner, event)

    def tick(runner, event):
        watch.ticks += 1
        on_tick(runner, event)

    ForwardRunner.on_candle, ForwardRunner.on_tick = candle, tick
    return on_candle, on_tick


async def under_load(
    folder: Path, *, tests: int, symbols: int, ticks_per_s: int, minutes: float
) -> LoadFigures:
    """Trade for some real minutes under load."""
    watch = Stopwatch()
    before = measured(watch)
    try:
        async with _busy_exchange(ticks_per_s) as (rest_url, ws_url):
            settings = Settings.load(
                None,
                exchange="simulated",
                exchange_rest_url=rest_url,
                exchange_ws_url=ws_url,
                data_dir=folder / "var",
                strategies_dir=STRATEGIES,
            )
            async with (
                Database.open(settings.data_dir / "jesse.db") as database,
                open_forward(settings, database, watch) as service,
            ):
                names = [spec.symbol.removesuffix("USDT") for spec in listed_symbols()][:symbols]
                for number in range(tests):
                    symbol = f"{names[number % len(names)]}/USDT"
                    await service.start(ForwardAsk("minutely", symbol=symbol))
                return await _measure(service, watch, tests, len(names), minutes)
    finally:
        ForwardRunner.on_candle, ForwardRunner.on_tick = before


async def _measure(service, watch, tests, symbols, minutes) -> LoadFigures:
    watch.ticks, watch.latencies_ms, backlog, lags_ms = 0, [], [], []
    own = psutil.Process()
    cpu, begun = sum(own.cpu_times()[:2]), time.perf_counter()
    while time.perf_counter() - begun < 60 * minutes:
        slept = time.perf_counter()
        await asyncio.sleep(0.02)
        lags_ms.append(1000 * (time.perf_counter() - slept) - 20)
        backlog.append(max(runner.backlog for runner in service.runners()))
    passed = time.perf_counter() - begun
    found = np.array(watch.latencies_ms or [np.nan])
    # Each trade of a symbol reaches all of its tests: count it once.
    ticks = watch.ticks / tests * symbols / passed
    return LoadFigures(
        tests=tests,
        symbols=symbols,
        ticks_per_s=ticks,
        fills=len(watch.latencies_ms),
        p50_ms=float(np.percentile(found, 50)),
        p99_ms=float(np.percentile(found, 99)),
        worst_ms=float(found.max()),
        largest_backlog=max(backlog),
        last_backlog=backlog[-1],
        cpu_share=(sum(own.cpu_times()[:2]) - cpu) / passed,
        lag_p99_ms=float(np.percentile(lags_ms, 99)),
        machine_load=psutil.getloadavg()[1],
    )


@asynccontextmanager
async def _busy_exchange(ticks_per_s: int) -> AsyncIterator[tuple[str, str]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.soak.busy_exchange", str(ticks_per_s)),
        cwd=PROJECT_ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        rest_url, ws_url = (await process.stdout.readline()).decode().split()
        yield rest_url, ws_url
    finally:
        process.stdin.close()
        await process.wait()


async def memory_over_days(folder: Path, days: int) -> list[float]:
    """Trade so many simulated days in a process of its own; return its memory (MB) after each."""
    log = folder / "jesse.log"
    async with open_world(folder) as world, open_nursery(world, log) as nursery:
        child = await nursery.start(
            [*("forward-test", "--strategy", "busy", "--symbol", "BTC/USDT", "--name", "week")]
        )
        while not world.exchange.faults.counters["sockets"]:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)
        process, used = psutil.Process(child), []
        begun = world.clock.now_ms()
        for day in range(1, days + 1):
            for hour in range(24):
                await world.clock.advance_to(begun + (day - 1) * DAY_MS + hour * 60 * MINUTE_MS)
                await _wait_idle(process)
            used.append(process.memory_info().rss / 1e6)
        process.terminate()
        await nursery.ended()
        return used


async def _wait_idle(process: psutil.Process) -> None:
    """Wait until a process has worked off what it was sent: it uses no more time."""
    before = -1.0
    while (now := sum(process.cpu_times()[:2])) != before:
        before = now
        await asyncio.sleep(0.05)
