import json

import pytest

from data.cache import CandleStore, SeriesKey
from tests.strategies.golden_runs import simulated_candles

METRICS = {
    "total_return_pct",
    "win_rate_pct",
    "profit_factor",
    "max_drawdown_pct",
    "sharpe_ratio",
    "sortino_ratio",
    "calmar_ratio",
    "cagr_pct",
    "expectancy_usd",
    "exposure_pct",
    "buy_and_hold_pct",
    "trades",
}
TRADE = [
    "id",
    "side",
    "entry_time",
    "entry_price",
    "exit_time",
    "exit_price",
    "size",
    "size_usd",
    "pnl",
    "pnl_percent",
    "fees",
    "exit_reason",
    "ambiguous",
]


def test_a_backtest_prints_its_summary_and_writes_json(jesse, cached):
    outcome = jesse("backtest", "--strategy", "ma_crossover", "--json", cached / "out" / "run.json")
    assert outcome.code == 0, outcome.err
    assert "ma_crossover on BTC/USDT (simulated)" in outcome.out
    assert "simulated prices, not a real market" in outcome.out
    results = json.loads((cached / "out" / "run.json").read_text())
    assert results["metrics"].keys() >= METRICS
    assert list(results["trades"][0]) == TRADE
    assert results["data"]["candles"] == 60 * 1440
    assert set(results["costs"]) == {"fees", "slippage", "funding"}
    assert results["timing"]["total_s"] > 0
    assert results["start"] == "2024-01-01T00:00:00Z"


def test_flags_reach_the_run(jesse, cached):
    path = cached / "run.json"
    outcome = jesse(
        *("backtest", "--strategy", "ma_crossover", "--json", path),
        *("--param", "fast_period=10", "--param", "slow_period=30", "--initial-balance", 500),
        *("--fee-rate", 0.001, "--slippage-bps", 3, "--fill", "next_open", "--offline"),
        *("--start", "2024-01-10", "--end", "2024-02-10"),
    )
    assert outcome.code == 0, outcome.err
    results = json.loads(path.read_text())
    assert results["params"]["fast_period"] == 10
    assert results["initial_balance"] == 500
    assert (results["start"], results["end"]) == ("2024-01-10T00:00:00Z", "2024-02-10T00:00:00Z")
    assert results["costs"]["slippage"] > 0


def test_a_length_counts_back_from_the_last_cached_candle(jesse, cached):
    path = cached / "run.json"
    jesse("backtest", "--strategy", "breakout", "--start", "30d", "--offline", "--json", path)
    assert json.loads(path.read_text())["start"] == "2024-01-31T00:00:00Z"


@pytest.mark.browser
def test_charts_are_written_as_html_and_png(jesse, cached):
    outcome = jesse("backtest", "--strategy", "breakout", "--charts", cached / "charts")
    assert outcome.code == 0, outcome.err
    names = {path.name for path in (cached / "charts").iterdir()}
    assert {"equity.html", "trades.html"} <= names
    assert outcome.out.count("chart: ") == len(names)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--strategy", "ma_crosover"], 2, "did you mean ma_crossover?"),
        (["--strategy", "ma_crossover", "--param", "fast=3"], 2, "unknown parameter fast"),
        (["--strategy", "ma_crossover", "--param", "fast_period"], 2, "write it as name=value"),
        (["--strategy", "ma_crossover", "--param", "fast_period=1"], 2, "greater than or equal"),
        (["--strategy", "ma_crossover", "--start", "soon"], 2, "is no time"),
        (["--strategy", "ma_crossover", "--start", "2024-02", "--end", "2024-01"], 2, "not after"),
        (["--strategy", "ma_crossover", "--initial-balance", "-5"], 2, "INITIAL_BALANCE"),
        (["--strategy", "ma_crossover", "--fee-rate", "2"], 2, "FEE_RATE"),
        (["--strategy", "ma_crossover", "--fee-rate", "x"], 2, "invalid float"),
        (["--strategy", "ma_crossover", "--symbol", "ETH/USDT", "--offline"], 1, "fetch-data"),
        (["--strategy", "ma_crossover", "--exchange", "mtgox"], 2, "EXCHANGE"),
        (["--strategy", "ma_crossover", "--fill", "later"], 2, "invalid choice"),
        (
            ["--strategy", "ma_crossover", "--offline", "--start", "2030-01"],
            1,
            "fetch them with",
        ),
        ([], 2, "required: --strategy"),
    ],
)
def test_bad_input_gets_one_clear_message(jesse, cached, arguments, code, message):
    outcome = jesse("backtest", *arguments)
    assert outcome.code == code
    assert message in outcome.err
    assert "Traceback" not in outcome.err


def test_a_strategy_that_raises_is_told_with_file_and_line(jesse, cached, monkeypatch):
    folder = cached / "mine"
    folder.mkdir()
    (folder / "failing.py").write_text(
        "from engine import Strategy\n\n\nclass Failing(Strategy):\n"
        "    def on_candle(self, data, portfolio):\n        return 1 / 0\n"
    )
    monkeypatch.setenv("STRATEGIES_DIR", str(folder))
    outcome = jesse("backtest", "--strategy", "failing")
    assert outcome.code == 1
    assert "ZeroDivisionError: division by zero" in outcome.err
    assert "failing.py, line 6" in outcome.err
    assert "Traceback" not in outcome.err


def test_real_exchanges_need_a_key_only_when_they_are_asked(jesse, cached, monkeypatch):
    monkeypatch.setenv("EXCHANGE", "binance")
    outcome = jesse("backtest", "--strategy", "ma_crossover")
    assert outcome.code == 2
    assert "API_KEY" in outcome.err


def test_missing_candles_are_fetched_for_an_asked_period(jesse, exchange, tmp_path):
    path = tmp_path / "run.json"
    arguments = ("--start", "2024-01-05", "--end", "2024-01-20", "--json", path)
    outcome = jesse("backtest", "--strategy", "breakout", *arguments)
    assert outcome.code == 0, outcome.err
    assert json.loads(path.read_text())["data"]["candles"] == 15 * 1440


def test_trades_can_be_read_back_from_the_json(jesse, cached):
    path = cached / "run.json"
    jesse("backtest", "--strategy", "multi_timeframe", "--json", path)
    results = json.loads(path.read_text())
    total = sum(trade["pnl"] for trade in results["trades"])
    assert results["final_equity"] == pytest.approx(10_000 + total - results["costs"]["funding"])


def test_a_hole_in_cached_candles_needs_no_key_but_is_told(jesse, tmp_path, monkeypatch):
    monkeypatch.setenv("EXCHANGE", "binance")
    candles = simulated_candles(20)
    store = CandleStore(tmp_path / "var" / "candles")
    key = SeriesKey("binance", "BTC/USDT", "1m")
    store.write(key, candles.part(0, 9000), volume_delta_source="taker")
    store.write(key, candles.part(9080, len(candles)), volume_delta_source="taker")
    inside = ("--start", "2024-01-02", "--end", "2024-01-20")
    outcome = jesse("backtest", "--strategy", "breakout", *inside)
    assert outcome.code == 0, outcome.err
    assert "gaps inside the cached candles could not be asked for" in outcome.err
    assert "80 candles" in outcome.out
    beyond = jesse("backtest", "--strategy", "breakout", "--start", "2023-12-01")
    assert beyond.code == 2
    assert "API_KEY" in beyond.err


def test_a_folder_of_charts_that_can_not_be_made_is_named(jesse, cached):
    taken = cached / "taken"
    taken.write_text("no folder")

    outcome = jesse("backtest", "--strategy", "breakout", "--charts", taken / "charts")

    assert outcome.code == 2
    told = f"error: charts can't be written to {taken / 'charts'}: Not a directory\n"
    assert outcome.err.endswith(told)


def test_a_period_behind_the_cache_names_what_was_asked_for(jesse, cached):
    outcome = jesse("backtest", "--strategy", "breakout", "--start", "2025-06", "--offline")

    assert outcome.code == 1
    assert "candles from 2025-06-01T00:00:00Z on, it ends at 2024-03-01T00:00:00Z" in outcome.err


def test_a_start_behind_the_cache_is_fetched_up_to_now(jesse, exchange, tmp_path):
    path = tmp_path / "run.json"
    jesse("fetch-data", "--start", "2024-01-20", "--end", "2024-01-22")

    outcome = jesse("backtest", "--strategy", "breakout", "--start", "2024-01-25", "--json", path)

    assert outcome.code == 0, outcome.err
    results = json.loads(path.read_text())
    assert (results["start"], results["end"]) == ("2024-01-25T00:00:00Z", "2024-01-31T00:00:00Z")


def test_a_start_in_the_future_is_told(jesse, exchange):
    jesse("fetch-data", "--start", "2024-01-20", "--end", "2024-01-22")

    outcome = jesse("backtest", "--strategy", "breakout", "--start", "2025-06")

    assert outcome.code == 2
    assert "lies in the future" in outcome.err
