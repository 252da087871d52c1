"""Many short backtests through worker processes: what the second one brings."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from typing import Final

from bot.services.backtests import BacktestJob, Report, execute_backtest
from bot.services.workers import WorkerPool
from engine.backtest import BacktestRequest
from engine.timeframe import DAY_MS
from tests.bench.market import key as series_key
from tests.bench.market import store
from tests.bench.measuring import EXCHANGE, ROOT, START_MS, SYMBOL, Context, Meter, timed
from tests.bench.peaks import largest_peak

_STRATEGY: Final = "ma_crossover"
_JOBS: Final = 16
_QUICK_JOBS: Final = 6


@contextmanager
def ours(context: Context, _option: str) -> Iterator[Meter]:
    """Run them on two workers."""
    yield from _meter(context, 2)


@contextmanager
def reference(context: Context, _option: str) -> Iterator[Meter]:
    """Run them on one worker."""
    yield from _meter(context, 1)


def _meter(context: Context, size: int) -> Iterator[Meter]:
    coverage = store(context).coverage(series_key())
    assert coverage is not None
    jobs = [_job(context, number) for number in range(_QUICK_JOBS if context.is_quick else _JOBS)]
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        pool = runner.run(stack.enter_async_context(WorkerPool(size)))

        def measure() -> Mapping[str, float]:
            with timed() as watch:
                runner.run(_run_all(pool, jobs))
            return {"rate": len(jobs) / watch.seconds}

        try:
            yield Meter(measure, largest_peak)
        finally:
            runner.run(stack.aclose())


def _job(context: Context, number: int) -> BacktestJob:
    """Return a backtest over one year that begins some days after the last one's."""
    days = min(365, context.days // 2)
    room = context.days - days
    start = START_MS + (37 * number % room) * DAY_MS
    request = BacktestRequest(
        _STRATEGY, symbol=SYMBOL, exchange=EXCHANGE, start=start, end=start + days * DAY_MS
    )
    return BacktestJob(request, "1m", context.data_dir, ROOT / "strategies")


async def _run_all(pool: WorkerPool, jobs: list[BacktestJob]) -> list[float]:
    return await asyncio.gather(*(pool.run(final_equity, job) for job in jobs))


def final_equity(job: BacktestJob, report: Report) -> float:
    """Run one backtest; what crosses the pipe is a number, for pipes are not measured here."""
    return execute_backtest(job, report).final_equity
