"""The candle store under damage: bad files, full disks, killed and simultaneous writers."""

import errno
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data import atomic_files, cache
from data.atomic_files import exclusive_lock
from data.cache import CandleStore, SeriesKey, sha256_of
from data.errors import NoCandles, StoreError
from engine.candles import CandleSeries

MINUTE = 60_000
JANUARY_31 = 1_706_659_200_000
FEBRUARY = 1_706_745_600_000
MARCH = 1_709_251_200_000
KEY = SeriesKey("binance", "BTC/USDT", "1m")


def make_series(start, count, *, price=100.0):
    times = np.arange(start, start + count * MINUTE, MINUTE)
    open_ = price + (times // MINUTE) % 7
    delta = np.cos(times.astype(float))
    return CandleSeries("1m", times, open_, open_ + 2, open_ - 2, open_ + 1, open_, None, delta)


@pytest.fixture
def problems():
    return []


@pytest.fixture
def store(tmp_path, problems):
    store = CandleStore(tmp_path / "candles", on_problem=problems.append)
    store.write(KEY, make_series(JANUARY_31, 3000), volume_delta_source="taker")
    return store


@pytest.fixture
def folder(store, tmp_path):
    return tmp_path / "candles" / "binance" / "BTC_USDT_1m.parquet"


def half(content):
    return content[: len(content) // 2]


def flip_a_price_bit(content):
    middle = bytearray(content)
    middle[len(content) // 3] ^= 0x10
    return bytes(middle)


def flip_a_price_bit_and_lose_the_seal(content):
    return flip_a_price_bit(content).replace(b"JSEALCRC", b"JSEALCRD")


def other_columns(content):
    return rewrite(content, lambda table: table.rename_columns(["time", *table.column_names[1:]]))


def fewer_columns(content):
    return rewrite(content, lambda table: table.drop_columns(["volume_delta"]))


def integer_prices(content):
    return rewrite(content, lambda t: t.set_column(1, "open", t["open"].cast(pa.int64())))


def other_month(content):
    return rewrite(content, lambda t: shift_time(t, MARCH - FEBRUARY))


def one_row_of_another_month(content):
    return rewrite(content, lambda t: pa.concat_tables([t, shift_time(t.slice(0, 1), MARCH)]))


def repeated_rows(content):
    return rewrite(content, lambda table: pa.concat_tables([table, table]))


def no_rows(content):
    return rewrite(content, lambda table: table.slice(0, 0))


def missing_times(content):
    return rewrite(content, lambda table: without_first(table, 0, pa.int64()))


def missing_prices(content):
    return rewrite(content, lambda table: without_first(table, 4, pa.float64()))


def without_first(table, place, kind):
    values = pa.array([None, *table.column(place).to_pylist()[1:]], kind)
    return table.set_column(place, table.column_names[place], values)


def negative_price(content):
    return rewrite(content, lambda t: t.set_column(3, "low", pa.array(np.full(t.num_rows, -1.0))))


def shift_time(table, distance):
    times = pa.array(table["timestamp"].to_numpy() + distance)
    return table.set_column(0, "timestamp", times)


def rewrite(content, change):
    sink = pa.BufferOutputStream()
    pq.write_table(change(pq.read_table(pa.BufferReader(content))), sink)
    return sink.getvalue().to_pybytes()


DAMAGES = [
    (lambda content: b"", "not a readable Parquet file"),
    (lambda content: b"PAR1", "not a readable Parquet file"),
    (lambda content: random.Random(5).randbytes(4000), "not a readable Parquet file"),
    (half, "not a readable Parquet file"),
    (flip_a_price_bit, "its checksum doesn't fit its content"),
    (flip_a_price_bit_and_lose_the_seal, "not a readable Parquet file: .* checksum"),
    (other_columns, "its columns are time int64, open double"),
    (fewer_columns, "its columns are timestamp int64, open double"),
    (integer_prices, "its columns are timestamp int64, open int64"),
    (other_month, "it holds candles of another month"),
    (one_row_of_another_month, "it holds candles of another month"),
    (repeated_rows, "time is out of order"),
    (no_rows, "it holds no candles"),
    (missing_times, "1 values are missing"),
    (missing_prices, "price or volume is not a number in 1 of 1560 candles"),
    (negative_price, "price is not positive"),
]


@pytest.mark.parametrize(("damage", "reason"), DAMAGES)
def test_a_damaged_month_is_set_aside_and_missing_again_while_the_rest_stays(
    store, folder, problems, damage, reason
):
    path = folder / "2024-02.parquet"
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)

    assert len(store.read(KEY)) == 1440

    (problem,) = problems
    assert "BTC/USDT 1m of binance for 2024-02" in problem
    assert "_corrupt/2024-02.parquet.corrupt-1" in problem
    assert "fetch or import that month again" in problem
    assert re.search(reason, problem)
    assert (folder / "_corrupt" / "2024-02.parquet.corrupt-1").read_bytes() == damaged
    assert not path.exists()
    end = FEBRUARY + 10 * MINUTE
    assert store.missing_ranges(KEY, JANUARY_31, end) == [(FEBRUARY, end)]
    assert store.coverage(KEY).candles == 1440
    assert len(problems) == 1


@pytest.mark.parametrize(("damage", "reason"), DAMAGES)
def test_missing_ranges_sees_the_damage_before_anyone_read(store, folder, problems, damage, reason):
    path = folder / "2024-02.parquet"
    path.write_bytes(damage(path.read_bytes()))
    end = FEBRUARY + 10 * MINUTE
    assert store.missing_ranges(KEY, JANUARY_31, end) == [(FEBRUARY, end)]
    assert len(problems) == 1
    assert re.search(reason, problems[0])


def test_a_sound_file_that_another_program_wrote_back_is_accepted(store, folder, problems):
    before = sha256_of(store.read(KEY))
    path = folder / "2024-02.parquet"
    path.write_bytes(rewrite(path.read_bytes(), lambda table: table))
    assert sha256_of(store.read(KEY)) == before
    assert store.coverage(KEY).candles == 3000
    assert problems == []


def test_a_damaged_month_is_replaced_by_the_next_write(store, folder, problems):
    (folder / "2024-02.parquet").write_bytes(b"damaged")
    assert store.write(KEY, make_series(FEBRUARY, 100), volume_delta_source="taker") == 100
    assert len(store.read(KEY)) == 1540
    (folder / "2024-02.parquet").write_bytes(b"damaged again")
    assert len(store.read(KEY)) == 1440
    assert [p.name for p in sorted((folder / "_corrupt").iterdir())] == [
        "2024-02.parquet.corrupt-1",
        "2024-02.parquet.corrupt-2",
    ]


def test_no_damage_of_bytes_ever_gives_wrong_candles_or_another_error(store, folder, tmp_path):
    path = folder / "2024-02.parquet"
    sound = path.read_bytes()
    january = sha256_of(store.read(KEY, end=FEBRUARY))
    both = sha256_of(store.read(KEY))
    generator = random.Random(11)
    for _ in range(150):
        damaged = bytearray(sound)
        for _ in range(generator.randint(1, 20)):
            damaged[generator.randrange(len(sound))] = generator.randrange(256)
        path.write_bytes(bytes(damaged))
        store.coverage(KEY)
        assert sha256_of(store.read(KEY)) in (january, both)


def test_a_reader_that_cannot_set_a_file_aside_says_so_and_reads_the_rest(
    store, folder, problems, monkeypatch
):
    (folder / "2024-02.parquet").write_bytes(b"damaged")

    def refuse(self, target):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    assert len(store.read(KEY)) == 1440
    assert "could not be set aside (Permission denied)" in problems[0]


def test_a_store_whose_only_month_is_damaged_holds_no_candles(tmp_path, problems):
    store = CandleStore(tmp_path, on_problem=problems.append)
    store.write(KEY, make_series(FEBRUARY, 3), volume_delta_source="taker")
    (tmp_path / "binance" / KEY.folder / "2024-02.parquet").write_bytes(b"damaged")
    assert store.coverage(KEY) is None
    with pytest.raises(NoCandles, match="no candles of BTC/USDT 1m of binance are stored"):
        store.read(KEY)
    assert len(problems) == 1


def test_an_unreadable_list_of_known_gaps_is_reported_and_written_anew(store, folder, problems):
    (folder / "_gaps.json").write_text("[[1,")
    assert store.known_gaps(KEY) == ()
    assert "known gaps" in problems[0]
    store.record_gap(KEY, MARCH, MARCH + MINUTE)
    assert store.known_gaps(KEY) == ((MARCH, MARCH + MINUTE),)


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "no space left for .*: free some and repeat"),
        (errno.EDQUOT, "no space left for .*: free some and repeat"),
        (errno.EACCES, "no permission to write .*: grant it"),
        (errno.EROFS, "no permission to write"),
        (errno.EIO, "can't write .*: Input/output error"),
    ],
)
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_content(
    store, folder, monkeypatch, call, number, sentence
):
    before = sha256_of(store.read(KEY))

    def fail(*arguments):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(atomic_files.os, call, fail)
        with pytest.raises(StoreError, match=sentence):
            store.write(KEY, make_series(FEBRUARY, 9, price=300.0), volume_delta_source="taker")
    assert sha256_of(store.read(KEY)) == before
    assert not list(folder.glob(".*.tmp"))


def test_a_root_that_is_a_file_is_a_store_error(tmp_path):
    (tmp_path / "candles").write_text("in the way")
    store = CandleStore(tmp_path / "candles")
    with pytest.raises(StoreError, match=r"can't write .*Not a directory"):
        store.write(KEY, make_series(FEBRUARY, 9), volume_delta_source="taker")


KILLED_WRITER = """
import os, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from data import atomic_files
from data.cache import CandleStore, SeriesKey
from engine.candles import CandleSeries
setattr(atomic_files.os, sys.argv[2], lambda *arguments: os._exit(9))
times = [int(sys.argv[3]) + 60_000 * i for i in range(5)]
prices = [[500.0] * 5] * 5
CandleStore(Path("candles")).write(
    SeriesKey("binance", "BTC/USDT", "1m"), CandleSeries("1m", times, *prices),
    volume_delta_source=None)
"""


def run_python(script, *arguments, cwd):
    root = Path(cache.__file__).parent.parent
    return subprocess.Popen([sys.executable, "-c", script, str(root), *arguments], cwd=cwd)


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_writer_killed_on_the_way_leaves_the_old_content_and_the_next_cleans_up(
    store, folder, tmp_path, moment
):
    before = sha256_of(store.read(KEY))
    killed = run_python(KILLED_WRITER, moment, str(FEBRUARY), cwd=tmp_path)
    assert killed.wait(60) == 9

    assert sha256_of(store.read(KEY)) == before
    assert len(list(folder.glob(".*.tmp"))) == 1
    store.write(KEY, make_series(MARCH, 1), volume_delta_source="taker")
    assert not list(folder.glob(".*.tmp"))
    assert len(store.read(KEY)) == 3001


CONCURRENT_WRITER = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from data import atomic_files
from data.cache import CandleStore, SeriesKey
from engine.candles import CandleSeries
number, start, has_flock = int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "flock"
atomic_files._HAS_FLOCK = has_flock
def report(problem): raise SystemExit(problem)
store = CandleStore(Path("shared"), on_problem=report)
for step in range(25):
    # Neighbouring candles belong to different writers, and each chunk spans two months.
    times = [start + 60_000 * (3 * (25 * i + step) + number) for i in range(4)]
    columns = [[100.0 + number] * 4] * 5
    key = SeriesKey("binance", "BTC/USDT", "1m")
    assert store.write(key, CandleSeries("1m", times, *columns), volume_delta_source=None) == 4
    gap = times[0] - 1_000_000 * 60_000
    store.record_gap(key, gap, gap + 60_000)
"""


@pytest.mark.parametrize("lock", ["flock", "lock file"])
def test_processes_that_write_at_once_lose_nothing(tmp_path, lock):
    start = FEBRUARY - 150 * MINUTE
    writers = [
        run_python(CONCURRENT_WRITER, str(number), str(start), lock, cwd=tmp_path)
        for number in range(3)
    ]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0]

    store = CandleStore(tmp_path / "shared")
    read = store.read(KEY)
    assert read.timestamp.tolist() == [start + i * MINUTE for i in range(300)]
    assert read.open.tolist() == [100.0, 101.0, 102.0] * 100
    gap = start - 1_000_000 * MINUTE
    assert store.known_gaps(KEY) == ((gap, gap + 75 * MINUTE),)


def test_a_lock_file_of_a_dead_process_is_taken_over(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic_files, "_HAS_FLOCK", False)
    dead = run_python("pass", cwd=tmp_path)
    dead.wait(60)
    (tmp_path / "lock").write_text(str(dead.pid))
    with exclusive_lock(tmp_path / "lock"):
        assert (tmp_path / "lock").read_text() == str(os.getpid())
    assert not (tmp_path / "lock").exists()


def test_a_lock_file_of_a_living_process_is_respected(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic_files, "_HAS_FLOCK", False)
    monkeypatch.setattr(atomic_files, "_LOCK_PATIENCE_SECONDS", 0.0)
    (tmp_path / "lock").write_text(str(os.getppid()))
    with (
        pytest.raises(TimeoutError, match="another process holds"),
        exclusive_lock(tmp_path / "lock"),
    ):
        raise AssertionError("the lock was given twice")
