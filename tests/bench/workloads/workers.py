"""Backtests over one year through worker processes: what the second one brings.

Sweeps of the moving averages, on 1h candles and on the 1m base where stops are resolved by the
minute; `alone` is the 1h backtest as a user asks for it, one message to a worker for each. The
processes are up and have run once before time is taken. `processor` is what one run takes of all
processes together: where it is the same with two, only a lack of idle processors keeps the rate
from doubling. `bare loop` shows what the machine itself gives two processes: a loop that adds
numbers up, and nothing else.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import psutil

from bot.services.backtests import BacktestJob, Report, execute_backtest
from bot.services.grids import combine, parse_grid
from bot.services.sweeps import SweepRequest, run_sweep
from bot.services.workers import WorkerPool
from data.cache import CandleStore, SeriesKey
from engine.backtest import BacktestRequest
from engine.timeframe import DAY_MS
from tests.bench.market import key as minute_key
from tests.bench.market import store
from tests.bench.measuring import (
    EXCHANGE,
    ROOT,
    START_MS,
    SYMBOL,
    Context,
    Meter,
    WrongResult,
    timed,
)
from tests.bench.peaks import largest_peak

_STRATEGY: Final = "ma_crossover"
_GRID: Final = "fast_period=10:109:2,slow_period=120:310:10"
# How many of its 1,000 sets are run: (in full, quick).
_RUNS: Final = {"1h": (1000, 100), "1m": (100, 10), "alone": (200, 20)}
_LOOPS: Final = 100
_LOOP_LENGTH: Final = 500_000


@contextmanager
def ours(context: Context, _option: str) -> Iterator[Meter]:
    """Run them on two workers."""
    yield from _meter(context, 2)


@contextmanager
def reference(context: Context, _option: str) -> Iterator[Meter]:
    """Run them on one worker."""
    yield from _meter(context, 1)


def _meter(context: Context, size: int) -> Iterator[Meter]:
    jobs = {timeframe: _job(context, timeframe) for timeframe in ("1h", "1m")}
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        pool = runner.run(stack.enter_async_context(WorkerPool(size)))
        for job in jobs.values():
            runner.run(_run_alone(pool, [job] * 4 * size))

        def measure() -> Mapping[str, float]:
            figures = _measure_loops(runner, pool)
            for name in _RUNS:
                figures |= _measure(runner, pool, jobs, context, name)
            return figures

        try:
            yield Meter(measure, largest_peak)
        finally:
            runner.run(stack.aclose())


def _job(context: Context, timeframe: str) -> BacktestJob:
    """Return a backtest over the last year that is stored, or half of what is, if that is less."""
    end = START_MS + context.days * DAY_MS
    start = end - min(365, context.days // 2) * DAY_MS
    folder = context.data_dir if timeframe == "1m" else _make_hours(context)
    request = BacktestRequest(_STRATEGY, symbol=SYMBOL, exchange=EXCHANGE, start=start, end=end)
    return BacktestJob(request, timeframe, folder, ROOT / "strategies")


def _make_hours(context: Context) -> Path:
    """Store the candles as 1h candles in a folder of their own; done twice, nothing changes."""
    folder = context.data_dir / "hours"
    key = SeriesKey(minute_key().exchange, minute_key().symbol, "1h")
    for month in store(context).read_months(minute_key()):
        hours = month.aggregate("1h")
        CandleStore(folder / "candles").write(key, hours, volume_delta_source="taker")
    return folder


def _sets(context: Context, name: str) -> tuple[dict[str, str], ...]:
    full, quick = _RUNS[name]
    sets = combine(parse_grid(_GRID))
    # Spread over the grid, so that few runs cost on average what many do.
    return sets[:: len(sets) // (quick if context.is_quick else full)]


def _measure(
    runner: asyncio.Runner,
    pool: WorkerPool,
    jobs: Mapping[str, BacktestJob],
    context: Context,
    name: str,
) -> Mapping[str, float]:
    sets = _sets(context, name)
    used = _processor_seconds()
    with timed() as watch:
        if name == "alone":
            runner.run(_run_alone(pool, [_with(jobs["1h"], params) for params in sets]))
        else:
            runner.run(_sweep(pool, SweepRequest(jobs[name], sets)))
    used = _processor_seconds() - used
    return {name: len(sets) / watch.seconds, f"{name} processor": used / len(sets)}


def _measure_loops(runner: asyncio.Runner, pool: WorkerPool) -> dict[str, float]:
    with timed() as watch:
        runner.run(_run_loops(pool))
    return {"bare loop": _LOOPS / watch.seconds}


def _processor_seconds() -> float:
    """Return the processor time of this process and its workers so far."""
    own = psutil.Process()
    times = [process.cpu_times() for process in (own, *own.children(recursive=True))]
    return float(sum(time.user + time.system for time in times))


async def _sweep(pool: WorkerPool, request: SweepRequest) -> None:
    result = await run_sweep(pool, request)
    if any(run.figures is None for run in result.runs):
        raise WrongResult(f"not every run of the sweep on {request.job.timeframe} has figures")


async def _run_alone(pool: WorkerPool, jobs: list[BacktestJob]) -> list[float]:
    return await asyncio.gather(*(pool.run(final_equity, job) for job in jobs))


async def _run_loops(pool: WorkerPool) -> None:
    await asyncio.gather(*(pool.run(add_up, _LOOP_LENGTH) for _ in range(_LOOPS)))


def add_up(length: int, _report: Report) -> int:
    """Add numbers up, as plain Python does it."""
    total = 0
    for number in range(length):
        total += number % 7
    return total


def final_equity(job: BacktestJob, report: Report) -> float:
    """Run one backtest; what crosses the pipe is a number, for pipes are not measured here."""
    return execute_backtest(job, report).final_equity


def _with(job: BacktestJob, params: Mapping[str, str]) -> BacktestJob:
    return replace(job, request=replace(job.request, params=params))
