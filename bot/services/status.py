"""How the program is doing: memory, disk, event loop, exchange, candles. Renders nothing."""

import asyncio
import platform
import shutil
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import psutil

from bot.errors import BotError
from bot.services.market_data import MarketData
from bot.services.own_loop import run_apart
from bot.settings import Settings
from data.errors import DataError
from data.exchange import open_exchange
from data.series_key import SeriesKey
from engine.timeframe import get_timeframe_ms

_PACKAGES: Final = ("jesse", "discord.py", "ccxt", "numpy")
_EXCHANGE_TIMEOUT_S: Final = 5.0
_PATIENCE_S: Final = 1.0
_LAG_EVERY_S: Final = 0.5
_LAG_KEPT: Final = 120


@dataclass(frozen=True, slots=True)
class ExchangeState:
    """Whether the exchange answers: in how many seconds, or why not.

    `last_answer` is when it answered last since the start of the program, in seconds since 1970.
    """

    name: str
    answered_s: float | None
    problem: str | None
    last_answer: float | None = None


@dataclass(frozen=True, slots=True)
class SeriesState:
    """A cached series and when its last candle closed (ms UTC)."""

    key: SeriesKey
    last_close: int


@dataclass(frozen=True, slots=True)
class StatusReport:
    """How the program is doing at one moment."""

    uptime_s: float
    loop_lag_s: float
    worst_lag_s: float
    memory_bytes: int
    workers_bytes: int
    workers: int
    disk_free_bytes: int
    exchange: ExchangeState
    series: tuple[SeriesState, ...]
    versions: dict[str, str]


class LoopLag:
    """Measures how late the event loop wakes; `worst_s` is over the last minute."""

    def __init__(self) -> None:
        self._lags: list[float] = [0.0]

    @property
    def last_s(self) -> float:
        """The newest measurement."""
        return self._lags[-1]

    @property
    def worst_s(self) -> float:
        """The worst of the last minute."""
        return max(self._lags)

    async def measure(self) -> None:
        """Measure until cancelled."""
        while True:
            asked = time.monotonic()
            await asyncio.sleep(_LAG_EVERY_S)
            self._lags.append(max(0.0, time.monotonic() - asked - _LAG_EVERY_S))
            del self._lags[:-_LAG_KEPT]


class ExchangeProbe:
    """Asks an exchange whether it is there; whoever looks waits `patience_s` and no longer."""

    def __init__(
        self,
        name: str,
        ask: Callable[[], Coroutine[Any, Any, object]],
        *,
        patience_s: float = _PATIENCE_S,
        timeout_s: float = _EXCHANGE_TIMEOUT_S,
    ) -> None:
        self._name = name
        self._ask = ask
        self._patience_s = patience_s
        self._timeout_s = timeout_s
        self._asking: asyncio.Task[ExchangeState] | None = None
        self._last: ExchangeState | None = None

    async def look(self) -> ExchangeState:
        """Ask; return what was known before where the answer takes too long."""
        asking = self._asking
        if asking is None or asking.done():
            asking = asyncio.create_task(self._try(), name="status of the exchange")
            self._asking = asking
        await asyncio.wait({asking}, timeout=self._patience_s)
        if asking.done():
            return asking.result()
        last = self._last
        # What went wrong the last time says more than that it takes long again.
        if last is not None and last.problem is not None:
            return last
        answered = last.last_answer if last else None
        problem = f"no answer within {self._patience_s:g} s"
        return ExchangeState(self._name, None, problem, answered)

    async def close(self) -> None:
        """Stop asking."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})

    async def _try(self) -> ExchangeState:
        self._last = await self._answer()
        return self._last

    async def _answer(self) -> ExchangeState:
        started = time.monotonic()
        answered = self._last.last_answer if self._last else None
        try:
            async with asyncio.timeout(self._timeout_s):
                await run_apart(self._ask)
        except TimeoutError:
            problem = f"no answer within {self._timeout_s:g} s"
            return ExchangeState(self._name, None, problem, answered)
        except (BotError, DataError) as error:
            return ExchangeState(self._name, None, str(error), answered)
        return ExchangeState(self._name, time.monotonic() - started, None, time.time())


class StatusService:
    """Gathers how the program is doing."""

    def __init__(self, settings: Settings, market: MarketData, lag: LoopLag) -> None:
        self._settings = settings
        self._market = market
        self._lag = lag
        self._started = time.monotonic()
        self._exchange = ExchangeProbe(settings.exchange, self._ask_time)

    async def report(self) -> StatusReport:
        """Measure everything now; an exchange that doesn't answer is part of the report."""
        exchange, machine, series = await asyncio.gather(
            self._exchange.look(),
            asyncio.to_thread(self._measure_machine),
            asyncio.to_thread(self._read_series),
        )
        memory, workers_bytes, workers, free = machine
        return StatusReport(
            uptime_s=time.monotonic() - self._started,
            loop_lag_s=self._lag.last_s,
            worst_lag_s=self._lag.worst_s,
            memory_bytes=memory,
            workers_bytes=workers_bytes,
            workers=workers,
            disk_free_bytes=free,
            exchange=exchange,
            series=series,
            versions={name: _version(name) for name in _PACKAGES}
            | {"Python": platform.python_version()},
        )

    async def close(self) -> None:
        """Stop asking the exchange."""
        await self._exchange.close()

    async def _ask_time(self) -> int:
        async with open_exchange(self._settings.exchange_settings) as exchange:
            return await exchange.now()

    def _measure_machine(self) -> tuple[int, int, int, int]:
        process = psutil.Process()
        children = process.children(recursive=True)
        used = 0
        for child in children:
            try:
                used += child.memory_info().rss
            except psutil.Error:
                continue
        folder = self._settings.data_dir
        free = shutil.disk_usage(folder if folder.exists() else folder.resolve().parent).free
        return process.memory_info().rss, used, len(children), free

    def _read_series(self) -> tuple[SeriesState, ...]:
        states = []
        for key in self._market.store.series():
            coverage = self._market.store.coverage(key)
            if coverage is not None and key.exchange == self._settings.exchange:
                close = coverage.last + get_timeframe_ms(key.timeframe)
                states.append(SeriesState(key, close))
        return tuple(sorted(states, key=lambda state: -state.last_close))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
