"""Candles as bare columns that processes map: round trips, stamps, damage, full disks."""

import numpy as np
import pytest

from data.candle_columns import is_same, sha256_of
from data.mapped_columns import ROW_BYTES, open_mapped, write_mapped
from engine.candles import PRICE_COLUMNS, CandleSeries

MINUTE = 60_000
START = 1_706_745_600_000


def make_series(first, count, **flow):
    times = START + MINUTE * np.arange(first, first + count)
    prices = 100 + np.arange(first, first + count) % 7
    return CandleSeries("1m", times, prices, prices + 1, prices - 1, prices, prices / 3, **flow)


def write(path, parts, *, capacity=1000, stamp="made of this"):
    write_mapped(path, "1m", parts, capacity=capacity, stamp=stamp)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "BTC_USDT_1m.columns"


def test_what_was_written_is_mapped_bit_by_bit(path):
    series = make_series(0, 300, volume_delta=np.sin(np.arange(300.0)))
    write(path, [series.part(0, 120), series.part(120, 300)])

    mapped = open_mapped(path, stamp="made of this")

    assert mapped.timeframe == "1m"
    assert mapped.open_interest is None
    assert is_same(mapped, series)
    assert sha256_of(mapped) == sha256_of(series)


def test_mapped_columns_are_plain_read_only_arrays(path):
    write(path, [make_series(0, 10)])

    close = open_mapped(path, stamp="made of this").close

    assert type(close) is np.ndarray
    with pytest.raises(ValueError, match="read-only"):
        close[0] = 1


def test_a_flow_column_is_unknown_where_a_part_has_none(path):
    known = make_series(10, 5, open_interest=np.arange(5.0))
    write(path, [make_series(0, 10), known, make_series(15, 3)])

    interest = open_mapped(path, stamp="made of this").open_interest

    assert np.array_equal(interest, [np.nan] * 10 + [0, 1, 2, 3, 4] + [np.nan] * 3, equal_nan=True)


@pytest.mark.parametrize("stamp", ["made of that", ""])
def test_a_file_made_of_something_else_counts_as_missing(path, stamp):
    write(path, [make_series(0, 10)])
    assert open_mapped(path, stamp=stamp) is None


def test_a_missing_file_counts_as_missing(path):
    assert open_mapped(path, stamp="made of this") is None


def test_a_flipped_bit_anywhere_is_noticed(path):
    write(path, [make_series(0, 100)], capacity=100)
    sound = path.read_bytes()
    columns = len(("timestamp", *PRICE_COLUMNS))
    header = sound.index(b"\0")
    for place in (*range(header), *range(4096, 4096 + columns * 800, 333)):
        for bit in (1, 2, 4):
            path.write_bytes(sound[:place] + bytes([sound[place] ^ bit]) + sound[place + 1 :])
            assert open_mapped(path, stamp="made of this") is None, (place, bit)


@pytest.mark.parametrize("length", [0, 1, 100, 4096, 5000])
def test_a_file_that_was_cut_off_counts_as_missing(path, length):
    write(path, [make_series(0, 100)], capacity=100)
    path.write_bytes(path.read_bytes()[:length])
    assert open_mapped(path, stamp="made of this") is None


def test_a_mapping_outlives_the_replacement_of_its_file(path):
    write(path, [make_series(0, 50)])
    before = open_mapped(path, stamp="made of this")
    expected = before.close.tolist()

    write(path, [make_series(500, 50)])
    path.unlink()

    assert before.close.tolist() == expected


def test_a_write_that_fails_leaves_nothing_and_keeps_the_old_file(path):
    write(path, [make_series(0, 10)])

    def parts():
        yield make_series(0, 5)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write(path, parts())

    assert [item.name for item in path.parent.iterdir()] == [path.name]
    assert len(open_mapped(path, stamp="made of this")) == 10


def test_more_candles_than_announced_are_refused(path):
    with pytest.raises(ValueError, match="more candles than the 9"):
        write(path, [make_series(0, 10)], capacity=9)
    assert not path.exists()


def test_room_that_is_not_used_takes_no_disk(path):
    write(path, [make_series(0, 10)], capacity=1_000_000)
    stat = path.stat()
    assert stat.st_size > 1_000_000 * ROW_BYTES
    assert stat.st_blocks * 512 < 200_000
