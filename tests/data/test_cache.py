"""The candle store: round trips, merging, coverage, gaps, layout on disk."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as pa_dataset
import pyarrow.parquet as pq
import pytest

from data import cache, series_folder
from data.cache import CandleStore, Coverage, SeriesKey, sha256_of
from data.errors import NoCandles, StoreError
from engine.candles import CandleSeries, Gap
from engine.errors import InvalidCandles, UnknownTimeframe

MINUTE = 60_000
JANUARY_31 = 1_706_659_200_000  # 2024-01-31T00:00:00Z
FEBRUARY = 1_706_745_600_000
MARCH = 1_709_251_200_000
KEY = SeriesKey("binance", "BTC/USDT", "1m")
COLUMNS = ["timestamp", "open", "high", "low", "close", "volume", "open_interest", "volume_delta"]


def make_series(times, *, price=100.0, delta=None, interest=None, timeframe="1m"):
    times = np.asarray(times, dtype=np.int64)
    open_ = price + (times // MINUTE) % 7
    high, low, close = open_ + 2, open_ - 2, open_ + 1
    volume = 1.0 + (times // MINUTE) % 5
    return CandleSeries(timeframe, times, open_, high, low, close, volume, interest, delta)


def minutes(start, count):
    return np.arange(start, start + count * MINUTE, MINUTE)


def same(left, right):
    return sha256_of(left) == sha256_of(right)


@pytest.fixture
def store(tmp_path):
    def fail(problem):
        raise AssertionError(problem)

    return CandleStore(tmp_path / "candles", on_problem=fail)


def test_what_was_written_is_read_back_bit_by_bit(store):
    times = minutes(JANUARY_31, 3000)
    delta = np.sin(times.astype(float)) / 3
    interest = np.where(times % 180_000 == 0, np.sqrt(times), np.nan)
    series = make_series(times, price=100.1 + 0.2, delta=delta, interest=interest)

    assert store.write(KEY, series, volume_delta_source="taker") == 3000

    read = store.read(KEY)
    assert read.timeframe == "1m"
    for name in COLUMNS:
        assert np.array_equal(getattr(read, name), getattr(series, name), equal_nan=True), name
        assert not getattr(read, name).flags.writeable


def test_a_month_is_a_file_of_a_folder_that_other_programs_read(store, tmp_path):
    store.write(KEY, make_series(minutes(JANUARY_31, 3000)), volume_delta_source=None)
    store.record_gap(KEY, FEBRUARY + 9000 * MINUTE, FEBRUARY + 9001 * MINUTE)
    folder = tmp_path / "candles" / "binance" / "BTC_USDT_1m.parquet"

    assert sorted(p.name for p in folder.iterdir() if p.suffix == ".parquet") == [
        "2024-01.parquet",
        "2024-02.parquet",
    ]
    frame = pd.read_parquet(folder)
    assert list(frame.columns) == COLUMNS
    assert list(frame["timestamp"]) == minutes(JANUARY_31, 3000).tolist()
    table = pa_dataset.dataset(folder).to_table()
    assert table.schema.types == [pa.int64()] + [pa.float64()] * 7
    assert np.isnan(table["open_interest"].to_numpy()).all()


def test_the_real_symbol_and_the_source_of_volume_delta_stand_in_the_file(store, tmp_path):
    key = SeriesKey("bybit", "BTC/USDT:USDT", "1m")
    series = make_series(minutes(FEBRUARY, 2), delta=[1.0, -1.0])
    store.write(key, series, volume_delta_source="approximated")

    path = tmp_path / "candles" / "bybit" / "BTC_USDT_USDT_1m.parquet" / "2024-02.parquet"
    metadata = pq.read_metadata(path).metadata
    assert metadata[b"symbol"] == b"BTC/USDT:USDT"
    assert metadata[b"exchange"] == b"bybit"
    assert metadata[b"timeframe"] == b"1m"
    assert metadata[b"volume_delta_source"] == b"approximated"


def test_all_spellings_of_a_symbol_share_a_series_and_the_fullest_is_listed(store):
    store.write(
        SeriesKey("bybit", "BTC_USDT_USDT", "1m"),
        make_series(minutes(FEBRUARY, 2)),
        volume_delta_source=None,
    )
    key = SeriesKey("bybit", "BTC/USDT:USDT", "1m")
    assert len(store.read(key)) == 2
    store.write(key, make_series(minutes(FEBRUARY, 2)), volume_delta_source=None)
    store.write(KEY, make_series(minutes(FEBRUARY, 2)), volume_delta_source=None)
    assert store.series() == [KEY, key]


def test_nothing_is_listed_where_nothing_is_stored(store):
    assert store.series() == []
    assert store.coverage(KEY) is None
    assert store.known_gaps(KEY) == ()
    assert store.missing_ranges(KEY, FEBRUARY, FEBRUARY + 5 * MINUTE) == [
        (FEBRUARY, FEBRUARY + 5 * MINUTE)
    ]


def test_files_of_other_programs_are_read_and_listed_by_their_folder(store, tmp_path):
    folder = tmp_path / "candles" / "kraken" / "ETH_USD_1m.parquet"
    folder.mkdir(parents=True)
    series = make_series(minutes(FEBRUARY, 3))
    frame = pd.DataFrame({name: getattr(series, name) for name in COLUMNS}, dtype="float64")
    frame["timestamp"] = series.timestamp
    frame.to_parquet(folder / "2024-02.parquet", index=False)

    assert store.series() == [SeriesKey("kraken", "ETH/USD", "1m")]
    assert same(store.read(SeriesKey("kraken", "ETH/USD", "1m")), series)


@pytest.mark.parametrize("symbol", ["", " ", "..", "../../etc", "_x", "a\\b", "a\0b"])
def test_a_symbol_that_would_leave_the_folder_is_refused(symbol):
    with pytest.raises(StoreError):
        SeriesKey("binance", symbol, "1m")


def test_an_exchange_or_timeframe_that_cannot_be_is_refused():
    with pytest.raises(StoreError):
        SeriesKey("a/b", "BTC/USDT", "1m")
    with pytest.raises(UnknownTimeframe):
        SeriesKey("binance", "BTC/USDT", "7m")


def test_reading_takes_only_the_asked_range(store):
    store.write(KEY, make_series(minutes(JANUARY_31, 3000)), volume_delta_source=None)
    start, end = FEBRUARY - 2 * MINUTE, FEBRUARY + 3 * MINUTE
    assert store.read(KEY, start, end).timestamp.tolist() == minutes(start, 5).tolist()
    assert store.read(KEY, start + 1, start + MINUTE + 1).timestamp.tolist() == [start + MINUTE]
    assert len(store.read(KEY, end=FEBRUARY)) == 1440
    assert len(store.read(KEY, start=FEBRUARY)) == 1560


def test_months_outside_of_the_range_are_not_even_opened(store, tmp_path):
    store.write(KEY, make_series(minutes(JANUARY_31, 3000)), volume_delta_source=None)
    folder = tmp_path / "candles" / "binance" / "BTC_USDT_1m.parquet"
    (folder / "2024-02.parquet").write_bytes(b"damaged")
    assert len(store.read(KEY, JANUARY_31, FEBRUARY)) == 1440
    assert store.missing_ranges(KEY, JANUARY_31, FEBRUARY) == []


def test_flow_columns_come_only_if_asked_for_and_known(store):
    times = minutes(JANUARY_31, 1442)
    delta = np.full(1442, np.nan)
    delta[-1] = 0.5
    store.write(KEY, make_series(times, delta=delta), volume_delta_source="taker")

    read = store.read(KEY)
    assert read.open_interest is None
    assert np.array_equal(read.volume_delta, delta, equal_nan=True)
    assert store.read(KEY, columns=("close",)).volume_delta is None
    assert store.read(KEY, columns=("close", "volume_delta")).volume_delta is not None
    assert store.read(KEY, end=FEBRUARY).volume_delta is None
    with pytest.raises(ValueError, match="no column cvd"):
        store.read(KEY, columns=("cvd",))


def test_what_is_not_there_is_an_error_that_says_how_to_get_it(store):
    with pytest.raises(NoCandles, match="jesse fetch-data --symbol BTC/USDT --timeframe 1m"):
        store.read(KEY)
    store.write(KEY, make_series(minutes(FEBRUARY, 3)), volume_delta_source=None)
    with pytest.raises(NoCandles, match=r"only 2024-02-01T00:00:00Z.*--start 2024-03-01T00:00:00Z"):
        store.read(KEY, MARCH)


def test_a_new_candle_wins_but_never_forgets_what_was_known(store):
    times = minutes(FEBRUARY, 3)
    old = make_series(times, delta=[1.0, 2.0, np.nan], interest=[7.0, 8.0, 9.0])
    new = make_series(times[1:], price=200.0, delta=[np.nan, 5.0])
    store.write(KEY, old, volume_delta_source="taker")

    assert store.write(KEY, new, volume_delta_source="taker") == 0

    read = store.read(KEY)
    assert read.open.tolist() == [old.open[0], *new.open]
    assert read.volume_delta.tolist() == [1.0, 2.0, 5.0]
    assert read.open_interest.tolist() == [7.0, 8.0, 9.0]


def test_writing_what_is_stored_already_changes_no_file(store, tmp_path):
    series = make_series(minutes(FEBRUARY, 3), delta=[1.0, np.nan, 0.0])
    store.write(KEY, series, volume_delta_source="taker")
    path = tmp_path / "candles" / "binance" / "BTC_USDT_1m.parquet" / "2024-02.parquet"
    before = path.stat().st_ino
    assert store.write(KEY, series, volume_delta_source="taker") == 0
    assert path.stat().st_ino == before


@pytest.mark.parametrize(
    ("first", "second", "overlap", "expected"),
    [
        ("taker", "taker", 0, "taker"),
        ("taker", "approximated", 0, "mixed"),
        ("approximated", "taker", 3, "taker"),
        ("approximated", "taker", 2, "mixed"),
        (None, "taker", 0, "taker"),
        ("taker", None, 3, "taker"),
        (None, None, 0, None),
    ],
)
def test_the_source_of_volume_delta_follows_the_values_kept(
    store, first, second, overlap, expected
):
    for source, start in ((first, 0), (second, 3 - overlap)):
        delta = None if source is None else [1.0, 2.0, 3.0]
        series = make_series(minutes(FEBRUARY + start * MINUTE, 3), delta=delta)
        store.write(KEY, series, volume_delta_source=source)
    assert store.coverage(KEY).volume_delta_source == expected


def test_sources_of_different_months_are_mixed(store):
    for start, source in ((JANUARY_31, "taker"), (FEBRUARY, "approximated")):
        series = make_series(minutes(start, 2), delta=[1.0, 2.0])
        store.write(KEY, series, volume_delta_source=source)
    assert store.coverage(KEY).volume_delta_source == "mixed"


def test_a_batch_of_another_timeframe_or_of_unknown_source_is_refused(store):
    with pytest.raises(ValueError, match="5m"):
        store.write(KEY, make_series([FEBRUARY], timeframe="5m"), volume_delta_source=None)
    with pytest.raises(ValueError, match="where volume_delta comes from"):
        store.write(KEY, make_series([FEBRUARY], delta=[1.0]), volume_delta_source=None)
    with pytest.raises(ValueError, match="unknown source"):
        store.write(KEY, make_series([FEBRUARY]), volume_delta_source="guessed")
    with pytest.raises(StoreError, match="in ms"):
        store.write(KEY, make_series([FEBRUARY * 1000]), volume_delta_source=None)
    with pytest.raises(InvalidCandles, match="high is below low"):
        CandleSeries("1m", [FEBRUARY], [2], [1], [3], [2], [0])
    assert store.write(KEY, CandleSeries.empty(), volume_delta_source=None) == 0
    assert store.series() == []


def test_coverage_names_the_holes_inside_and_between_months(store):
    times = [
        *minutes(JANUARY_31, 2),
        *minutes(JANUARY_31 + 5 * MINUTE, 1),
        *minutes(FEBRUARY + MINUTE, 2),
    ]
    store.write(KEY, make_series(times), volume_delta_source=None)
    assert store.coverage(KEY) == Coverage(
        first=JANUARY_31,
        last=FEBRUARY + 2 * MINUTE,
        candles=5,
        gaps=(
            Gap(JANUARY_31 + 2 * MINUTE, JANUARY_31 + 4 * MINUTE, 3),
            Gap(JANUARY_31 + 6 * MINUTE, FEBRUARY, 1440 - 5),
        ),
        volume_delta_source=None,
    )
    assert store.coverage(KEY).gaps == store.read(KEY).gaps()


def test_weeks_lie_on_mondays_in_the_month_they_open(store, tmp_path):
    key = SeriesKey("binance", "BTC/USDT", "1w")
    week = 7 * 24 * 60 * MINUTE
    monday = JANUARY_31 - 2 * 24 * 60 * MINUTE
    series = make_series([monday, monday + week, monday + 3 * week], timeframe="1w")
    store.write(key, series, volume_delta_source=None)
    assert same(store.read(key), series)
    assert store.missing_ranges(key, monday - week + 1, monday + 4 * week) == [
        (monday + 2 * week, monday + 3 * week)
    ]
    folder = tmp_path / "candles" / "binance" / key.folder
    assert sorted(p.name for p in folder.glob("*.parquet")) == [
        "2024-01.parquet",
        "2024-02.parquet",
    ]


def test_known_gaps_are_not_missing_and_unite(store):
    store.write(KEY, make_series(minutes(FEBRUARY, 3)), volume_delta_source=None)
    end = FEBRUARY + 20 * MINUTE
    store.record_gap(KEY, FEBRUARY + 5 * MINUTE, FEBRUARY + 8 * MINUTE)
    store.record_gap(KEY, FEBRUARY + 8 * MINUTE - 1, FEBRUARY + 10 * MINUTE - 1)
    store.record_gap(KEY, FEBRUARY + 6 * MINUTE, FEBRUARY + 6 * MINUTE)

    assert store.known_gaps(KEY) == ((FEBRUARY + 5 * MINUTE, FEBRUARY + 10 * MINUTE),)
    assert store.missing_ranges(KEY, FEBRUARY, end) == [
        (FEBRUARY + 3 * MINUTE, FEBRUARY + 5 * MINUTE),
        (FEBRUARY + 10 * MINUTE, end),
    ]


def test_many_gaps_are_kept_as_one_by_one_and_written_once(store, monkeypatch):
    other = SeriesKey("binance", "ETH/USDT", "1m")
    gaps = [(FEBRUARY + n * MINUTE, FEBRUARY + (n + 2) * MINUTE) for n in (9, 1, 5, 2, 20)]
    for start, end in gaps:
        store.record_gap(other, start, end)
    written = []
    replace_file = series_folder.replace_file
    monkeypatch.setattr(
        series_folder,
        "replace_file",
        lambda path, content: (written.append(path.name), replace_file(path, content)),
    )

    store.record_gaps(KEY, gaps)
    store.record_gaps(KEY, [])
    store.record_gaps(KEY, [(FEBRUARY, FEBRUARY)])

    assert store.known_gaps(KEY) == store.known_gaps(other)
    assert len(store.known_gaps(KEY)) == 4
    assert written == ["_gaps.json"]


def test_a_known_gap_shrinks_when_candles_turn_up_in_it(store):
    store.record_gap(KEY, FEBRUARY, FEBRUARY + 10 * MINUTE)
    store.write(KEY, make_series(minutes(FEBRUARY + 4 * MINUTE, 2)), volume_delta_source=None)
    assert store.known_gaps(KEY) == (
        (FEBRUARY, FEBRUARY + 4 * MINUTE),
        (FEBRUARY + 6 * MINUTE, FEBRUARY + 10 * MINUTE),
    )


def test_the_hash_depends_on_every_value_and_on_nothing_else():
    times = minutes(FEBRUARY, 3)
    plain = make_series(times)
    assert sha256_of(plain) == sha256_of(make_series(times, delta=[np.nan] * 3))
    assert sha256_of(plain) == sha256_of(make_series(minutes(FEBRUARY, 9)).part(0, 3))
    others = [
        make_series(times[:2]),
        make_series(times + MINUTE),
        make_series(times, price=np.nextafter(100.0, 101.0)),
        make_series(times, delta=[0.0] * 3),
        make_series(times, interest=[0.0] * 3),
        make_series([JANUARY_31], timeframe="1d"),
        make_series([JANUARY_31], timeframe="1m"),
    ]
    assert len({sha256_of(series) for series in [plain, *others]}) == len(others) + 1
    assert sha256_of(make_series(times, delta=[0.0] * 3)) == sha256_of(
        make_series(times, delta=[-0.0] * 3)
    )


def test_reading_and_writing_import_no_pandas(tmp_path):
    script = (
        "import sys; sys.path[:0] = [sys.argv[1]]\n"
        "from pathlib import Path\n"
        "from data.cache import CandleStore, SeriesKey\n"
        "from engine.candles import CandleSeries\n"
        "store, key = CandleStore(Path('candles')), SeriesKey('a', 'B/C', '1m')\n"
        "candles = CandleSeries('1m', [60000], [1], [1], [1], [1], [1])\n"
        "store.write(key, candles, volume_delta_source=None)\n"
        "assert len(store.read(key)) == 1 and store.coverage(key).candles == 1\n"
        "assert 'pandas' not in sys.modules\n"
    )
    root = Path(cache.__file__).parent.parent
    subprocess.run([sys.executable, "-c", script, str(root)], check=True, cwd=tmp_path)


def test_the_list_of_known_gaps_is_plain_json(store, tmp_path):
    store.record_gap(KEY, FEBRUARY, FEBRUARY + MINUTE)
    path = tmp_path / "candles" / "binance" / "BTC_USDT_1m.parquet" / "_gaps.json"
    assert json.loads(path.read_text()) == [[FEBRUARY, FEBRUARY + MINUTE]]
