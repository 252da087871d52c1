"""A run with what a process keeps gives the same bits as one without."""

from dataclasses import replace

import numpy as np
import pytest

from bot.services.backtests import BacktestJob, execute_backtest, run_job
from bot.services.run_memory import RunMemory
from data.cache import CandleStore, SeriesKey
from data.errors import NoCandles
from data.funding import FundingHistory, FundingStore
from engine.backtest import BacktestRequest
from engine.timeframe import DAY_MS
from tests.strategies.golden_runs import NAMES, START, STRATEGIES, simulated_candles

KEY = SeriesKey("simulated", "BTC/USDT", "1m")
DAYS = 40


@pytest.fixture
def data_dir(tmp_path):
    store = CandleStore(tmp_path / "var" / "candles")
    store.write(KEY, simulated_candles(DAYS), volume_delta_source="taker")
    return tmp_path / "var"


def make_job(data_dir, strategy="ma_crossover", **request):
    request.setdefault("params", {"fast_period": "10", "slow_period": "30"})
    if strategy != "ma_crossover":
        request["params"] = {}
    return BacktestJob(BacktestRequest(strategy, **request), "1m", data_dir, STRATEGIES)


def pay_funding(data_dir, rate, days=DAYS):
    times = START + np.arange(0, days * DAY_MS, DAY_MS // 3)
    history = FundingHistory.of(times, np.full(len(times), rate))
    FundingStore(data_dir / "funding").write(
        KEY.exchange, KEY.symbol, history, (START, START + days * DAY_MS)
    )


def everything(results):
    columns = (results.equity.time, results.equity.equity, results.price.close)
    return [
        replace(results, timing=None).to_json(),
        results.trades,
        results.notes,
        *(column.tobytes() for column in columns),
    ]


@pytest.mark.parametrize("strategy", NAMES)
def test_kept_candles_and_code_change_no_bit_of_a_result(data_dir, strategy):
    pay_funding(data_dir, 0.0001)
    memory = RunMemory()
    for period in [{}, {"start": START + 20 * DAY_MS}, {"end": START + 30 * DAY_MS + 1}, {}]:
        job = make_job(data_dir, strategy, **period)
        assert everything(run_job(job, memory)) == everything(run_job(job))


def test_a_changed_candle_is_in_the_next_run(data_dir):
    memory, job = RunMemory(), make_job(data_dir)
    before = run_job(job, memory)
    candles = simulated_candles(DAYS + 1).part(DAYS * 1440 - 5, (DAYS + 1) * 1440)
    CandleStore(data_dir / "candles").write(KEY, candles, volume_delta_source="taker")

    after = run_job(job, memory)

    assert after.data.candles == before.data.candles + 1440
    assert everything(after) == everything(run_job(job))


def test_changed_funding_is_in_the_next_run(data_dir):
    memory, job = RunMemory(), make_job(data_dir)
    assert run_job(job, memory).costs.funding == 0
    for rate in (0.0001, 0.0005):
        pay_funding(data_dir, rate)
        paid = run_job(job, memory).costs.funding
        assert paid == run_job(job).costs.funding != 0


def test_a_changed_strategy_is_in_the_next_run(data_dir, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    source = (STRATEGIES / "ma_crossover.py").read_text()
    (folder / "ma_crossover.py").write_text(source)
    memory, job = RunMemory(), replace(make_job(data_dir), strategies_folder=folder)
    before = run_job(job, memory)

    (folder / "ma_crossover.py").write_text(source.replace("Field(95,", "Field(10,"))

    after = run_job(job, memory)
    assert after.params["size_percent"] == 10
    assert after.run_id != before.run_id
    assert everything(after) == everything(run_job(job))


def test_what_a_strategy_remembers_in_its_class_does_not_reach_the_next_run(data_dir, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "forgetful.py").write_text(
        "from engine import Signal, Strategy\n\n"
        "class Forgetful(Strategy):\n"
        '    """Buys once in the life of its class."""\n\n'
        '    timeframes = ("1h",)\n'
        "    bought = []\n\n"
        "    def on_candle(self, data, portfolio):\n"
        "        if self.bought:\n"
        "            return []\n"
        "        self.bought.append(True)\n"
        "        return [Signal.open_long(50)]\n"
    )
    memory = RunMemory()
    job = BacktestJob(BacktestRequest("forgetful"), "1m", data_dir, folder)

    assert [run_job(job, memory).metrics.trades for _ in range(2)] == [1, 1]


def test_nothing_is_found_where_nothing_is_cached(data_dir):
    job = make_job(data_dir, symbol="ETH/USDT")
    with pytest.raises(NoCandles, match="fetch-data"):
        run_job(job, RunMemory())


def test_a_run_of_its_own_leaves_no_columns_on_disk(data_dir):
    execute_backtest(make_job(data_dir), lambda told: None)
    assert not (data_dir / "mapped").exists()


def test_progress_is_told_from_its_first_stage_to_its_end_but_seldom(data_dir):
    told = []
    results = execute_backtest(make_job(data_dir), told.append)

    assert told[0] == ("loading candles", 0, 1)
    assert told[-1] == ("running", results.data.candles, results.data.candles)
    assert len(told) < 100
