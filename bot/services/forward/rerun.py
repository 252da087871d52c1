"""A forward test's period through the backtester, in a worker process, and the two compared."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from bot.errors import InvalidInput
from bot.services.forward.parity import ParityReport, compare
from bot.services.forward.session import ForwardConfig
from bot.services.keeping import kept_by
from bot.services.market_data import MarketData
from bot.services.own_loop import run_apart
from bot.services.run_memory import RunMemory, read_data, strategies_in
from bot.settings import Settings
from data.cache import SeriesKey
from data.database import Database
from data.interest_record import InterestRecord, interest_folder
from data.storage.records import ForwardTest
from engine.backtest import BacktestData, BacktestRequest, run_backtest
from engine.execution import FixedCosts
from engine.orders import ExitReason, Trade
from engine.results import EquityCurve
from engine.timeframe import MINUTE_MS, get_timeframe_ms

# Everything that explains a difference; a test of a year has a few thousand.
_MOST_EVENTS = 100_000


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
class RerunJob:
    """All that a worker process needs: the request, and where candles and strategies lie."""

    request: BacktestRequest
    warm_up_from: int
    data_dir: Path
    strategies_folder: Path


@dataclass(frozen=True, slots=True)
class Rerun:
    """The backtest of a forward test's period; the strategy decides at closes so many ms apart."""

    trades: tuple[Trade, ...]
    equity: EquityCurve
    last_close: float
    decided_every_ms: int = MINUTE_MS


@dataclass(frozen=True, slots=True)
class Comparison:
    """A forward test beside its backtest; curves are at base closes."""

    test: ForwardTest
    report: ParityReport
    live: EquityCurve
    backtest: EquityCurve


def execute_rerun(job: RerunJob, report: Callable[[Any], None]) -> Rerun:
    """Run the backtest on exactly the candles that the forward test looked back on and traded.

    Their open interest is what they carried live, where that was recorded.
    It takes seconds, so nothing is told to `report` on the way; a worker process keeps candles
    and code for the next run.
    """
    request, memory = job.request, kept_by(report, RunMemory)
    key = SeriesKey(request.exchange, request.symbol, "1m")
    stored = read_data(job.data_dir, key, job.warm_up_from, request.end, memory)
    record = InterestRecord(interest_folder(job.data_dir))
    candles = record.apply(request.exchange, request.symbol, stored.candles)
    strategy = strategies_in(job.strategies_folder, memory).load(request.strategy).strategy
    results = run_backtest(request, strategy, BacktestData(candles, funding=stored.funding))
    return Rerun(
        trades=results.trades,
        equity=results.equity,
        last_close=float(candles.close[-1]),
        decided_every_ms=min(map(get_timeframe_ms, strategy.timeframes)),
    )


class Comparer:
    """Reruns the periods of forward tests and compares trade by trade."""

    def __init__(
        self, settings: Settings, database: Database, market: MarketData, pool: Pool
    ) -> None:
        self._settings = settings
        self._database = database
        self._market = market
        self._pool = pool

    async def compare(self, test: ForwardTest) -> Comparison:
        """Run a test's period through the backtester and return both.

        Raises:
            InvalidInput: it has seen no candle yet.
            ExchangeError: candles are missing and the exchange can't be asked.
            StrategyError: the strategy can't be loaded or raised.
        """
        config = ForwardConfig.from_json(test.config)
        portfolio = await self._database.get_portfolio(test.id)
        end = (portfolio.last_candle_time or 0) + MINUTE_MS if portfolio else 0
        if end <= config.started_at:
            raise InvalidInput(f"{test.name} has seen no candle yet: wait for the next minute")
        live = await self._database.get_equity_curve(test.id)
        stored = await self._database.get_trades(test.id)
        open_now = await self._database.get_open_positions(test.id)
        events = await self._database.get_events(test.id, limit=_MOST_EVENTS)
        await run_apart(partial(self._complete, test.symbol, config.warm_up_from, end))
        job = self._job(test, config, end)
        rerun: Rerun = await self._pool.run(execute_rerun, job)
        open_entries = [position.entry_time for position in open_now]
        report = await asyncio.to_thread(
            compare,
            stored,
            rerun.trades,
            open_entries=open_entries,
            events=events[::-1],
            start=config.started_at,
            end=end,
            decided_every_ms=rerun.decided_every_ms,
        )
        return Comparison(test, report, live, _left_open(rerun, job.request, open_entries))

    def _job(self, test: ForwardTest, config: ForwardConfig, end: int) -> RerunJob:
        request = BacktestRequest(
            test.strategy,
            params=dict(test.params),
            symbol=test.symbol,
            exchange=test.exchange,
            start=config.started_at,
            end=end,
            initial_balance=config.initial_balance,
            fee_rate=config.fee_rate,
            slippage_bps=config.slippage_bps,
            max_leverage=config.max_leverage,
            fill=config.fill,
        )
        return RerunJob(
            request, config.warm_up_from, self._settings.data_dir, self._settings.strategies_folder
        )

    async def _complete(self, symbol: str, start: int, end: int) -> None:
        async with self._market.provider() as provider:
            await provider.complete(self._market.key(symbol), start, end)


def _left_open(rerun: Rerun, request: BacktestRequest, entries: Collection[int]) -> EquityCurve:
    """Give back what closing at the end cost the backtest where the test's position is open."""
    costs = FixedCosts(request.fee_rate, request.slippage_bps)
    equity = rerun.equity.equity.copy()
    equity[-1] += sum(
        costs.fee_usd(trade.exit_price, trade.size)
        + abs(trade.exit_price - rerun.last_close) * trade.size
        for trade in rerun.trades
        if trade.exit_reason is ExitReason.END and trade.entry_time in entries
    )
    return EquityCurve(rerun.equity.time, equity)
