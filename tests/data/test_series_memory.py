"""Candles kept between runs: as the store has them now, shared by mapping, bounded."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from data.cache import CandleStore, SeriesKey, sha256_of
from data.candle_columns import is_same
from data.errors import NoCandles
from data.mapped_columns import ROW_BYTES
from data.series_memory import SeriesMemory
from engine.candles import CandleSeries

MINUTE = 60_000
JANUARY_31 = 1_706_659_200_000
FEBRUARY = 1_706_745_600_000
MARCH = 1_709_251_200_000
DAY = 1440 * MINUTE
KEY = SeriesKey("binance", "BTC/USDT", "1m")
ETHER = SeriesKey("binance", "ETH/USDT", "1m")


def make_series(start, count, *, price=100.0, interest=None, delta=None):
    times = np.arange(start, start + count * MINUTE, MINUTE)
    base = price + (times // MINUTE) % 7
    return CandleSeries("1m", times, base, base + 2, base - 2, base + 1, base, interest, delta)


@pytest.fixture
def store(tmp_path):
    found = CandleStore(tmp_path / "candles")
    delta = np.where(np.arange(4000) < 2000, np.nan, 0.5)
    found.write(KEY, make_series(JANUARY_31, 4000, delta=delta), volume_delta_source="taker")
    return found


@pytest.fixture
def mapped(tmp_path):
    return tmp_path / "mapped"


def files(mapped):
    return sorted(path.name for path in mapped.rglob("*.columns"))


def is_mapped(array):
    while isinstance(array.base, np.ndarray):
        array = array.base
    return isinstance(array.base, memoryview)


@pytest.mark.parametrize("start", [None, JANUARY_31, JANUARY_31 + 3 * DAY // 4, FEBRUARY])
@pytest.mark.parametrize("end", [None, FEBRUARY + 1, FEBRUARY + 3 * DAY // 2, MARCH])
def test_kept_candles_are_those_that_the_store_reads(store, mapped, start, end):
    memory, expected = SeriesMemory(store, mapped), store.read(KEY, start, end)
    for _ in range(2):
        held = memory.read(KEY, start, end)
        assert is_same(held.candles, expected)
        assert (held.candles.volume_delta is None) == (expected.volume_delta is None)
        assert (held.candles.open_interest is None) == (expected.open_interest is None)
        assert held.sha256 == sha256_of(expected)
        assert held.volume_delta_source == "taker"


def test_a_period_without_candles_is_told_as_the_store_tells_it(store, mapped):
    memory = SeriesMemory(store, mapped)
    memory.read(KEY, None, None)
    for period in [(MARCH, None), (None, JANUARY_31), (FEBRUARY, FEBRUARY)]:
        with pytest.raises(NoCandles) as told_by_store:
            store.read(KEY, *period)
        with pytest.raises(NoCandles) as told:
            memory.read(KEY, *period)
        assert str(told.value) == str(told_by_store.value)


class StoreThatGrows(CandleStore):
    """A store to which another process adds months just before it is read."""

    def read_months(self, key):
        self.write(key, make_series(MARCH, 85_000), volume_delta_source=None)
        return super().read_months(key)


def test_a_month_that_another_process_adds_meanwhile_is_read_too(store, mapped, tmp_path):
    memory = SeriesMemory(StoreThatGrows(tmp_path / "candles"), mapped)

    held = memory.read(KEY, None, None)

    assert is_same(held.candles, store.read(KEY))
    assert is_same(memory.read(KEY, None, None).candles, store.read(KEY))


def test_every_process_maps_the_same_file(store, mapped):
    first = SeriesMemory(store, mapped).read(KEY, None, None)
    [path] = mapped.rglob("*.columns")
    before = path.stat().st_ino

    second = SeriesMemory(store, mapped).read(KEY, None, None)

    assert path.stat().st_ino == before
    assert is_mapped(first.candles.close)
    assert is_mapped(second.candles.close)


def test_a_series_is_read_from_parquet_once(store, mapped, monkeypatch):
    memory = SeriesMemory(store, mapped)
    memory.read(KEY, None, None)
    monkeypatch.setattr(Path, "read_bytes", None)

    held = memory.read(KEY, FEBRUARY, None)

    assert memory.read(KEY, FEBRUARY, None) is held


@pytest.mark.parametrize("limit", [10**9, 300_000], ids=["mapped", "in its own memory"])
def test_a_change_of_the_store_is_seen_at_once(store, mapped, limit):
    memory = SeriesMemory(store, mapped, limit_bytes=limit)
    before = memory.read(KEY, None, None)

    # As many bytes as before, in a file of the same size: one price.
    changed = make_series(JANUARY_31 + 5 * MINUTE, 1, price=101.0)
    store.write(KEY, changed, volume_delta_source=None)

    after = memory.read(KEY, None, None)
    assert after.sha256 == sha256_of(store.read(KEY)) != before.sha256
    assert before.candles.close[5] != after.candles.close[5]
    assert SeriesMemory(store, mapped).read(KEY, None, None).sha256 == after.sha256


def test_another_process_that_writes_is_seen_at_once(store, mapped, tmp_path):
    memory = SeriesMemory(store, mapped)
    memory.read(KEY, None, None)
    code = (
        "import sys; from pathlib import Path; import pyarrow.parquet as pq\n"
        "folder = Path(sys.argv[1]); (folder / '2024-02.parquet').unlink()"
    )
    folder = tmp_path / "candles" / "binance" / KEY.folder
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True)

    held = memory.read(KEY, None, None)

    assert len(held.candles) == 1440
    assert held.volume_delta_source is None


def test_a_damaged_column_file_is_made_anew(store, mapped):
    expected = SeriesMemory(store, mapped).read(KEY, None, None)
    [path] = mapped.rglob("*.columns")
    content = bytearray(path.read_bytes())
    content[4096 + 8] ^= 1
    path.write_bytes(content)

    held = SeriesMemory(store, mapped).read(KEY, None, None)

    assert held.sha256 == expected.sha256
    assert path.read_bytes() != bytes(content)


def test_without_disk_the_candles_last_read_are_kept_in_memory(store, mapped):
    memory = SeriesMemory(store, mapped, disk_limit_bytes=1000)

    held = memory.read(KEY, None, None)

    assert files(mapped) == []
    assert memory.read(KEY, None, None) is held
    assert memory.kept_bytes == 4000 * ROW_BYTES
    assert len(memory.read(KEY, FEBRUARY, None).candles) == 4000 - 1440
    assert memory.kept_bytes == (4000 - 1440) * ROW_BYTES


def test_a_folder_that_can_not_be_written_is_done_without(store, mapped):
    mapped.write_text("no folder")
    assert len(SeriesMemory(store, mapped).read(KEY, None, None).candles) == 4000


def test_a_disk_that_is_nearly_full_is_left_to_candles(store, mapped, monkeypatch):
    usage = type("Usage", (), {"free": 20_000_000})
    monkeypatch.setattr("data.series_memory.disk_usage", lambda _: usage)

    assert len(SeriesMemory(store, mapped).read(KEY, None, None).candles) == 4000
    assert files(mapped) == []


def test_the_least_recently_used_series_is_given_up(store, mapped):
    store.write(ETHER, make_series(JANUARY_31, 4000), volume_delta_source=None)
    memory = SeriesMemory(store, mapped, limit_bytes=5000 * ROW_BYTES)
    bitcoin = memory.read(KEY, None, None)
    ether = memory.read(ETHER, None, None)

    assert memory.kept_bytes == 4000 * ROW_BYTES
    assert memory.read(ETHER, None, None) is ether
    assert memory.read(KEY, None, None) is not bitcoin


def test_files_on_disk_are_bounded_the_oldest_go_first(store, mapped):
    store.write(ETHER, make_series(JANUARY_31, 4000), volume_delta_source=None)
    SeriesMemory(store, mapped).read(KEY, None, None)
    [path] = mapped.rglob("*.columns")
    os.utime(path, (1, 1))
    size = path.stat().st_size

    SeriesMemory(store, mapped, disk_limit_bytes=size * 3 // 2).read(ETHER, None, None)
    assert files(mapped) == ["ETH_USDT_1m.columns"]

    SeriesMemory(store, mapped, disk_limit_bytes=size * 3).read(KEY, None, None)
    assert files(mapped) == ["BTC_USDT_1m.columns", "ETH_USDT_1m.columns"]


def test_a_series_that_is_written_to_while_it_is_read_is_not_kept(store, mapped, monkeypatch):
    memory = SeriesMemory(store, mapped)
    read_months = store.read_months

    def read_while_writing(key):
        yield from read_months(key)
        store.write(KEY, make_series(MARCH, 3), volume_delta_source=None)

    monkeypatch.setattr(store, "read_months", read_while_writing)
    memory.read(KEY, None, None)
    monkeypatch.undo()

    assert memory.kept_bytes == 0
    assert len(memory.read(KEY, None, None).candles) == 4003


def test_what_runs_computed_of_candles_is_kept_for_the_latest_period_only(store, mapped):
    memory = SeriesMemory(store, mapped)
    whole, part = (memory.read(KEY, start, None).candles for start in (None, FEBRUARY))
    made = []

    def derive(series):
        return series.derived("lowest", lambda: made.append(series) or series.low.min())

    for series, start in ((whole, None), (whole, None), (part, FEBRUARY), (whole, None)):
        assert memory.read(KEY, start, None).candles is series
        assert derive(series) == series.low.min()
    assert made == [whole, part, whole]
