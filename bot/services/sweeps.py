"""Parameter sweeps as a use case: one strategy, many parameter sets, one compact result for each.

Runs are shared out to worker processes in batches; each worker loads the candles once. What comes
back are figures, no trades and no curves: any set can be run again alone, with the same result.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from bot.errors import InvalidInput
from bot.services.backtests import BacktestJob, load_data, load_strategy, run_job
from bot.services.keeping import kept_by
from bot.services.requests import JobProgress
from bot.services.run_memory import RunMemory
from engine.backtest import BacktestData
from engine.errors import StrategyError
from engine.metrics import Metrics

OnProgress = Callable[[JobProgress], None]
ParamSet = Mapping[str, str]

SWEEPING: Final = "running"
MAX_SETS: Final = 100_000
LOWER_IS_BETTER: Final = frozenset(
    {
        "max_drawdown_pct",
        "average_drawdown_ms",
        "longest_drawdown_ms",
        "longest_loss_streak",
        "volatility_pct",
        "total_fees_usd",
        "ambiguous_trades",
        "losing_trades",
    }
)

# A batch takes about so long: long beside a message between processes, short beside a sweep.
_BATCH_S: Final = 0.25
_MAX_BATCH: Final = 64


class Pool(Protocol):
    """Runs functions in worker processes, `size` at a time."""

    size: int

    async def run(
        self, function: Callable[[Any, Callable[[Any], None]], Any], argument: Any
    ) -> Any:
        """Call `function(argument, report)` and return its result."""


@dataclass(frozen=True, slots=True)
class SweepRequest:
    """A backtest, and the parameter sets to run it with; its own parameters hold for all of them.

    Raises:
        InvalidInput: no set, too many, or a parameter that is both fixed and swept.
    """

    job: BacktestJob
    sets: tuple[ParamSet, ...]

    def __post_init__(self) -> None:
        if not 0 < len(self.sets) <= MAX_SETS:
            raise InvalidInput(
                f"a sweep has 1 to {MAX_SETS:,} parameter sets, got {len(self.sets):,}"
            )
        twice = {name for params in self.sets for name in params} & self.job.request.params.keys()
        if twice:
            raise InvalidInput(f"{', '.join(sorted(twice))}: fixed and swept; keep one")


@dataclass(frozen=True, slots=True)
class SweepFigures:
    """What a run came to: equity in USD; `run_id` is that of the same backtest run alone."""

    run_id: str
    final_equity: float
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class SweepRun:
    """One parameter set with its figures, or with what was wrong with it."""

    params: ParamSet
    figures: SweepFigures | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class SweepResult:
    """All runs in the order of the request's sets, and how long they took in seconds."""

    runs: tuple[SweepRun, ...]
    seconds: float

    def ranked(self, metric: str) -> tuple[SweepRun, ...]:
        """Return the runs that have a figure, the best first; equal ones stay in order.

        Raises:
            InvalidInput: there is no such metric.
        """
        sign = 1 if metric in LOWER_IS_BETTER else -1
        valued = [(run, value) for run in self.runs if (value := value_of(run, metric)) is not None]
        return tuple(run for run, _ in sorted(valued, key=lambda item: sign * item[1]))


def value_of(run: SweepRun, metric: str) -> float | None:
    """Return a run's metric or its `final_equity`, None where it has none.

    Raises:
        InvalidInput: there is no such metric.
    """
    if metric != "final_equity" and metric not in Metrics.__slots__:
        known = ", ".join(["final_equity", *Metrics.__slots__])
        raise InvalidInput(f"no metric {metric!r}: there are {known}")
    if run.figures is None:
        return None
    owner = run.figures if metric == "final_equity" else run.figures.metrics
    value: float | None = getattr(owner, metric)
    return value


async def run_sweep(
    pool: Pool, request: SweepRequest, on_progress: OnProgress | None = None
) -> SweepResult:
    """Run every parameter set in the pool's processes.

    A set that the strategy refuses or fails on is told in its run.

    Raises:
        NoCandles: the cache holds none for the asked series.
        BotError: the strategy can't be loaded, or a worker process died.
    """
    started = time.perf_counter()
    sweep = _Sweep(pool, request, on_progress)
    feeders = [asyncio.create_task(sweep.feed()) for _ in range(pool.size)]
    try:
        await asyncio.gather(*feeders)
    finally:
        for feeder in feeders:
            feeder.cancel()
        await asyncio.gather(*feeders, return_exceptions=True)
    runs = tuple(sweep.runs[number] for number in range(len(request.sets)))
    return SweepResult(runs, time.perf_counter() - started)


@dataclass(frozen=True, slots=True)
class _Batch:
    job: BacktestJob
    sets: tuple[ParamSet, ...]


class _Sweep:
    """A sweep under way: what is left to do, and what came back."""

    def __init__(self, pool: Pool, request: SweepRequest, on_progress: OnProgress | None) -> None:
        self.runs: dict[int, SweepRun] = {}
        self._pool = pool
        self._request = request
        self._on_progress = on_progress
        self._left = deque(enumerate(request.sets))

    async def feed(self) -> None:
        """Hand out batches until none is left; the first ones are small, to learn their pace."""
        count = 1
        while self._left:
            share = -(-len(self._left) // (2 * self._pool.size))
            taken = [self._left.popleft() for _ in range(min(count, share))]
            sets = tuple(params for _, params in taken)
            started = time.perf_counter()
            runs = await self._pool.run(execute_batch, _Batch(self._request.job, sets))
            pace_s = (time.perf_counter() - started) / len(taken)
            count = max(1, min(_MAX_BATCH, 4 * count, int(_BATCH_S / max(pace_s, 1e-6))))
            self.runs |= {number: run for (number, _), run in zip(taken, runs, strict=True)}
            if self._on_progress:
                done, total = len(self.runs), len(self._request.sets)
                self._on_progress(JobProgress(SWEEPING, done, total))


def execute_batch(batch: _Batch, report: Callable[[Any], None]) -> tuple[SweepRun, ...]:
    """Run some parameter sets in this process, one after the other, on the same candles."""
    memory, job = kept_by(report, RunMemory), batch.job
    data = load_data(job, load_strategy(job, memory).strategy, memory)
    return tuple(_run_one(job, params, memory, data) for params in batch.sets)


def _run_one(
    job: BacktestJob, params: ParamSet, memory: RunMemory | None, data: BacktestData
) -> SweepRun:
    request = replace(job.request, params={**job.request.params, **params})
    try:
        results = run_job(replace(job, request=request), memory, data=data)
    except StrategyError as error:
        return SweepRun(params, None, str(error))
    return SweepRun(params, SweepFigures(results.run_id, results.final_equity, results.metrics))


def first_problem(runs: Sequence[SweepRun]) -> str:
    """Return what was wrong with the first set that has no figures, empty if all have."""
    return next((run.problem for run in runs if run.figures is None), "")
