import pytest

from data.cache import CandleStore, SeriesKey

KEY = SeriesKey("simulated", "BTC/USDT", "1m")


def test_a_period_is_fetched_and_described(jesse, exchange, tmp_path):
    outcome = jesse("fetch-data", "--start", "2024-01-10", "--end", "2024-01-12")
    assert outcome.code == 0, outcome.err
    assert "2,880 candles fetched" in outcome.out
    assert "2024-01-10T00:00:00Z to 2024-01-11T23:59:00Z, 0 missing" in outcome.out
    assert "volume delta: taker" in outcome.out
    assert (tmp_path / "var/candles/simulated/BTC_USDT_1m.parquet/2024-01.parquet").exists()


def test_a_second_fetch_tops_up_from_the_last_candle(jesse, exchange):
    jesse("fetch-data", "--start", "2024-01-28", "--end", "2024-01-29")
    outcome = jesse("fetch-data")
    assert "2,880 candles fetched" in outcome.out
    assert "2024-01-30T23:59:00Z" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--timeframe", "7m"], "unknown timeframe '7m'"),
        (["--symbol", "NOPE/USDT"], "NOPE"),
        (["--start", "2024-02", "--end", "2024-01"], "not after"),
    ],
)
def test_bad_input_gets_one_clear_message(jesse, exchange, arguments, message):
    outcome = jesse("fetch-data", *arguments)
    assert outcome.code == 2
    assert message in outcome.err
    assert "Traceback" not in outcome.err


def test_an_exchange_that_does_not_answer_is_a_clear_failure(jesse, monkeypatch):
    monkeypatch.setenv("EXCHANGE", "simulated")
    outcome = jesse("fetch-data")
    assert outcome.code == 2
    assert "EXCHANGE_REST_URL" in outcome.err


def test_a_csv_file_is_imported_and_can_be_backtested(jesse, tmp_path, monkeypatch):
    monkeypatch.setenv("EXCHANGE", "simulated")
    rows = ["timestamp,open,high,low,close,volume"]
    rows += [f"{1_704_067_200_000 + i * 60_000},100,101,99,100.5,1" for i in range(3000)]
    (tmp_path / "candles.csv").write_text("\n".join(rows))
    outcome = jesse("import-data", "candles.csv", "--symbol", "BTC/USDT", "--timeframe", "1m")
    assert outcome.code == 0, outcome.err
    assert "3,000 candles read from 1 files, 3,000 of them new" in outcome.out
    assert CandleStore(tmp_path / "var/candles").coverage(KEY).candles == 3000
    assert jesse("backtest", "--strategy", "breakout").code == 0


def test_a_file_with_a_bad_row_is_refused_whole(jesse, tmp_path, monkeypatch):
    monkeypatch.setenv("EXCHANGE", "simulated")
    (tmp_path / "bad.csv").write_text(
        "timestamp,open,high,low,close,volume\n1704067200000,100,90,99,100,1\n"
    )
    outcome = jesse("import-data", "bad.csv")
    assert outcome.code == 2
    assert "bad.csv" in outcome.err
    assert CandleStore(tmp_path / "var/candles").coverage(KEY) is None
