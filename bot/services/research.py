"""Research as a use case: backtests and fetches, checked first, then queued as jobs. No Discord."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final, Protocol

from bot.charts.errors import ChartError
from bot.errors import BotError
from bot.services.backtests import BacktestJob
from bot.services.jobs import Job, JobOwner, JobService, OnProgress
from bot.services.market_data import MarketData, Prepared
from bot.services.own_loop import on_this_loop, run_apart
from bot.services.requests import (
    BacktestAsk,
    BacktestOutcome,
    FetchAsk,
    FetchOutcome,
    JobKind,
    JobProgress,
    RunReport,
)
from bot.services.runs import RunJob, RunStore, execute_run
from bot.services.strategies import StrategyInfo, StrategyLibrary
from bot.settings import Settings
from bot.times import now_ms, parse_period
from data.cache import SeriesKey
from data.errors import DataError
from data.exchange import open_exchange
from data.historical import FetchProgress
from engine.backtest import BacktestRequest
from engine.strategy import Strategy

log = logging.getLogger(__name__)

FETCHING: Final = "fetching candles"
DRAWING: Final = "drawing charts"
SHOWN_FIGURES: Final = ("equity", "trades")

_SYMBOLS_VALID_S: Final = 3600.0
_SYMBOLS_RETRY_S: Final = 60.0
_SYMBOLS_PATIENCE_S: Final = 1.0


class Pictures(Protocol):
    """Draws figures, given as JSON, as PNG."""

    async def render(self, figure: str) -> bytes:
        """Return a picture.

        Raises:
            ChartError: there is no browser, or it fails.
        """


class Pool(Protocol):
    """Runs functions where they don't hold the event loop up."""

    async def run(
        self,
        function: Callable[[Any, Callable[[Any], None]], Any],
        argument: Any,
        *,
        on_progress: Callable[[Any], None] | None = None,
    ) -> Any:
        """Call `function(argument, report)` and return its result."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """A backtest whose options have been checked."""

    ask: BacktestAsk
    strategy: type[Strategy]
    symbol: str


class ResearchService:
    """Checks what is asked for, queues it, and does it: candles, a run in a worker, pictures."""

    def __init__(
        self,
        settings: Settings,
        *,
        library: StrategyLibrary,
        market: MarketData,
        jobs: JobService,
        pool: Pool,
        pictures: Pictures,
    ) -> None:
        self._settings = settings
        self._library = library
        self._market = market
        self._jobs = jobs
        self._pool = pool
        self._pictures = pictures
        self._book = SymbolBook(settings, market)
        # Two fetches of one series would ask the exchange for the same candles.
        self._locks: defaultdict[SeriesKey, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def backtest(self, ask: BacktestAsk, owner: JobOwner) -> Job:
        """Queue a backtest.

        Raises:
            BotError, DataError, EngineError: an option is wrong; says what it takes.
        """
        plan = await asyncio.to_thread(self._check_backtest, ask)
        title = f"{ask.strategy} on {plan.symbol}"
        work = partial(self._run_backtest, plan)
        return await self._jobs.submit(JobKind.BACKTEST, title, owner, work, request=asdict(ask))

    async def fetch(self, ask: FetchAsk, owner: JobOwner) -> Job:
        """Queue a fetch of candles.

        Raises:
            BotError, DataError, EngineError: an option is wrong; says what it takes.
        """
        key = self._market.key(ask.symbol, ask.timeframe)
        parse_period(ask.start, ask.end, latest=now_ms())
        title = f"{key.symbol} {key.timeframe} from {key.exchange}"
        work = partial(self._run_fetch, key, ask)
        return await self._jobs.submit(JobKind.FETCH, title, owner, work, request=asdict(ask))

    async def strategy(self, name: str) -> StrategyInfo:
        """Return what a strategy says about itself."""
        loaded = await asyncio.to_thread(self._library.load, name)
        return loaded.info

    async def symbols(self) -> list[str]:
        """Return symbols to choose from, those in the cache first; never waits for long."""
        return await self._book.symbols()

    def choose(self, name: str, symbol: str | None) -> tuple[type[Strategy], str]:
        """Return a strategy and a symbol's own name; blocks.

        Raises:
            BotError, DataError: one of them is wrong; says what it takes.
        """
        return self._library.load(name).strategy, self._market.key(symbol).symbol

    async def candles(
        self,
        strategy: type[Strategy],
        symbol: str,
        on_progress: OnProgress,
        period: tuple[str | None, str | None] = (None, None),
    ) -> Prepared:
        """Make sure that the cache holds what a run needs; no two at once for one series.

        Raises:
            DataError: the exchange is needed and can't be asked.
        """
        on_fetch = on_this_loop(partial(_report_fetch, on_progress))
        async with self._locks[self._market.key(symbol)]:
            return await run_apart(
                lambda: self._market.prepare(strategy, symbol, *period, on_progress=on_fetch)
            )

    async def picture(self, runs: RunStore, run_id: str, name: str) -> bytes:
        """Draw a figure of a finished run anew."""
        figure = await asyncio.to_thread(runs.figure, run_id, name)
        return await self._pictures.render(figure)

    async def close(self) -> None:
        """Stop what goes on in the background."""
        await self._book.close()

    def _check_backtest(self, ask: BacktestAsk) -> _Plan:
        strategy, symbol = self.choose(ask.strategy, ask.symbol)
        strategy.make_params(ask.params)
        parse_period(ask.start, ask.end, latest=now_ms())
        plan = _Plan(ask, strategy, symbol)
        self._request(plan, Prepared("1m", None, None, None))
        return plan

    def _request(self, plan: _Plan, prepared: Prepared) -> BacktestRequest:
        ask, settings = plan.ask, self._settings
        balance = ask.initial_balance
        return BacktestRequest(
            strategy=ask.strategy,
            params=dict(ask.params),
            symbol=plan.symbol,
            exchange=settings.exchange,
            start=prepared.start,
            end=prepared.end,
            initial_balance=settings.initial_balance if balance is None else balance,
            fee_rate=settings.fee_rate,
            slippage_bps=settings.slippage_bps,
            max_leverage=settings.max_leverage,
            fill=ask.fill,
        )

    async def _run_backtest(self, plan: _Plan, on_progress: OnProgress) -> BacktestOutcome:
        settings, ask = self._settings, plan.ask
        period = (ask.start, ask.end)
        prepared = await self.candles(plan.strategy, plan.symbol, on_progress, period)
        request = self._request(plan, prepared)
        folder = settings.strategies_folder
        backtest = BacktestJob(request, prepared.timeframe, settings.data_dir, folder)
        job = RunJob(ask, backtest, settings.data_dir / "runs")
        report: RunReport = await self._pool.run(
            execute_run, job, on_progress=lambda told: on_progress(JobProgress(*told))
        )
        pictures, notices = await self._draw(report.figures, on_progress)
        return BacktestOutcome(report, pictures, notices)

    async def _draw(
        self, figures: Mapping[str, str], on_progress: OnProgress
    ) -> tuple[dict[str, bytes], tuple[str, ...]]:
        pictures: dict[str, bytes] = {}
        for number, name in enumerate(SHOWN_FIGURES):
            on_progress(JobProgress(DRAWING, number, len(SHOWN_FIGURES)))
            try:
                pictures[name] = await self._pictures.render(figures[name])
            except ChartError as error:
                log.warning("no picture of %s: %s", name, error)
                return pictures, (f"No pictures: {error}",)
        return pictures, ()

    async def _run_fetch(
        self, key: SeriesKey, ask: FetchAsk, on_progress: OnProgress
    ) -> FetchOutcome:
        on_fetch = on_this_loop(partial(_report_fetch, on_progress))
        async with self._locks[key]:
            summary = await run_apart(
                lambda: self._market.fetch(key, ask.start, ask.end, on_progress=on_fetch)
            )
        coverage = await asyncio.to_thread(self._market.store.coverage, key)
        return FetchOutcome(key, summary.fetched, coverage, tuple(summary.notices))


class SymbolBook:
    """The exchange's symbols for suggestions, asked for in the background and kept for an hour.

    Only the very first asking is waited for, `patience_s` at most, by those who come meanwhile.
    """

    def __init__(
        self, settings: Settings, market: MarketData, *, patience_s: float = _SYMBOLS_PATIENCE_S
    ) -> None:
        self._settings = settings
        self._market = market
        self._patience_s: float | None = patience_s
        self._listed: tuple[str, ...] = ()
        self._renew_at = 0.0
        self._renewal: asyncio.Task[None] | None = None

    async def symbols(self) -> list[str]:
        """Return cached series' symbols, then listed ones; waits a moment the first time."""
        if time.monotonic() >= self._renew_at and self._renewal is None:
            self._renewal = asyncio.create_task(self._renew(), name="symbols")
        if self._renewal is not None and self._patience_s is not None:
            await asyncio.wait({self._renewal}, timeout=self._patience_s)
            self._patience_s = None
        stored = await asyncio.to_thread(self._market.store.series)
        exchange = self._settings.exchange
        cached = [key.symbol for key in stored if key.exchange == exchange]
        return list(dict.fromkeys([*cached, self._settings.symbol, *self._listed]))

    async def close(self) -> None:
        """Stop asking."""
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.wait({self._renewal})

    async def _renew(self) -> None:
        valid_s = _SYMBOLS_RETRY_S
        try:
            self._listed = await run_apart(self._ask)
            valid_s = _SYMBOLS_VALID_S
        except (DataError, BotError) as error:
            log.warning("no list of symbols: %s", error)
        except Exception:
            log.exception("no list of symbols")
        finally:
            self._renew_at = time.monotonic() + valid_s
            self._renewal = None

    async def _ask(self) -> tuple[str, ...]:
        async with open_exchange(self._settings.exchange_settings) as exchange:
            return await exchange.symbols()


def _report_fetch(on_progress: OnProgress, progress: FetchProgress) -> None:
    done, total = progress.done_candles, progress.total_candles
    on_progress(JobProgress(FETCHING, done, total))
