import json

import pytest

from bot.services.strategies import StrategyLibrary
from engine.backtest import BacktestData, BacktestRequest, run_backtest
from tests.strategies.golden_runs import FOLDER, NAMES, STRATEGIES, compute, simulated_candles


@pytest.fixture(scope="module")
def candles():
    return simulated_candles()


def _close(value):
    """Compare numbers to nine digits and everything else exactly, however deep."""
    if isinstance(value, dict):
        return {key: _close(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_close(item) for item in value]
    return pytest.approx(value, rel=1e-9, abs=1e-9) if isinstance(value, float) else value


def test_every_shipped_strategy_has_a_golden_result():
    assert tuple(StrategyLibrary(STRATEGIES).names()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_strategys_results_are_those_that_were_reviewed(name, candles):
    golden = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    computed = compute(name, candles)
    assert [t["id"] for t in computed["trades"]] == [t["id"] for t in golden["trades"]]
    for trade, reviewed in zip(computed["trades"], golden["trades"], strict=True):
        assert trade == _close(reviewed)
    for key in ("final_equity", "costs", "metrics", "rejected"):
        assert computed[key] == _close(golden[key])


@pytest.mark.parametrize("name", NAMES)
def test_a_rerun_gives_the_same_bits(name, candles):
    strategy = StrategyLibrary(STRATEGIES).load(name).strategy
    month = BacktestData(candles.part(0, 30 * 1440))
    first = run_backtest(BacktestRequest(name), strategy, month)
    second = run_backtest(BacktestRequest(name), strategy, month)
    assert first.to_json() == second.to_json()
    assert first.equity.equity.tobytes() == second.equity.equity.tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_every_strategy_trades_in_its_golden_run(name):
    golden = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    assert len(golden["trades"]) >= 3
