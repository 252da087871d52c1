"""`jesse sweep` as a user sees it. Real worker processes."""

import json

import pytest

SETS = "fast_period=5:15:5,slow_period=30|60"


def test_a_sweep_prints_the_best_first_and_warns_of_luck(jesse, cached):
    path = cached / "sweep.json"
    outcome = jesse(
        *("sweep", "--strategy", "ma_crossover", "--params", SETS, "--offline"),
        *("--sort", "total_return_pct", "--json", path, "--workers", 2),
    )
    assert outcome.code == 0, outcome.err
    heads, *rows = (line.split() for line in outcome.out.splitlines()[:7])
    assert heads[:4] == ["fast_period", "slow_period", "return", "%"]
    returns = [float(row[2]) for row in rows]
    assert len(returns) == 6
    assert returns == sorted(returns, reverse=True)
    assert "6 runs in" in outcome.out
    assert "overfitting" in outcome.out
    assert "--hold-out 25" in outcome.out
    assert len(json.loads(path.read_text())["runs"]) == 6


def test_each_row_is_the_backtest_of_the_same_parameters(jesse, cached):
    swept, single = cached / "sweep.json", cached / "run.json"
    flags = ("--strategy", "ma_crossover", "--offline", "--start", "2024-01-10")
    flags += ("--param", "size_percent=40", "--slippage-bps", 2, "--fill", "next_open")
    jesse("sweep", *flags, "--params", SETS, "--json", swept)
    runs = json.loads(swept.read_text())["runs"]
    assert len(runs) == 6
    for run in runs:
        own = [f"--param={name}={value}" for name, value in run["params"].items()]
        assert jesse("backtest", *flags, *own, "--json", single).code == 0
        alone = json.loads(single.read_text())
        assert run["run_id"] == alone["run_id"]
        assert run["final_equity"] == alone["final_equity"]
        assert run["metrics"] == alone["metrics"]


def test_the_best_are_judged_on_what_was_held_out(jesse, cached):
    path, single = cached / "sweep.json", cached / "run.json"
    outcome = jesse(
        *("sweep", "--strategy", "ma_crossover", "--params", SETS, "--offline"),
        *("--hold-out", 25, "--top", 2, "--json", path),
    )
    assert outcome.code == 0, outcome.err
    assert "unseen return %" in outcome.out
    assert "chosen on what lies before 2024-02-15T00:00:00Z" in outcome.out
    found = json.loads(path.read_text())
    assert found["held_out_from"] == "2024-02-15T00:00:00Z"
    assert len(found["held_out"]) == 2
    held_out = found["held_out"][0]
    own = [f"--param={name}={value}" for name, value in held_out["params"].items()]
    jesse(
        *("backtest", "--strategy", "ma_crossover", "--offline", *own),
        *("--start", "2024-02-15", "--end", "2024-03-01", "--json", single),
    )
    assert held_out["metrics"] == json.loads(single.read_text())["metrics"]


def test_what_is_held_out_begins_with_a_whole_candle(jesse, cached):
    path = cached / "sweep.json"
    flags = ("--params", "fast_period=5", "--hold-out", 33.33, "--json", path)
    jesse("sweep", "--strategy", "ma_crossover", "--offline", *flags)
    assert json.loads(path.read_text())["held_out_from"] == "2024-02-10T00:02:00Z"


def test_sets_that_the_strategy_refuses_are_counted_and_explained(jesse, cached):
    flags = ("sweep", "--strategy", "ma_crossover", "--offline", "--params")
    outcome = jesse(*flags, "fast_period=1|5")
    assert outcome.code == 0
    assert "1 of 2 parameter sets could not be run: parameter fast_period" in outcome.out
    assert jesse(*flags, "fast_period=1").code == 1


PAIRED = """
from pydantic import model_validator
from engine import Strategy, StrategyParams

class Paired(Strategy):
    timeframes = ("1h",)

    class Params(StrategyParams):
        fast: int = 5
        slow: int = 20

        @model_validator(mode="after")
        def ordered(self):
            if self.fast >= self.slow:
                raise ValueError("fast must be below slow")
            return self

    def on_candle(self, data, portfolio):
        return []
"""


@pytest.fixture
def paired(cached, monkeypatch):
    """Put a strategy there that refuses some parameters beside others, and never trades."""
    (cached / "own").mkdir()
    (cached / "own" / "paired.py").write_text(PAIRED)
    monkeypatch.setenv("STRATEGIES_DIR", str(cached / "own"))
    return ("sweep", "--strategy", "paired", "--offline", "--workers", 1)


def test_a_fixed_parameter_is_looked_at_beside_the_swept_ones(jesse, paired):
    flags = (*paired, "--sort", "total_return_pct", "--param", "fast=50", "--params")
    outcome = jesse(*flags, "slow=40:60:10")
    assert outcome.code == 0, outcome.err
    assert "2 of 3 parameter sets could not be run" in outcome.out
    assert "fast must be below slow" in outcome.out
    assert jesse(*flags, "slow=10|20").code == 2


def test_a_wrong_fixed_parameter_is_refused_before_any_run(jesse, paired):
    outcome = jesse(*paired, "--param", "fast=many", "--params", "slow=40:60:10")
    assert outcome.code == 2
    assert "parameter fast" in outcome.err
    outcome = jesse(*paired, "--param", "fats=3", "--params", "slow=40:60:10")
    assert outcome.code == 2
    assert "unknown parameter fats" in outcome.err


def test_sets_without_the_figure_are_counted_not_passed_over(jesse, paired):
    outcome = jesse(*paired, "--sort", "profit_factor", "--params", "slow=40:60:10")
    assert outcome.code == 1
    assert "3 of 3 parameter sets have no profit_factor: not ranked" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--params", "fast_period=1:1e999999:1e-9"], "is not first:last:step in numbers"),
        (["--params", "fastperiod=1:3"], "did you mean fast_period?"),
        (["--params", "fast_period"], "is not name=values"),
        (["--params", "fast_period=2:500,slow_period=3:2000"], "combinations are more than"),
        (["--params", SETS, "--sort", "luck"], "no metric 'luck'"),
        (["--params", SETS, "--hold-out", "95"], "0 to 90"),
        (["--params", SETS, "--top", "0"], "--top must be 1 or more"),
        (["--params", SETS, "--workers", "0"], "--workers must be 1 or more"),
        (["--params", SETS, "--param", "fast_period=3"], "fixed and swept"),
        ([], "required: --params"),
    ],
)
def test_bad_input_gets_one_clear_message(jesse, cached, arguments, message):
    outcome = jesse("sweep", "--strategy", "ma_crossover", "--offline", *arguments)
    assert outcome.code == 2
    assert message in outcome.err
    assert "Traceback" not in outcome.err
