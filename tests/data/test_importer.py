"""Importing candle files: what is understood, and what is refused with the row and the rule."""

import gzip
import zipfile
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from data.cache import CandleStore, SeriesKey
from data.errors import InvalidImport, NoCandles
from data.importer import RejectedFile, import_candles
from engine.candles import Gap

MINUTE = 60_000
START = 1_706_745_600_000  # 2024-02-01T00:00:00Z
KEY = SeriesKey("binance", "BTC/USDT", "1m")
HEADER = "timestamp,open,high,low,close,volume"


@pytest.fixture
def store(tmp_path):
    return CandleStore(tmp_path / "candles")


@pytest.fixture
def run(tmp_path, store):
    """Import one file with that content."""

    def run(content, name="candles.csv", key=KEY):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return import_candles([path], key, store)

    return run


def lines(*rows, header=HEADER):
    return "\n".join([header, *rows]) + "\n"


def line(minute, *, unit=1.0, values="10,12,9,11,5"):
    return f"{int((START + minute * MINUTE) * unit)},{values}"


def binance_row(minute, *, micros=False, volume="5.0", taker="3.5"):
    time, unit = START + minute * MINUTE, 1000 if micros else 1
    close_time = (time + MINUTE) * unit - 1
    return f"{time * unit},10.0,12.0,9.0,11.0,{volume},{close_time},55.0,7,{taker},38.5,0"


def test_a_csv_file_is_stored_and_summed_up(run, store):
    summary = run(lines(line(0), line(1, values="11,12,9,10,4"), line(4, values="10,10,10,10,0")))

    assert (summary.files, summary.candles, summary.added) == (1, 3, 3)
    assert (summary.first, summary.last) == (START, START + 4 * MINUTE)
    assert summary.gaps == (Gap(START + 2 * MINUTE, START + 3 * MINUTE, 2),)
    assert summary.volume_delta_source == "approximated"
    assert (summary.duplicates, summary.reordered, summary.rejected) == (0, 0, ())
    read = store.read(KEY)
    assert read.timestamp.tolist() == [START, START + MINUTE, START + 4 * MINUTE]
    assert read.high.tolist() == [12.0, 12.0, 10.0]
    assert read.volume_delta.tolist() == [5.0, -4.0, 0.0]
    assert store.coverage(KEY).volume_delta_source == "approximated"


def test_columns_may_stand_in_any_order_among_others(run, store):
    run(
        lines(
            f"x,11,5,{START},10,9,12,,1.5",
            f"y,11,5,{START + MINUTE},10,9,12,70,",
            header='"Note",Close, VOLUME ,TimeStamp,open,low,High,open_interest,volume_delta',
        )
    )
    read = store.read(KEY)
    assert read.close.tolist() == [11.0, 11.0]
    assert read.low.tolist() == [9.0, 9.0]
    assert np.array_equal(read.open_interest, [np.nan, 70.0], equal_nan=True)
    assert np.array_equal(read.volume_delta, [1.5, np.nan], equal_nan=True)
    assert store.coverage(KEY).volume_delta_source == "taker"


@pytest.mark.parametrize(
    "write",
    [
        lambda time: str(time),
        lambda time: str(time // 1000),
        lambda time: str(time * 1000),
        lambda time: str(time * 1_000_000),
        lambda time: f"{time / 1000:.1f}",
        lambda time: f"{time:.6e}".replace("e", "E") if time % 10**6 == 0 else f"{time}.0",
        lambda time: iso(time).isoformat(),
        lambda time: iso(time).strftime("%Y-%m-%dT%H:%M:%SZ"),
        lambda time: iso(time).strftime("%Y-%m-%d %H:%M:%S"),
        lambda time: iso(time).strftime("%Y-%m-%d %H:%M"),
        lambda time: iso(time).strftime("%Y-%m-%dT%H:%M:%S.000000000"),
        lambda time: iso(time + 2 * 60 * MINUTE).strftime("%Y-%m-%dT%H:%M:%S+02:00"),
        lambda time: f'"{time}"',
        lambda time: f" {time}",
    ],
)
def test_times_are_understood_in_all_their_spellings(run, store, write):
    run(lines(*(f"{write(START + i * MINUTE)},10,12,9,11,5" for i in range(3))))
    assert store.read(KEY).timestamp.tolist() == [START + i * MINUTE for i in range(3)]


def iso(time):
    return datetime.fromtimestamp(time / 1000, tz=UTC)


def test_days_may_be_plain_dates(run, store):
    key = SeriesKey("binance", "BTC/USDT", "1d")
    run(lines("2024-02-01,10,12,9,11,5", "2024-02-02,10,12,9,11,5"), key=key)
    assert store.read(key).timestamp.tolist() == [START, START + 1440 * MINUTE]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_line_ends_delimiters_and_a_byte_order_mark_do_not_matter(run, store, end, delimiter):
    text = "\ufeff" + lines(line(0), line(1)).replace(",", delimiter).replace("\n", end)
    assert run(text).candles == 2
    assert store.read(KEY).timestamp[0] == START


def test_blanks_around_numbers_do_not_matter(run, store):
    run(lines(f"{START}, 10, 12 ,9, 11,5", f"{START + MINUTE},10,12,9,11,5"))
    assert store.read(KEY).high.tolist() == [12.0, 12.0]


FUTURES_HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
    "taker_buy_volume,taker_buy_quote_volume,ignore"
)


@pytest.mark.parametrize("micros", [False, True])
@pytest.mark.parametrize("header", [None, FUTURES_HEADER])
def test_binance_files_keep_the_taker_volume(run, store, micros, header):
    rows = [binance_row(i, micros=micros, taker=str(i)) for i in range(4)]
    summary = run("\n".join([header, *rows] if header else rows))
    assert summary.volume_delta_source == "taker"
    read = store.read(KEY)
    assert read.timestamp.tolist() == [START + i * MINUTE for i in range(4)]
    assert read.volume_delta.tolist() == [-5.0, -3.0, -1.0, 1.0]
    assert store.coverage(KEY).volume_delta_source == "taker"


def test_packed_files_are_unpacked(run, tmp_path, store):
    text = "\n".join(binance_row(i) for i in range(3))
    assert run(gzip.compress(text.encode(), mtime=0), "a.csv.gz").candles == 3
    with zipfile.ZipFile(tmp_path / "packed.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("BTCUSDT-1m-2024-02.csv", text)
    assert run((tmp_path / "packed.zip").read_bytes(), "b.zip").added == 0


def make_frame(**changes):
    times = [START + i * MINUTE for i in range(3)]
    columns = dict.fromkeys(["open", "close"], 10.0) | {"high": 12.0, "low": 9.0, "volume": 5.0}
    return pd.DataFrame({"timestamp": times, **columns, **changes})


@pytest.mark.parametrize(
    "change",
    [
        lambda times: times,
        lambda times: times // 1000,
        lambda times: times * 1000,
        lambda times: times.astype("float64"),
        lambda times: pd.to_datetime(times, unit="ms"),
        lambda times: pd.to_datetime(times, unit="ms", utc=True),
        lambda times: pd.to_datetime(times, unit="ms", utc=True).dt.tz_convert("Asia/Tokyo"),
        lambda times: pd.to_datetime(times, unit="ms", utc=True).astype(str),
    ],
)
def test_parquet_files_are_read_with_times_of_any_type(tmp_path, store, change):
    frame = make_frame(volume=[5, 6, 7], open=np.float32([10, 10.5, 11]))
    frame["timestamp"] = change(frame["timestamp"])
    frame.to_parquet(tmp_path / "candles.parquet")
    assert import_candles([tmp_path / "candles.parquet"], KEY, store).candles == 3
    read = store.read(KEY)
    assert read.timestamp.tolist() == [START + i * MINUTE for i in range(3)]
    assert read.open.tolist() == [10.0, 10.5, 11.0]
    assert read.volume.tolist() == [5.0, 6.0, 7.0]


def test_a_file_of_the_store_can_be_imported_again(tmp_path, run, store):
    run("\n".join(binance_row(i, taker=str(i)) for i in range(3)))
    stored = tmp_path / "candles" / "binance" / KEY.folder / "2024-02.parquet"
    other = SeriesKey("binance", "BTC/USDC", "1m")
    assert import_candles([stored], other, store).added == 3
    assert store.read(other).volume_delta.tolist() == store.read(KEY).volume_delta.tolist()


def test_rows_out_of_order_are_put_in_order_and_exact_repetitions_dropped(run, store):
    summary = run(lines(line(2), line(0), line(1), line(0), line(0)))
    assert (summary.candles, summary.duplicates, summary.reordered) == (3, 2, 1)
    assert store.read(KEY).timestamp.tolist() == [START + i * MINUTE for i in range(3)]


REFUSED = [
    (lines(line(0), line(1, values="nan,12,9,11,5")), "row 2: open is missing or not a finite"),
    (lines(line(0), line(1, values="10,12,9,11,")), "row 2: volume is missing"),
    (lines(line(0), line(1, values="10,inf,9,11,5")), "row 2: high is missing or not a finite"),
    (lines(line(0), line(1, values="10,8,9,11,5")), "row 2: high is below low"),
    (lines(line(0), line(1, values="13,12,9,11,5")), "row 2: open lies outside of low..high"),
    (lines(line(0), line(1, values="10,12,9,8,5")), "row 2: close lies outside of low..high"),
    (lines(line(0), line(1, values="10,12,9,11,-5")), "row 2: volume is negative"),
    (lines(line(0), line(1, values="10,12,0,11,5")), "row 2: low is not positive"),
    (lines(line(0, values="0,12,9,11,5"), line(1, values="0,12,9,11,5")), r"row 1 \(and 1 more\)"),
    (lines(line(0), line(1, values="10,twelve,9,11,5")), "row 2: high is 'twelve', which is not"),
    (lines(line(0), line(1, values="10,1_2,9,11,5")), "row 2: high is '1_2', which is not"),
    (lines(line(0), line(1, values="10,12,9")), "row 2 has 4 fields instead of 6"),
    (lines(line(0), f",{line(1)[14:]}"), "row 2: the time is missing"),
    (
        lines(line(0), line(1), line(1, values="10,12,9,10,5")),
        "rows 2 and 3 give different .*00:01",
    ),
    (lines(line(0), line(1), line(1.5), line(2.5)), r"row 3: .*00:01:30Z is not the open time"),
    (lines(line(0), line(5), line(10)), "no candles of 1m: rows are 5m apart: import them as 5m"),
    (lines(line(0), line(7), line(14)), "rows are 420 seconds apart, which no timeframe is"),
    (
        lines(line(0), line(1, unit=0.001), line(2)),
        "row 2: the time 1706745660 is in s, row 1 .* ms",
    ),
    (
        lines(line(0), line(1, unit=1000)),
        "row 2: the time 1706745660000000 is in us, row 1 is in ms",
    ),
    (lines(line(0), "5,10,12,9,11,5"), "row 2: the time 5 is no moment of 1990 to 2100, row 1"),
    (lines("1706745,10,12,9,11,5"), "row 1: the time 1706745 is no moment of 1990 to 2100"),
    (lines("1970-01-20T18:05:00Z,10,12,9,11,5"), "row 1: 1970-01-20T18:05:00Z is not in 1990"),
    (lines("2024-02-01T00:00:00Z,10,12,9,11,5", "soon,10,12,9,11,5"), "row 2: 'soon' is no time"),
    (lines(line(0)[1:]), "row 1: 1992-05-24T22:13:20Z is not the open"),
    (HEADER + "\n", "a header but no rows"),
    ("", "the file is empty"),
    ("\n \n", "the file is empty"),
    (lines("1,2", header="timestamp,open"), "no column high among timestamp, open"),
    (
        lines(line(0), header="timestamp,open,hgh,low,close,volume"),
        r"no column high among .* \(nearest: hgh; rename it\)",
    ),
    (lines(line(0), header="date,open,high,low,close,vol"), "no column timestamp .*nearest: date"),
    (lines(line(0), header="timestamp,open,high,low,close,close"), "no column volume"),
    (lines(line(0) + ",1", header=HEADER + ",close"), "column close appears 2 times"),
    (line(0), "no header: put timestamp,open,high,low,close,volume above the 6 columns"),
    ("\n".join([binance_row(0), binance_row(1, taker="5.1")]), "row 2: taker buy volume lies out"),
    ('[{"timestamp": 1}]', "unknown format: give CSV"),
    (b"\x89PNG\r\n\x1a\n" + bytes(100), "unknown format"),
    (lines(line(0)).encode("utf-16"), "unknown format"),
    (b"caf\xe9,open\n1,2", "not UTF-8"),
    (b"PAR1" + bytes(50), "the Parquet file is damaged"),
    (gzip.compress(b"x" * 5000, mtime=0)[:-20], "the archive is damaged"),
    (b"PK\x03\x04" + bytes(50), "the archive is damaged"),
]


@pytest.mark.parametrize(("content", "sentence"), REFUSED)
def test_what_cannot_be_candles_is_refused_with_its_reason_and_nothing_is_stored(
    run, store, content, sentence
):
    with pytest.raises(InvalidImport, match=rf"(?s)candles\.csv: .*{sentence}"):
        run(content)
    with pytest.raises(NoCandles):
        store.read(KEY)


def test_coarser_candles_than_the_rows_are_refused(run):
    with pytest.raises(InvalidImport, match="no candles of 15m: rows are 1m apart"):
        run(lines(line(0), line(1), line(2)), key=SeriesKey("binance", "BTC/USDT", "15m"))


def test_missing_files_folders_and_empty_archives_are_refused(tmp_path, store):
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    for name, sentence in (
        ("nowhere.csv", "there is no such file"),
        (".", "it is a folder"),
        ("empty.zip", "the archive holds 0 CSV files"),
    ):
        with pytest.raises(InvalidImport, match=sentence):
            import_candles([tmp_path / name], KEY, store)
    with pytest.raises(InvalidImport, match="no file was named"):
        import_candles([], KEY, store)


def test_parquet_with_unfit_columns_is_refused(tmp_path, store):
    path = tmp_path / "candles.parquet"
    for frame, sentence in (
        (make_frame(high=["a", "b", "c"]), "row 1: high is 'a', which is not a number"),
        (make_frame(high=[[1], [2], [3]]), "column high holds list<.*>, which are no numbers"),
        (make_frame(timestamp=[True, False, True]), "the time column holds bool"),
        (make_frame(volume=[1.0, None, 2.0]), "row 2: volume is missing"),
        (make_frame().drop(columns="low"), "no column low"),
        (make_frame().iloc[:0], "no rows"),
    ):
        frame.to_parquet(path)
        with pytest.raises(InvalidImport, match=sentence):
            import_candles([path], KEY, store)


def test_of_several_files_the_sound_ones_are_stored_and_the_others_listed(tmp_path, store):
    texts = {
        "a.csv": lines(line(0), line(1)),
        "b.csv": lines(line(2), line(3, values="10,8,9,11,5")),
        "c.csv": "\n".join(binance_row(i) for i in (1, 2, 3)),
        "d.csv": lines(line(6), line(7)),
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    calls = []
    summary = import_candles(
        [tmp_path / name for name in texts], KEY, store, lambda *call: calls.append(call)
    )

    reason = "row 2: high is below low"
    assert summary.rejected == (RejectedFile(tmp_path / "b.csv", reason),)
    assert (summary.files, summary.candles, summary.added) == (3, 7, 6)
    assert summary.gaps == (Gap(START + 4 * MINUTE, START + 5 * MINUTE, 2),)
    assert summary.volume_delta_source == "mixed"
    assert calls == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    # The later file won where two overlap.
    assert store.read(KEY).volume_delta.tolist() == [5.0, 2.0, 2.0, 2.0, 5.0, 5.0]


def test_when_every_file_is_refused_the_first_reason_is_raised(tmp_path, store):
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("")
    with pytest.raises(InvalidImport, match=r"a\.csv: the file is empty \(and 1 more rejected\)"):
        import_candles([tmp_path / "a.csv", tmp_path / "b.csv"], KEY, store)


def test_many_small_files_become_one_write_per_month(tmp_path, store, monkeypatch):
    writes = []
    write = CandleStore.write

    def counted(self, key, series, **options):
        writes.append(len(series))
        return write(self, key, series, **options)

    monkeypatch.setattr(CandleStore, "write", counted)
    paths = [tmp_path / f"{day}.csv" for day in range(10)]
    for day, path in enumerate(paths):
        path.write_text("\n".join(binance_row(3 * day + i) for i in range(3)))
    assert import_candles(paths, KEY, store).added == 30
    assert writes == [30]
