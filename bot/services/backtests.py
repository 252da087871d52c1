"""Backtests as a use case: candles from the store, a run in this or another process, results."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from bot.services.keeping import kept_by
from bot.services.run_memory import RunMemory, read_data, strategies_in
from bot.services.strategies import LoadedStrategy
from data.cache import CandleStore, SeriesKey
from data.errors import NoCandles
from engine.backtest import BacktestData, BacktestRequest, Progress, run_backtest
from engine.results import BacktestResults, Timing
from engine.strategy import Strategy
from engine.timeframe import TIMEFRAMES, get_timeframe_ms

Report = Callable[[tuple[str, int, int]], None]

LOADING: Final = "loading candles"
RUNNING: Final = "running"
_REPORT_EVERY_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class BacktestJob:
    """All that a process needs to run a backtest; nothing else decides its result."""

    request: BacktestRequest
    timeframe: str
    data_dir: Path
    strategies_folder: Path

    @property
    def key(self) -> SeriesKey:
        """The candle series that the run is computed on."""
        return SeriesKey(self.request.exchange, self.request.symbol, self.timeframe)


def execute_backtest(job: BacktestJob, report: Report) -> BacktestResults:
    """Run a backtest on cached candles; `report` gets (stage, done, total).

    In a worker process candles and code are kept for the next run.

    Raises:
        NoCandles: the cache holds none for the asked series.
        UnknownStrategy, BrokenStrategy: the strategy's file can't be loaded.
        StrategyError, InvalidRun: see `run_backtest`.
    """
    report((LOADING, 0, 1))
    return run_job(job, kept_by(report, RunMemory), progress=_seldom(report))


def run_job(
    job: BacktestJob,
    memory: RunMemory | None = None,
    *,
    data: BacktestData | None = None,
    progress: Progress | None = None,
) -> BacktestResults:
    """Run a backtest on cached candles, with what this process keeps from earlier runs, if any.

    `data` are its candles and funding where they were read before.

    Raises: as `execute_backtest`.
    """
    started = time.perf_counter()
    loaded = load_strategy(job, memory)
    if data is None:
        data = load_data(job, loaded.strategy, memory)
    load_s = time.perf_counter() - started
    results = run_backtest(
        job.request, loaded.strategy, data, code_sha256=loaded.code_sha256, progress=progress
    )
    total_s = time.perf_counter() - started
    return replace(results, timing=Timing(load_s, total_s - load_s, total_s))


def load_data(
    job: BacktestJob, strategy: type[Strategy], memory: RunMemory | None = None
) -> BacktestData:
    """Read a run's candles, those that warm its indicators up, and its funding."""
    request = job.request
    first = None if request.start is None else request.start - strategy.history_ms
    return read_data(job.data_dir, job.key, first, request.end, memory)


def load_strategy(job: BacktestJob, memory: RunMemory | None = None) -> LoadedStrategy:
    """Load a job's strategy; its code is run anew each time.

    Raises:
        UnknownStrategy, BrokenStrategy: its file can't be loaded.
    """
    return strategies_in(job.strategies_folder, memory).load(job.request.strategy)


def _seldom(report: Report) -> Progress:
    """Report often enough to watch: each message takes a pipe and the event loop their time."""
    told_at = time.perf_counter()

    def progress(done: int, total: int) -> None:
        nonlocal told_at
        now = time.perf_counter()
        if done >= total or now - told_at >= _REPORT_EVERY_S:
            told_at = now
            report((RUNNING, done, total))

    return progress


def find_base_timeframe(
    store: CandleStore, exchange: str, symbol: str, strategy: type[Strategy]
) -> str | None:
    """Return the finest cached timeframe that a strategy can run on, None when there is none.

    Raises:
        NoCandles: there are only candles that are too coarse.
    """
    stored = {
        key.timeframe for key in store.series() if (key.exchange, key.symbol) == (exchange, symbol)
    }
    smallest = get_timeframe_ms(strategy.smallest_timeframe())
    fitting = [t for t in TIMEFRAMES if t in stored and smallest % get_timeframe_ms(t) == 0]
    if stored and not fitting:
        raise NoCandles(
            f"the cache has {symbol} only as {', '.join(sorted(stored))}: "
            f"this strategy needs candles of {strategy.smallest_timeframe()} or finer; "
            f"fetch them with: jesse fetch-data --symbol {symbol} --timeframe 1m"
        )
    return fitting[0] if fitting else None
