"""Results: their JSON, CSV and pickle, and the charts that they leave to others."""

import csv
import io
import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.candles import CandleSeries, Gap
from engine.errors import InvalidRun
from engine.metrics import compute_metrics
from engine.orders import ExitReason, Side, Trade
from engine.results import (
    TRADE_FIELDS,
    BacktestResults,
    Costs,
    DataPassport,
    EquityCurve,
    Rejection,
    Timing,
    trade_to_json,
)

MINUTE_MS = 60_000
START = 1_704_067_200_000  # 2024-01-01 00:00 UTC
CLOSES = np.array([100.0, 101.0, 99.0, 102.0, 103.0])
OPENS = START + MINUTE_MS * np.arange(5)
EQUITY = np.array([1000.0, 1000.0, 998.0, 1001.0, 1001.0])
END = int(OPENS[-1]) + MINUTE_MS
TRADE = Trade(
    id=1,
    side=Side.LONG,
    entry_time=START + 2 * MINUTE_MS,
    entry_price=101.0,
    exit_time=START + 4 * MINUTE_MS,
    exit_price=102.0,
    size=1.5,
    size_usd=151.5,
    pnl=1.25,
    pnl_percent=0.825,
    fees=0.25,
    exit_reason=ExitReason.TAKE_PROFIT,
    slippage=0.5,
    take_profit=102.0,
)

PROMISED_KEYS = {
    "": "run_id strategy params symbol exchange start end initial_balance final_equity costs"
    " metrics data trades rejected timing",
    "costs": "fees slippage funding",
    "metrics": "total_return_pct win_rate_pct profit_factor max_drawdown_pct sharpe_ratio"
    " sortino_ratio calmar_ratio cagr_pct expectancy_usd exposure_pct buy_and_hold_pct trades",
    "data": "candles missing gaps sha256",
    "trades": "id side entry_time entry_price exit_time exit_price size size_usd pnl"
    " pnl_percent fees exit_reason ambiguous",
    "timing": "load_s engine_s total_s",
}


class RecordingCharts:
    """Remembers what it was asked to draw."""

    def __init__(self) -> None:
        self.drawn: list[tuple[str, BacktestResults, Path]] = []

    def write_equity(self, results: BacktestResults, path: Path) -> None:
        self.drawn.append(("equity", results, path))

    def write_trades(self, results: BacktestResults, path: Path) -> None:
        self.drawn.append(("trades", results, path))


@pytest.fixture
def results() -> BacktestResults:
    return make_results((TRADE,))


@pytest.fixture
def empty_results() -> BacktestResults:
    return make_results(())


def make_results(trades: tuple[Trade, ...]) -> BacktestResults:
    equity = EQUITY if trades else np.full(5, 1000.0)
    return BacktestResults(
        run_id="0123456789abcdef",
        strategy="ma_crossover",
        params={"fast_period": 5, "band": 0.5},
        symbol="BTC/USDT",
        exchange="binance",
        timeframes=("1m", "1h"),
        start=START,
        end=END,
        initial_balance=1000.0,
        final_equity=float(equity[-1]),
        costs=Costs(fees=0.25, slippage=0.5, funding=-0.125),
        metrics=compute_metrics(
            trades=trades,
            time=OPENS + MINUTE_MS,
            equity=equity,
            initial_balance=1000.0,
            closes=CLOSES,
            start=START,
            end=END,
        ),
        data=DataPassport(
            source="binance",
            timeframe="1m",
            candles=5,
            missing=3,
            gaps=(Gap(START + 5 * MINUTE_MS, START + 7 * MINUTE_MS, 3),),
            sha256="ab" * 32,
            trades_touching_gaps=(1,),
        ),
        trades=trades,
        rejected=(Rejection("size is not positive", 2, START + MINUTE_MS),),
        equity=EquityCurve(OPENS + MINUTE_MS, equity),
        price=CandleSeries("1m", OPENS, CLOSES, CLOSES, CLOSES, CLOSES, np.ones(5)),
        timing=Timing(load_s=0.5, engine_s=0.25, total_s=1.0),
        notes=("a note",),
    )


# JSON


def test_json_has_the_keys_that_others_rely_on(results):
    found = results.to_json()

    for part, keys in PROMISED_KEYS.items():
        section = found if part == "" else found[part]
        first = section[0] if isinstance(section, list) else section
        assert set(first) >= set(keys.split()), part


def test_json_survives_a_strict_writer_unchanged(results, empty_results):
    for run in (results, empty_results):
        assert json.loads(json.dumps(run.to_json(), allow_nan=False)) == run.to_json()


def test_json_says_null_for_what_does_not_exist(empty_results):
    found = json.loads(json.dumps(empty_results.to_json()))

    assert found["metrics"]["profit_factor"] is None
    assert found["metrics"]["sharpe_ratio"] is None
    assert found["data"]["volume_delta_source"] is None


def test_json_of_a_run_without_timing_says_null(results):
    assert replace(results, timing=None).to_json()["timing"] is None


def test_json_times_are_iso_8601_in_utc(results):
    found = results.to_json()

    assert (found["start"], found["end"]) == ("2024-01-01T00:00:00Z", "2024-01-01T00:05:00Z")
    assert found["trades"][0]["entry_time"] == "2024-01-01T00:02:00Z"
    assert found["rejected"] == [
        {"reason": "size is not positive", "count": 2, "first_time": "2024-01-01T00:01:00Z"}
    ]
    assert found["data"]["gaps"] == [
        {"first": "2024-01-01T00:05:00Z", "last": "2024-01-01T00:07:00Z", "missing": 3}
    ]


def test_missing_share_counts_what_should_have_been_there(results, empty_results):
    assert results.data.missing_pct == 37.5
    assert results.to_json()["data"]["missing_pct"] == 37.5
    assert replace(results.data, candles=0, missing=0).missing_pct == 0


def test_json_of_a_trade_uses_plain_words():
    found = trade_to_json(TRADE)

    assert (type(found["side"]), found["side"]) == (str, "long")
    assert (type(found["exit_reason"]), found["exit_reason"]) == (str, "take_profit")
    assert list(found) == list(TRADE_FIELDS)


# Pickle


def test_results_come_back_whole_from_a_pickle(results):
    copy = pickle.loads(pickle.dumps(results))

    assert copy.to_json() == results.to_json()
    assert copy.trades == results.trades
    assert copy.metrics == results.metrics
    assert copy.equity.time.tolist() == results.equity.time.tolist()
    assert copy.equity.equity.tolist() == results.equity.equity.tolist()
    assert copy.price.close.tolist() == CLOSES.tolist()
    assert copy.summary() == results.summary()


# CSV


def test_csv_has_a_header_and_a_line_for_each_trade(results):
    rows = list(csv.DictReader(io.StringIO(results.trades_csv())))

    assert tuple(rows[0]) == TRADE_FIELDS
    assert len(rows) == 1
    assert rows[0] | {"side": "long", "pnl": "1.25", "ambiguous": "False"} == rows[0]
    assert rows[0]["exit_time"] == "2024-01-01T00:04:00Z"
    assert float(rows[0]["size_usd"]) == TRADE.size_usd


def test_csv_without_trades_is_the_header(empty_results):
    assert empty_results.trades_csv() == ",".join(TRADE_FIELDS) + "\n"


@pytest.mark.parametrize("kind", [str, Path])
def test_export_writes_the_csv_to_the_named_file(results, tmp_path, kind):
    path = tmp_path / "trades.csv"

    results.export_trades(kind(path))

    assert path.read_text(encoding="utf-8") == results.trades_csv()


# Charts


@pytest.mark.parametrize("method", ["plot_equity_curve", "plot_trades"])
def test_plotting_without_a_writer_says_what_to_do(results, tmp_path, method):
    with pytest.raises(InvalidRun, match=r"no chart writer.*with_charts"):
        getattr(results, method)(tmp_path / "chart.html")

    assert list(tmp_path.iterdir()) == []


def test_plotting_asks_the_writer_for_the_file(results):
    charts = RecordingCharts()
    drawable = results.with_charts(charts)

    drawable.plot_equity_curve("equity.html")
    drawable.plot_trades(Path("trades.png"))

    assert charts.drawn == [
        ("equity", drawable, Path("equity.html")),
        ("trades", drawable, Path("trades.png")),
    ]


def test_a_writer_changes_neither_the_run_nor_the_original(results):
    drawable = results.with_charts(RecordingCharts())

    assert results.charts is None
    assert drawable.to_json() == results.to_json()
    assert "charts" not in repr(drawable)
