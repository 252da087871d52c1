"""`jesse sweep`: run a strategy with many parameter sets, print the best, warn of luck."""

import argparse
import asyncio
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from bot.console.backtest import prepare_job
from bot.console.common import (
    ProgressBar,
    key_values,
    progress_bar,
    settings_from,
    write_json,
)
from bot.errors import InvalidInput
from bot.services.backtests import BacktestJob
from bot.services.grids import combine, count_sets, parse_grid
from bot.services.strategies import StrategyLibrary
from bot.services.sweeps import (
    MAX_SETS,
    SweepRequest,
    SweepResult,
    SweepRun,
    first_problem,
    run_sweep,
    value_of,
)
from bot.services.workers import WorkerPool
from data.cache import CandleStore
from engine.candles import format_time
from engine.timeframe import get_timeframe_ms

_SHOWN: Final = (
    ("total_return_pct", "return %"),
    ("sharpe_ratio", "Sharpe"),
    ("max_drawdown_pct", "drawdown %"),
    ("trades", "trades"),
    ("final_equity", "equity"),
)


def run(arguments: argparse.Namespace) -> int:
    """Carry the command out; return the exit code."""
    settings = settings_from(arguments)
    _check(arguments)
    sets = _sets(arguments, settings.strategies_folder)
    with progress_bar("runs") as show:
        job = prepare_job(arguments, settings, show, beside=sets)
        seen, unseen = _split(job, arguments.hold_out)
        workers = min(arguments.workers or _processors(), len(sets))
        result, judged = asyncio.run(_sweep(arguments, workers, seen, unseen, sets, show))
    ranked = result.ranked(arguments.sort)
    _tell_left_out(result, len(ranked), arguments.sort)
    if ranked:
        print(_table(ranked[: arguments.top], judged, arguments.sort))
    print(_summary(result, workers, unseen))
    print(_advice(len(sets), unseen is not None))
    if arguments.json:
        write_json(arguments.json, _to_json(seen, unseen, result, judged, arguments.sort))
        print(f"JSON: {arguments.json}")
    return 0 if ranked else 1


def _tell_left_out(result: SweepResult, ranked: int, metric: str) -> None:
    total, failed = len(result.runs), sum(run.figures is None for run in result.runs)
    if failed:
        problem = first_problem(result.runs)
        print(f"{failed:,} of {total:,} parameter sets could not be run: {problem}")
    if unranked := total - failed - ranked:
        print(f"{unranked:,} of {total:,} parameter sets have no {metric}: not ranked")


def _check(arguments: argparse.Namespace) -> None:
    value_of(SweepRun({}, None), arguments.sort)
    if not 0 <= arguments.hold_out <= 90:
        raise InvalidInput(f"--hold-out is a share in percent, 0 to 90, got {arguments.hold_out}")
    for name, value in (("--top", arguments.top), ("--workers", arguments.workers)):
        if value is not None and value < 1:
            raise InvalidInput(f"{name} must be 1 or more, got {value}")


def _sets(arguments: argparse.Namespace, folder: Any) -> tuple[dict[str, str], ...]:
    """Return the combinations; a name that the strategy doesn't know is refused before any run."""
    grid = parse_grid(arguments.params)
    strategy = StrategyLibrary(folder).load(arguments.strategy).strategy
    names = grid.keys() | key_values(arguments.param).keys()
    if unknown := names - strategy.Params.model_fields.keys():
        strategy.make_params(dict.fromkeys(unknown, "1"))
    if count_sets(grid) > MAX_SETS:
        raise InvalidInput(f"{count_sets(grid):,} combinations are more than {MAX_SETS:,}")
    return combine(grid)


def _split(job: BacktestJob, hold_out: float) -> tuple[BacktestJob, BacktestJob | None]:
    """Return the job on the part to choose by, and the one on the part that is held out."""
    if not hold_out:
        return job, None
    coverage = CandleStore(job.data_dir / "candles").coverage(job.key)
    if coverage is None:
        return job, None  # the run itself says that there are no candles
    step, request = get_timeframe_ms(job.timeframe), job.request
    start = max(coverage.first, request.start or 0)
    end = min(coverage.last + step, request.end or coverage.last + step)
    cut = start + int((end - start) * (100 - hold_out) / 100) // step * step
    return (
        replace(job, request=replace(request, end=cut)),
        replace(job, request=replace(request, start=cut)),
    )


async def _sweep(
    arguments: argparse.Namespace,
    workers: int,
    seen: BacktestJob,
    unseen: BacktestJob | None,
    sets: tuple[dict[str, str], ...],
    show: ProgressBar,
) -> tuple[SweepResult, dict[int, SweepRun]]:
    """Run all sets, and the best ones again on what was held out, by their id."""
    async with WorkerPool(workers) as pool:
        result = await run_sweep(
            pool, SweepRequest(seen, sets), lambda told: show("running", told.done, told.total)
        )
        best = result.ranked(arguments.sort)[: arguments.top]
        if unseen is None or not best:
            return result, {}
        chosen = SweepRequest(unseen, tuple(run.params for run in best))
        judged = await run_sweep(pool, chosen)
        return result, {id(run): other for run, other in zip(best, judged.runs, strict=True)}


def _table(ranked: Sequence[SweepRun], judged: dict[int, SweepRun], metric: str) -> str:
    shown = [*_SHOWN]
    if metric not in dict(_SHOWN):
        shown.insert(0, (metric, metric))
    heads = [*ranked[0].params, *(title for _, title in shown)]
    if judged:
        heads += [f"unseen {title}" for _, title in shown[:2]]
    rows = [heads]
    for run in ranked:
        row = [*run.params.values(), *(_text(value_of(run, name)) for name, _ in shown)]
        if judged:
            row += [_text(value_of(judged[id(run)], name)) for name, _ in shown[:2]]
        rows.append(row)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )


def _text(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def _summary(result: SweepResult, workers: int, unseen: BacktestJob | None) -> str:
    rate = len(result.runs) / result.seconds if result.seconds else 0.0
    text = (
        f"{len(result.runs):,} runs in {result.seconds:.1f} s with {workers} workers: {rate:,.0f}/s"
    )
    if unseen is not None and unseen.request.start is not None:
        text += f"; chosen on what lies before {format_time(unseen.request.start)}"
    return text


def _advice(tries: int, is_held_out: bool) -> str:
    luck = f"The best of {tries:,} tries owes part of its figures to luck (overfitting)."
    if is_held_out:
        return (
            f"{luck} Only the unseen columns tell what it may be worth: they were not chosen by.\n"
            "Where they fall far behind, discard it; looking again and again uses them up, too."
        )
    return (
        f"{luck} Choose on one part of the period and judge by the other: --hold-out 25.\n"
        "Prefer values whose neighbours do well, too, then let a forward test decide."
    )


def _to_json(
    seen: BacktestJob,
    unseen: BacktestJob | None,
    result: SweepResult,
    judged: dict[int, SweepRun],
    metric: str,
) -> dict[str, Any]:
    request = seen.request
    return {
        "strategy": request.strategy,
        "symbol": request.symbol,
        "exchange": request.exchange,
        "fixed_params": dict(request.params),
        "sorted_by": metric,
        "held_out_from": _time_text(unseen.request.start) if unseen else None,
        "seconds": result.seconds,
        "runs": [_run_json(run) for run in result.runs],
        "held_out": [_run_json(run) for run in judged.values()],
    }


def _run_json(run: SweepRun) -> dict[str, Any]:
    figures = run.figures
    return {
        "params": dict(run.params),
        "run_id": figures.run_id if figures else None,
        "final_equity": figures.final_equity if figures else None,
        "metrics": figures.metrics.to_json() if figures else None,
        "problem": run.problem or None,
    }


def _time_text(time: int | None) -> str | None:
    return None if time is None else format_time(time)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
