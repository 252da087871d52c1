"""Sweeps: the figures of each run are those of a backtest alone; errors; order. Real processes."""

import asyncio
from dataclasses import replace

import pytest

from bot.errors import BrokenStrategy, InvalidInput
from bot.services.backtests import BacktestJob, run_job
from bot.services.grids import combine, parse_grid
from bot.services.sweeps import (
    SweepFigures,
    SweepRequest,
    SweepResult,
    SweepRun,
    first_problem,
    run_sweep,
    value_of,
)
from bot.services.workers import WorkerPool
from data.cache import CandleStore, SeriesKey
from data.errors import NoCandles
from engine.backtest import BacktestRequest
from engine.timeframe import DAY_MS
from tests.strategies.golden_runs import START, STRATEGIES, simulated_candles

KEY = SeriesKey("simulated", "BTC/USDT", "1m")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweeps")
    CandleStore(folder / "candles").write(KEY, simulated_candles(30), volume_delta_source="taker")
    return folder


@pytest.fixture
def job(data_dir):
    start = START + 5 * DAY_MS
    request = BacktestRequest("ma_crossover", start=start, params={"size_percent": "50"})
    return BacktestJob(request, "1m", data_dir, STRATEGIES)


class ThisProcess:
    """A pool of two that works in this process; `batches` are the numbers of sets it was given."""

    size = 2

    def __init__(self):
        self.batches = []

    async def run(self, function, argument):
        self.batches.append(len(argument.sets))
        await asyncio.sleep(0)
        return function(argument, lambda value: None)


def figures_of_single_runs(job, sets):
    for params in sets:
        request = replace(job.request, params={**job.request.params, **params})
        results = run_job(replace(job, request=request))
        yield SweepFigures(results.run_id, results.final_equity, results.metrics)


async def test_each_run_of_a_sweep_is_bit_equal_to_that_backtest_alone(job):
    sets = combine(parse_grid("fast_period=5:20:5,slow_period=30|60,allow_short=true|false"))
    told = []

    async with WorkerPool(2) as pool:
        result = await run_sweep(pool, SweepRequest(job, sets), told.append)

    assert [run.params for run in result.runs] == list(sets)
    assert [run.figures for run in result.runs] == list(figures_of_single_runs(job, sets))
    assert len({run.figures.run_id for run in result.runs}) == len(sets)
    assert (told[-1].done, told[-1].total) == (16, 16)
    assert [step.done for step in told] == sorted(step.done for step in told)


async def test_batches_begin_small_and_leave_nothing_out(job):
    pool = ThisProcess()
    sets = combine(parse_grid("fast_period=2:40,slow_period=60"))

    result = await run_sweep(pool, SweepRequest(job, sets))

    assert pool.batches[:2] == [1, 1]
    assert sum(pool.batches) == len(sets) == len(result.runs)
    assert all(run.figures for run in result.runs)


async def test_a_set_that_the_strategy_refuses_costs_no_other(job):
    sets = combine(parse_grid("fast_period=1:3,slow_period=50"))

    result = await run_sweep(ThisProcess(), SweepRequest(job, sets))

    assert [run.figures is None for run in result.runs] == [True, False, False]
    assert "greater than or equal to 2" in first_problem(result.runs)
    assert len(result.ranked("final_equity")) == 2


async def test_a_strategy_that_raises_is_told_in_its_run(job, tmp_path):
    (tmp_path / "ma_crossover.py").write_text(
        (STRATEGIES / "ma_crossover.py")
        .read_text()
        .replace("if self.crossed_up[-1]:", "if 1 / (self.params.fast_period - 10) > 5:")
    )
    sets = combine(parse_grid("fast_period=10|20,slow_period=50"))

    result = await run_sweep(
        ThisProcess(), SweepRequest(replace(job, strategies_folder=tmp_path), sets)
    )

    assert "ZeroDivisionError" in result.runs[0].problem
    assert result.runs[1].figures is not None


async def test_what_no_set_could_do_better_ends_the_sweep(job, tmp_path):
    sets = combine(parse_grid("fast_period=5:30"))
    nothing = replace(job, request=replace(job.request, symbol="ETH/USDT"))
    (tmp_path / "ma_crossover.py").write_text("(")

    with pytest.raises(NoCandles, match="fetch-data"):
        await run_sweep(ThisProcess(), SweepRequest(nothing, sets))
    with pytest.raises(BrokenStrategy, match="can't be loaded"):
        await run_sweep(ThisProcess(), SweepRequest(replace(job, strategies_folder=tmp_path), sets))


async def test_what_fails_for_good_does_not_wait_for_the_rest(job):
    class HalfDead(ThisProcess):
        async def run(self, function, argument):
            self.batches.append(len(argument.sets))
            if len(self.batches) == 1:
                await asyncio.Event().wait()
            raise BrokenStrategy("a worker died")

    sets = combine(parse_grid("fast_period=5:30"))
    async with asyncio.timeout(10):
        with pytest.raises(BrokenStrategy, match="a worker died"):
            await run_sweep(HalfDead(), SweepRequest(job, sets))


async def test_cancelling_a_sweep_leaves_the_pool_fit_for_more(job):
    begun = asyncio.Event()
    sets = combine(parse_grid("fast_period=2:80,slow_period=90:99"))
    async with WorkerPool(2) as pool:
        sweep = asyncio.create_task(
            run_sweep(pool, SweepRequest(job, sets), lambda told: begun.set())
        )
        await begun.wait()
        sweep.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sweep

        result = await run_sweep(pool, SweepRequest(job, sets[:2]))

    assert all(run.figures for run in result.runs)


def test_a_request_without_sets_or_with_a_parameter_in_both_places_is_refused(job):
    with pytest.raises(InvalidInput, match="1 to 100,000"):
        SweepRequest(job, ())
    with pytest.raises(InvalidInput, match="size_percent: fixed and swept"):
        SweepRequest(job, ({"size_percent": "3"},))


async def test_runs_are_ranked_best_first_whichever_way_a_metric_points(job):
    sets = combine(parse_grid("fast_period=5:20:5,slow_period=30|60"))
    result = await run_sweep(ThisProcess(), SweepRequest(job, sets))

    for metric, pick in [("total_return_pct", max), ("max_drawdown_pct", min)]:
        ranked = result.ranked(metric)
        values = [value_of(run, metric) for run in ranked]
        assert values[0] == pick(values)
        assert values in (sorted(values), sorted(values, reverse=True))
    with pytest.raises(InvalidInput, match="no metric 'sharp'"):
        result.ranked("sharp")


def test_a_run_without_figures_has_no_rank():
    result = SweepResult((SweepRun({}, None, "why"),), 1.0)
    assert result.ranked("sharpe_ratio") == ()
    assert first_problem(result.runs) == "why"
