"""What live candles carried: decided once, kept on disk, put back over stored candles."""

import logging

import numpy as np
import pytest

from data.errors import StoreError
from data.interest_record import InterestRecord
from engine.candles import Candle, CandleSeries

MINUTE = 60_000
T = 1_700_000_100_000
KEY = ("bybit", "BTC/USDT:USDT")


def path_in(folder):
    return folder / "bybit" / "BTC_USDT_USDT.bin"


def series(*interest):
    candles = [
        Candle(T + n * MINUTE, 1.0, 1.0, 1.0, 1.0, 1.0, value) for n, value in enumerate(interest)
    ]
    return CandleSeries.from_candles(candles)


def test_what_was_decided_first_counts_here_and_in_the_next_process(tmp_path):
    record = InterestRecord(tmp_path)

    assert record.decide(*KEY, [(T, 5.0), (T + MINUTE, None)]) == [5.0, None]
    assert record.decide(*KEY, [(T, 6.0), (T + MINUTE, 7.0), (T + 2 * MINUTE, 8.0)]) == [
        5.0,
        None,
        8.0,
    ]
    again = InterestRecord(tmp_path)
    assert again.decide(*KEY, [(T, 9.0)]) == [5.0]
    times = [T + n * MINUTE for n in range(4)]
    assert again.find(*KEY, times) == dict(zip(times, (5.0, None, 8.0), strict=False))


def test_recorded_values_take_the_place_of_stored_ones_a_recorded_none_too(tmp_path):
    record = InterestRecord(tmp_path)
    record.decide(*KEY, [(T - MINUTE, 1.0), (T + MINUTE, None), (T + 2 * MINUTE, 8.0)])

    applied = record.apply(*KEY, series(3.0, 3.0, 3.0, 3.0))

    np.testing.assert_array_equal(applied.open_interest, [3.0, np.nan, 8.0, 3.0])
    assert applied.close.tolist() == [1.0] * 4
    without = series(None, None, None)
    np.testing.assert_array_equal(record.apply(*KEY, without).open_interest, [np.nan, np.nan, 8.0])
    assert record.apply("bybit", "ETH/USDT:USDT", without) is without


def test_a_record_that_was_half_written_is_cut_off_and_gone_on_with(tmp_path):
    InterestRecord(tmp_path).decide(*KEY, [(T, 5.0)])
    path = path_in(tmp_path)
    path.write_bytes(path.read_bytes() + b"half")
    record = InterestRecord(tmp_path)
    record.decide(*KEY, [(T + MINUTE, 6.0)])

    times = [T, T + MINUTE]
    assert InterestRecord(tmp_path).find(*KEY, times) == {T: 5.0, T + MINUTE: 6.0}
    assert path.stat().st_size == 32


def test_months_of_decisions_are_kept_as_one_minute_s_are(tmp_path):
    record = InterestRecord(tmp_path)
    times = [T + n * MINUTE for n in range(25_000)]
    for first in range(0, len(times), 1000):
        record.decide(*KEY, [(time, float(time)) for time in times[first : first + 1000]])

    for each in (record, InterestRecord(tmp_path)):
        assert each.find(*KEY, times[::999]) == {time: float(time) for time in times[::999]}
        assert each.decide(*KEY, [(times[7], 0.0)]) == [float(times[7])]


def test_a_record_that_can_not_be_written_is_told_once_and_counts_all_the_same(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    (tmp_path / "bybit").write_text("a file where a folder should be")
    record = InterestRecord(tmp_path)

    assert record.decide(*KEY, [(T, 5.0)]) == [5.0]
    assert record.decide(*KEY, [(T, 6.0), (T + MINUTE, 7.0)]) == [5.0, 7.0]
    assert len(caplog.records) == 1
    assert "isn't recorded" in caplog.records[0].message
    with pytest.raises(StoreError):
        InterestRecord(tmp_path).apply(*KEY, series(1.0))


def test_what_could_not_be_written_is_written_when_that_is_possible_again(tmp_path, caplog):
    blocking = tmp_path / "bybit"
    blocking.write_text("a file where a folder should be")
    record = InterestRecord(tmp_path)
    for minute in range(3):
        record.decide(*KEY, [(T + minute * MINUTE, float(minute))])

    blocking.unlink()
    record.decide(*KEY, [(T + 3 * MINUTE, 3.0)])
    record.decide(*KEY, [(T + 4 * MINUTE, 4.0)])

    times = [T + n * MINUTE for n in range(5)]
    assert list(InterestRecord(tmp_path).find(*KEY, times).values()) == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert path_in(tmp_path).stat().st_size == 5 * 16
    assert len(caplog.records) == 1


def test_a_second_trouble_is_told_again(tmp_path, caplog):
    record = InterestRecord(tmp_path)
    blocking = tmp_path / "bybit"
    for minute in (0, 2):
        blocking.write_text("a file where a folder should be")
        record.decide(*KEY, [(T + minute * MINUTE, 1.0)])
        blocking.unlink()
        record.decide(*KEY, [(T + (minute + 1) * MINUTE, 1.0)])
        path_in(tmp_path).unlink()
        blocking.rmdir()

    assert len(caplog.records) == 2


class FullDisk:
    """A file that takes so many bytes and no more."""

    def __init__(self, file, room):
        self._file, self._room = file, room

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def __getattr__(self, name):
        return getattr(self._file, name)

    def write(self, content):
        self._file.write(content[: self._room])
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("room", [0, 5, 16, 20, 32, 47])
def test_a_write_that_ends_anywhere_on_a_full_disk_leaves_whole_records(
    tmp_path, monkeypatch, room
):
    record = InterestRecord(tmp_path)
    record.decide(*KEY, [(T - MINUTE, 9.0)])
    opened = type(tmp_path).open
    with monkeypatch.context() as patch:
        patch.setattr(type(tmp_path), "open", lambda *a, **k: FullDisk(opened(*a, **k), room))
        record.decide(*KEY, [(T + n * MINUTE, float(n)) for n in range(3)])

    record.decide(*KEY, [(T + 3 * MINUTE, 3.0)])

    times = [T + n * MINUTE for n in range(-1, 4)]
    found = InterestRecord(tmp_path).find(*KEY, times)
    assert list(found.values()) == [9.0, 0.0, 1.0, 2.0, 3.0]
