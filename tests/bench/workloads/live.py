"""Live speed: real sockets, live data, forward tests and their database, in this process.

The exchange is another process (`tests.bench.live_exchange`). Trades come as fast as they are
taken, until one reaches the stop of each test; or the candles of all symbols close at once, and
each test turns its position. Against bare sockets and JSON, and bare SQLite with the same rows.
"""

import asyncio
import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from websockets.asyncio.client import connect

from bot.services.forward.service import ForwardAsk, ForwardService
from bot.services.forward.settling import settle_memory
from bot.services.strategies import StrategyLibrary
from bot.settings import Settings
from data.database import Database
from data.live import LiveDataProvider
from data.venues.base import Instrument, MarketKind
from engine.candles import CandleSeries
from tests.bench.live_market import (
    BEGIN,
    MINUTE_MS,
    Order,
    candles,
    id_of,
    stop_tick,
    symbol_of,
)
from tests.bench.measuring import ROOT, Context, Meter, WrongResult, percentile

_TICK_SYMBOLS: Final = 20
_TICKS: Final = 200_000
_QUICK_TICKS: Final = 60_000
_PACE: Final = 20_000.0
_CLOSE_SYMBOLS: Final = 200
_MINUTES: Final = 10
_QUICK_MINUTES: Final = 4
_PATIENCE_S: Final = 120.0
_PROBE_S: Final = 0.002
_STRATEGIES: Final = ROOT / "tests" / "soak" / "strategies"
_TABLES: Final = (
    *("forward_tests", "portfolios", "strategy_states", "positions", "trades"),
    *("equity_marks", "events", "outbox"),
)


@contextmanager
def ours(context: Context, option: str) -> Iterator[Meter]:
    """Trade live; the option is `ticks`, `paced`, `shared` or `closes`."""
    symbols = _CLOSE_SYMBOLS if option == "closes" else _TICK_SYMBOLS
    tests = 50 if option == "shared" else symbols
    with asyncio.Runner() as runner, Exchange() as exchange:
        world = runner.run(_enter(exchange, symbols, tests))
        try:
            if option == "closes":
                minutes = _QUICK_MINUTES if context.is_quick else _MINUTES
                yield Meter(lambda: runner.run(world.measure_closes(minutes)))
            else:
                count = _QUICK_TICKS if context.is_quick else _TICKS
                pace = _PACE if option == "paced" else 0.0
                yield Meter(lambda: runner.run(world.measure_ticks(count, pace)))
        finally:
            runner.run(world.aclose())


@contextmanager
def reference(context: Context, option: str) -> Iterator[Meter]:
    """Read the same frames and decode their JSON, or store the same rows, and nothing else."""
    if option == "closes":
        yield from _bare_sqlite()
        return
    count = _QUICK_TICKS if context.is_quick else _TICKS
    pace = _PACE if option == "paced" else 0.0
    with asyncio.Runner() as runner, Exchange() as exchange:
        yield Meter(lambda: runner.run(_read_bare(exchange, count, pace)))


class Exchange:
    """The exchange's process; use it as a context manager."""

    def __enter__(self) -> "Exchange":
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.live_exchange"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = self._read().strip()
        return self

    def __exit__(self, *_exc_info: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    async def prepare(self, order: Order) -> None:
        """Let it make its frames; it sends them at once when they are made."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{order.to_json()}\n")
        self._process.stdin.flush()
        await asyncio.to_thread(self._read)

    async def sent(self) -> float:
        """Return when the first frame was sent (s, monotonic), once all were."""
        return float(await asyncio.to_thread(self._read))

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


class Past:
    """What live data and forward tests ask about the time before; `time` is the exchange's (ms)."""

    def __init__(self) -> None:
        self.time = BEGIN + 30_000

    async def now(self) -> int:
        return self.time

    async def instrument(self, symbol: str) -> Instrument:
        return Instrument(symbol, symbol.replace("/", ""), MarketKind.PERPETUAL)

    async def fetch(self, symbol: str, start: int, end: int) -> CandleSeries:
        return candles(start, max(start, min(end, self.time // MINUTE_MS * MINUTE_MS)))

    async def get_historical_candles(
        self, symbol: str, timeframe: str, start: int, end: int
    ) -> CandleSeries:
        return candles(start, end).aggregate(timeframe)

    async def fetch_warm_up(self, symbol: str, strategy: Any, started_at: int) -> int:
        return started_at - int(strategy.history_ms)

    async def read(self, symbol: str, start: int, end: int) -> CandleSeries:
        return candles(start, end)

    async def rates(self, symbol: str, start: int, end: int) -> None:
        return None


class Watcher:
    """Notes when the steps of tests were stored."""

    def __init__(self) -> None:
        self.opened: dict[int, float] = {}
        self.stopped: dict[int, tuple[float, Any]] = {}
        self.faults: list[str] = []
        self._changed = asyncio.Event()

    def forget(self) -> None:
        self.opened.clear()
        self.stopped.clear()

    def on_step(self, runner: Any, record: Any) -> None:
        now = time.monotonic()
        for trade in record.trades:
            if trade.exit_reason == "stop_loss":
                self.stopped[record.test_id] = now, trade
        if record.equity_marks and record.positions:
            self.opened[record.test_id] = now
        self._changed.set()

    def on_fault(self, runner: Any, reason: str) -> None:
        self.faults.append(reason)
        self._changed.set()

    def on_recovered(self, runner: Any, away: Any) -> None:
        pass

    async def until(self, found: Mapping[int, Any], count: int) -> None:
        async with asyncio.timeout(_PATIENCE_S):
            while len(found) < count:
                if self.faults:
                    raise WrongResult(self.faults[0])
                self._changed.clear()
                await self._changed.wait()


class LiveWorld:
    """Forward tests on live data; `minute` is the open time (ms) of the candle that forms."""

    def __init__(
        self, exchange: Exchange, past: Past, watcher: Watcher, symbols: int, tests: int
    ) -> None:
        self.minute = BEGIN
        self.resources = AsyncExitStack()
        folder = tempfile.TemporaryDirectory(prefix="jesse-bench-")
        self.folder = Path(self.resources.enter_context(folder))
        self._exchange = exchange
        self._past = past
        self._watcher = watcher
        self._symbols = symbols
        self._tests = tests

    async def aclose(self) -> None:
        """Close service, live data and database."""
        await self.resources.aclose()

    async def close_minute(self) -> tuple[float, list[float]]:
        """Close the forming candle of every symbol.

        Return when its first frame was sent and when each test's fill was stored (s, monotonic).
        """
        self._watcher.forget()
        self._past.time = self.minute + MINUTE_MS + 200
        await self._exchange.prepare(Order("close", self.minute, self._symbols))
        await self._watcher.until(self._watcher.opened, self._tests)
        self.minute += MINUTE_MS
        return await self._exchange.sent(), sorted(self._watcher.opened.values())

    async def measure_closes(self, minutes: int) -> Mapping[str, float]:
        """Close some minutes; all times begin with the first frame of a minute."""
        last, median, held = [], [], []
        used = time.process_time()
        for _ in range(minutes):
            async with _probing() as lags:
                begun, stored = await self.close_minute()
            last.append(stored[-1] - begun)
            median.append(statistics.median(stored) - begun)
            held.append(max(lags))
        return {
            "median fill": statistics.median(median),
            "last fill": statistics.median(last),
            "worst": max(last),
            "processor": (time.process_time() - used) / minutes,
            "loop held": max(held),
        }

    async def measure_ticks(self, count: int, pace: float) -> Mapping[str, float]:
        """Let every test open a position and then send trades until each stop is filled."""
        await self.close_minute()
        order = Order("ticks", self.minute, self._symbols, count, pace)
        async with _probing() as lags:
            await self._exchange.prepare(order)
            before = time.process_time()
            await self._watcher.until(self._watcher.stopped, self._tests)
            used = time.process_time() - before
        begun = await self._exchange.sent()
        self._check(order)
        seconds = max(at for at, _ in self._watcher.stopped.values()) - begun
        return {
            "rate": count / seconds,
            "processor": 1e6 * used / count,
            "loop held p99": percentile(lags, 99),
            "loop held": max(lags),
        }

    def _check(self, order: Order) -> None:
        expected = stop_tick(order)
        for test, (_, trade) in self._watcher.stopped.items():
            if (trade.exit_price, trade.exit_time) != expected:
                found = trade.exit_price, trade.exit_time
                raise WrongResult(f"test {test} was stopped at {found}, not at {expected}")


async def _enter(exchange: Exchange, symbols: int, tests: int) -> LiveWorld:
    past, watcher = Past(), Watcher()
    world = LiveWorld(exchange, past, watcher, symbols, tests)
    stack, folder = world.resources, world.folder
    settings = Settings.load(
        None,
        exchange="simulated",
        exchange_rest_url="http://127.0.0.1:9",
        exchange_ws_url=exchange.url,
        data_dir=folder,
        strategies_dir=_STRATEGIES,
    )
    database = await stack.enter_async_context(Database.open(folder / "jesse.db"))
    live = await stack.enter_async_context(LiveDataProvider(settings.exchange_settings, past))
    service = await stack.enter_async_context(
        ForwardService(
            settings,
            database=database,
            library=StrategyLibrary(_STRATEGIES),
            live=live,
            history=past,  # type: ignore[arg-type]
            watcher=watcher,
        )
    )
    for number in range(tests):
        symbol = symbol_of(number % symbols)
        await service.start(ForwardAsk("minutely", symbol=symbol, name=f"t{number}"))
    settle_memory()  # as the desk of a bot does
    return world


@asynccontextmanager
async def _probing() -> AsyncIterator[list[float]]:
    """Wake all the time and note by how much too late (s): so long was the event loop held.

    What this thread did not work in the meantime, other programs or threads of the machine did.
    """
    lags = [0.0]

    async def probe() -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, worked = loop.time() + _PROBE_S, time.thread_time()
            await asyncio.sleep(_PROBE_S)
            lags.append(max(0.0, min(loop.time() - due, time.thread_time() - worked)))

    task = asyncio.create_task(probe())
    try:
        yield lags
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _read_bare(exchange: Exchange, count: int, pace: float) -> Mapping[str, float]:
    names = [f"{id_of(number).lower()}@aggTrade" for number in range(_TICK_SYMBOLS)]
    async with connect(exchange.url, compression=None, ping_interval=None) as socket:
        await socket.send(json.dumps({"method": "SUBSCRIBE", "params": names, "id": 1}))
        await socket.recv()
        order = Order("ticks", BEGIN, _TICK_SYMBOLS, count, pace)
        async with _probing() as lags:
            await exchange.prepare(order)
            before = time.process_time()
            for _ in range(count):
                json.loads(await socket.recv())
            used, end = time.process_time() - before, time.monotonic()
        begun = await exchange.sent()
    return {
        "rate": count / (end - begun),
        "processor": 1e6 * used / count,
        "loop held p99": percentile(lags, 99),
        "loop held": max(lags),
    }


def _bare_sqlite() -> Iterator[Meter]:
    """Store the rows that a minute of all tests leaves behind, in one transaction."""
    schema, rows = _rows_of_a_minute()
    with tempfile.TemporaryDirectory(prefix="jesse-bench-") as folder:
        numbers = iter(range(1_000_000))

        def measure() -> Mapping[str, float]:
            path = Path(folder) / f"{next(numbers)}.db"
            database = sqlite3.connect(path, isolation_level=None)
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            for statement in schema:
                database.execute(statement)
            begun, used = time.monotonic(), time.process_time()
            database.execute("BEGIN IMMEDIATE")
            for statement, values in rows:
                database.execute(statement, values)
            database.execute("COMMIT")
            seconds = time.monotonic() - begun
            used = time.process_time() - used
            database.close()
            figures = dict.fromkeys(("median fill", "last fill", "worst", "loop held"), seconds)
            return {**figures, "processor": used}

        yield Meter(measure)


def _rows_of_a_minute() -> tuple[list[str], list[tuple[str, tuple[Any, ...]]]]:
    async def trade(exchange: Exchange) -> tuple[list[str], list[tuple[str, tuple[Any, ...]]]]:
        world = await _enter(exchange, _CLOSE_SYMBOLS, _CLOSE_SYMBOLS)
        try:
            await world.close_minute()
            return _copy(world.folder / "jesse.db")
        finally:
            await world.aclose()

    with asyncio.Runner() as runner, Exchange() as exchange:
        return runner.run(trade(exchange))


def _copy(path: Path) -> tuple[list[str], list[tuple[str, tuple[Any, ...]]]]:
    found: list[tuple[str, tuple[Any, ...]]] = []
    with sqlite3.connect(path) as database:
        schema = database.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
        statements = [sql for (sql,) in schema if "sqlite_sequence" not in sql]
        for table in _TABLES:
            for row in database.execute(f"SELECT * FROM {table}"):
                marks = ", ".join("?" * len(row))
                found.append((f"INSERT INTO {table} VALUES ({marks})", row))
    return statements, found
