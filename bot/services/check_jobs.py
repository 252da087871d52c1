"""Checks of strategies as a use case: looked at first, then queued as jobs. No Discord here."""

import asyncio
from collections.abc import Awaitable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Protocol

from bot.services.backtests import BacktestJob
from bot.services.check import StrategyCheck, check_job
from bot.services.jobs import Job, JobOwner, JobService, OnProgress
from bot.services.market_data import Prepared
from bot.services.requests import JobKind, JobProgress
from bot.services.research import Pool
from bot.settings import Settings
from engine.backtest import BacktestRequest
from engine.strategy import Strategy


@dataclass(frozen=True, slots=True)
class CheckAsk:
    """A check as a user asked for it; no symbol means the configured one."""

    strategy: str
    symbol: str | None = None


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """What a check job ends with."""

    ask: CheckAsk
    symbol: str
    exchange: str
    check: StrategyCheck


class Candles(Protocol):
    """Finds a strategy and the candles it is to run on."""

    def choose(self, name: str, symbol: str | None) -> tuple[type[Strategy], str]:
        """Return a strategy and a symbol's own name; blocks.

        Raises:
            BotError, DataError: one of them is wrong; says what it takes.
        """

    def candles(
        self, strategy: type[Strategy], symbol: str, on_progress: OnProgress
    ) -> Awaitable[Prepared]:
        """Make sure that the cache holds what the strategy needs."""


class CheckService:
    """Checks strategies in a worker process, on all cached candles."""

    def __init__(
        self, settings: Settings, *, candles: Candles, jobs: JobService, pool: Pool
    ) -> None:
        self._settings = settings
        self._candles = candles
        self._jobs = jobs
        self._pool = pool

    async def check(self, ask: CheckAsk, owner: JobOwner) -> Job:
        """Queue a check.

        Raises:
            BotError, DataError, EngineError: an option is wrong; says what it takes.
        """
        strategy, symbol = await asyncio.to_thread(self._candles.choose, ask.strategy, ask.symbol)
        strategy.make_params({})
        title = f"{ask.strategy} on {symbol}"
        work = partial(self._run, ask, strategy, symbol)
        return await self._jobs.submit(JobKind.CHECK, title, owner, work, request=asdict(ask))

    async def _run(
        self, ask: CheckAsk, strategy: type[Strategy], symbol: str, on_progress: OnProgress
    ) -> CheckOutcome:
        settings = self._settings
        prepared = await self._candles.candles(strategy, symbol, on_progress)
        request = BacktestRequest(
            strategy=ask.strategy,
            symbol=symbol,
            exchange=settings.exchange,
            initial_balance=settings.initial_balance,
            fee_rate=settings.fee_rate,
            slippage_bps=settings.slippage_bps,
            max_leverage=settings.max_leverage,
        )
        folder = settings.strategies_folder
        job = BacktestJob(request, prepared.timeframe, settings.data_dir, folder)
        check: StrategyCheck = await self._pool.run(
            check_job, job, on_progress=lambda told: on_progress(JobProgress(*told))
        )
        return CheckOutcome(ask, symbol, settings.exchange, check)
