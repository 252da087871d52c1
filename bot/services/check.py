"""Checks what a strategy promises: it runs, repeats itself, knows no future, and wakes in time.

Compares runs of one strategy on the same candles. Queueing is in bot.services.check_jobs.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from bot.services.backtests import BacktestJob, load_data, load_strategy
from bot.services.keeping import kept_by
from bot.services.run_memory import RunMemory
from engine.backtest import BacktestData, BacktestRequest, run_backtest
from engine.errors import StrategyFailed
from engine.frames import MultiTimeframeData
from engine.orders import Signal, Trade
from engine.portfolio import PortfolioView
from engine.strategy import Strategy
from engine.timeframe import get_timeframe_ms

Report = Callable[[tuple[str, int, int]], None]
Decision = Sequence[Signal]

FIRST: Final = "called at every close"
AGAIN: Final = "the same once more"
WAKING: Final = "called as it wants"
CUTTING: Final = "without the candles to come"

_CUTS: Final = 8
# Causal functions may differ in the last bits where their input's length differs.
_CLOSE_ENOUGH: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Failure:
    """What the strategy's own code raised, with its file and line, and at which candle (ms)."""

    text: str
    time: int | None


@dataclass(frozen=True, slots=True)
class WakeCheck:
    """What came of a strategy's `wake`; times are open times (ms) of its smallest candles.

    `missed` is the first candle at whose close it decides something though it said it would not.
    `same_results` tells whether the sparse run gave the trades of the full one, `failure` what it
    raised where the full one raised nothing.
    """

    has_wake: bool
    calls: int
    closes: int
    missed: int | None
    same_results: bool
    failure: Failure | None = None

    @property
    def holds(self) -> bool:
        """Whether the claim is true on these candles."""
        return self.missed is None and self.same_results


@dataclass(frozen=True, slots=True)
class StrategyCheck:
    """What came of a check; times are open times (ms) of the strategy's smallest candles.

    `start` and `end` are the period (end excluded). `failure` ends the check; so does `varies_at`,
    the first candle at which a second run decides otherwise. `peeks_at` is the first candle at
    which it decides otherwise where the candles to come are missing, tried `cuts` times.
    """

    start: int
    end: int
    closes: int
    decisions: int
    failure: Failure | None = None
    varies_at: int | None = None
    peeks_at: int | None = None
    cuts: int = 0
    wake: WakeCheck | None = None

    @property
    def holds(self) -> bool:
        """Whether all that was looked at is as it should be."""
        found = (self.failure, self.varies_at, self.peeks_at)
        return found == (None, None, None) and (self.wake is None or self.wake.holds)


def check_job(job: BacktestJob, report: Report) -> StrategyCheck:
    """Check a strategy on cached candles; a worker process keeps them for the next run.

    Raises:
        NoCandles, InvalidRun: there is nothing to check it on.
        UnknownStrategy, BrokenStrategy: its file can't be loaded.
    """
    memory = kept_by(report, RunMemory)
    strategy = load_strategy(job, memory).strategy
    return check_strategy(job.request, strategy, load_data(job, strategy, memory), report)


def check_strategy(
    request: BacktestRequest, strategy: type[Strategy], data: BacktestData, report: Report
) -> StrategyCheck:
    """Check a strategy on candles."""
    first = _run(request, strategy, data, _stage(report, FIRST), sparse=False)
    check = StrategyCheck(
        start=first.start,
        end=first.end,
        closes=len(first.called),
        decisions=len(first.decided),
        failure=first.failure,
    )
    if first.failure is not None:
        return check
    again = _run(request, strategy, data, _stage(report, AGAIN), sparse=False)
    varies_at = again.differs_from(first)
    if varies_at is not None:
        return replace(check, varies_at=varies_at)
    wake = _check_wake(request, strategy, data, first, report)
    is_sparse = wake.has_wake and wake.holds
    cuts = _cuts(data, first, strategy)
    peeks_at = _peek(request, strategy, cuts, first, report, sparse=is_sparse)
    return replace(check, wake=wake, cuts=len(cuts), peeks_at=peeks_at)


@dataclass(slots=True)
class _Record:
    """Where a run called its strategy, and what it decided there."""

    start: int = 0
    end: int = 0
    called: dict[int, None] = field(default_factory=dict)
    decided: dict[int, Decision] = field(default_factory=dict)
    trades: tuple[Trade, ...] = ()
    failure: Failure | None = None

    def differs_from(self, other: "_Record") -> int | None:
        """Return the first candle of this run at which the other one decided otherwise."""
        if self.failure is not None:
            return self.failure.time or self.start
        times = (time for time in self.called if not self._agrees(other, time))
        return next(times, None)

    def _agrees(self, other: "_Record", time: int) -> bool:
        mine, others = self.decided.get(time, ()), other.decided.get(time, ())
        same = (_alike(one, two) for one, two in zip(mine, others, strict=False))
        return len(mine) == len(others) and all(same)


def _run(
    request: BacktestRequest,
    strategy: type[Strategy],
    data: BacktestData,
    progress: Callable[[int, int], None],
    *,
    sparse: bool,
) -> _Record:
    record = _Record(int(data.candles.timestamp[0]) if len(data.candles) else 0)
    recorder = _recorder(strategy, record)
    try:
        results = run_backtest(request, recorder, data, sparse=sparse, progress=progress)
    except StrategyFailed as error:
        record.failure = Failure(str(error), next(reversed(record.called), None))
        record.end = int(data.candles.close_time[-1])
    else:
        record.start, record.end, record.trades = results.start, results.end, results.trades
    return record


def _check_wake(
    request: BacktestRequest,
    strategy: type[Strategy],
    data: BacktestData,
    full: _Record,
    report: Report,
) -> WakeCheck:
    if strategy.wake is Strategy.wake:
        return WakeCheck(False, len(full.called), len(full.called), None, True)
    sparse = _run(request, strategy, data, _stage(report, WAKING), sparse=True)
    # Behind a failure nothing is called: it is no miss.
    until = None if sparse.failure is None else sparse.failure.time or full.start
    missed = (
        time
        for time in full.decided
        if time not in sparse.called and (until is None or time < until)
    )
    return WakeCheck(
        has_wake=True,
        calls=len(sparse.called),
        closes=len(full.called),
        missed=next(missed, None),
        same_results=sparse.failure is None and sparse.trades == full.trades,
        failure=sparse.failure,
    )


def _cuts(data: BacktestData, full: _Record, strategy: type[Strategy]) -> list[BacktestData]:
    """Return the candles up to the close of some decisions: nothing else can tell of a peek."""
    times = list(full.decided)
    if not times:
        return []
    chosen = sorted({times[i] for i in np.linspace(0, len(times) - 1, _CUTS).astype(int)})
    step = get_timeframe_ms(strategy.smallest_timeframe())
    candles = data.candles
    ends = np.searchsorted(candles.close_time, [time + step for time in chosen], side="right")
    return [replace(data, candles=candles.part(0, int(end))) for end in ends]


def _peek(
    request: BacktestRequest,
    strategy: type[Strategy],
    cuts: list[BacktestData],
    full: _Record,
    report: Report,
    *,
    sparse: bool,
) -> int | None:
    found: list[int] = []
    for number, data in enumerate(cuts):
        report((CUTTING, number, len(cuts)))
        short = _run(request, strategy, data, lambda done, total: None, sparse=sparse)
        time = short.differs_from(full)
        found += [] if time is None else [time]
    return min(found, default=None)


def _stage(report: Report, name: str) -> Callable[[int, int], None]:
    return lambda done, total: report((name, done, total))


def _alike(one: Signal, two: Signal) -> bool:
    same = (one.action, one.position_id) == (two.action, two.position_id)
    return same and all(
        _is_close(getattr(one, name), getattr(two, name))
        for name in ("size_percent", "stop_loss", "take_profit")
    )


def _is_close(one: float | None, two: float | None) -> bool:
    if one is None or two is None:
        return one is two
    return math.isclose(one, two, rel_tol=_CLOSE_ENOUGH) or (math.isnan(one) and math.isnan(two))


def _recorder(strategy: type[Strategy], record: _Record) -> type[Strategy]:
    """Return the strategy, noting at which candles it is called and decides something."""

    def on_candle(self: Strategy, data: MultiTimeframeData, portfolio: PortfolioView) -> Any:
        time = data[self.smallest_timeframe()].latest.timestamp
        record.called[time] = None
        signals: Any = strategy.on_candle(self, data, portfolio)
        if isinstance(signals, Iterator):
            signals = list(signals)
        if signals and isinstance(signals, Iterable):
            # Noted as it is now: a strategy may fill the same list again and again.
            record.decided[time] = tuple(signals)
        elif signals:
            record.decided[time] = (signals,)
        return signals

    # The module keeps its name, so that a failure names the user's own file and line.
    members = {"on_candle": on_candle, "__module__": strategy.__module__}
    return type(strategy.__name__, (strategy,), members)
