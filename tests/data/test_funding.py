"""The store of funding rates."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.errors import StoreError
from data.funding import FundingHistory, FundingStore

HOUR = 3_600_000
T = 1_700_000_000_000 // (8 * HOUR) * 8 * HOUR


def rates(*pairs):
    time, rate = zip(*pairs, strict=True)
    return FundingHistory.of(np.array(time, dtype=np.int64), np.array(rate))


@pytest.fixture
def funding(tmp_path):
    return FundingStore(tmp_path / "funding")


def test_rates_are_kept_per_symbol(funding, tmp_path):
    funding.write("binance", "BTC/USDT:USDT", rates((T, 0.0001)), (T, T + 1))

    stored = funding.read("binance", "BTC/USDT:USDT")

    assert (stored.time.tolist(), stored.rate.tolist()) == ([T], [0.0001])
    assert len(funding.read("binance", "ETH/USDT:USDT")) == 0
    assert len(funding.read("bybit", "BTC/USDT:USDT")) == 0
    assert (tmp_path / "funding/binance/BTC_USDT_USDT.parquet").is_file()


def test_the_file_has_a_time_and_a_rate(funding, tmp_path):
    funding.write("binance", "BTC/USDT:USDT", rates((T, 0.0001)), (T, T + 1))

    table = pq.read_table(tmp_path / "funding/binance/BTC_USDT_USDT.parquet")

    assert table.to_pydict() == {"timestamp": [T], "rate": [0.0001]}


def test_times_are_rounded_down_to_the_minute():
    history = rates((T + 7, 0.1), (T + 8 * HOUR + 59_999, 0.2))

    assert history.time.tolist() == [T, T + 8 * HOUR]


def test_recorded_times_lose_their_jitter_and_no_rate_is_lost(market_data):
    files = sorted((market_data / "funding").glob("*.parquet"))
    assert files
    for file in files:
        columns = pq.read_table(file)
        time = columns.column("timestamp").to_numpy()
        history = FundingHistory.of(time, columns.column("funding_rate").to_numpy())
        was_late = time % HOUR >= 60_000  # settled minutes late, in an outage
        assert np.array_equal(history.time % HOUR == 0, ~was_late), file.name
        assert was_late.sum() <= 4


def test_new_rates_join_the_old_and_win(funding):
    funding.write("x", "A/B:B", rates((T, 0.1), (T + HOUR, 0.2)), (T, T + 2 * HOUR))
    funding.write("x", "A/B:B", rates((T + HOUR, 0.3), (T - HOUR, 0.4)), (T - HOUR, T))

    stored = funding.read("x", "A/B:B")

    assert stored.time.tolist() == [T - HOUR, T, T + HOUR]
    assert stored.rate.tolist() == [0.4, 0.1, 0.3]


def test_what_was_downloaded_is_remembered_even_where_there_were_no_rates(funding):
    funding.write("x", "A/B:B", FundingHistory.empty(), (T, T + 5 * HOUR))
    funding.write("x", "A/B:B", FundingHistory.empty(), (T + 5 * HOUR, T + 6 * HOUR))

    assert funding.missing_ranges("x", "A/B:B", T - HOUR, T + 8 * HOUR) == [
        (T - HOUR, T),
        (T + 6 * HOUR, T + 8 * HOUR),
    ]
    assert funding.missing_ranges("x", "A/B:B", T + HOUR, T) == []


def test_columns_can_not_be_changed():
    history = rates((T, 0.1))

    with pytest.raises(ValueError, match="read-only"):
        history.rate[0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        history.time[0] = 1


def test_a_part_is_cut_by_time():
    history = rates((T, 0.1), (T + HOUR, 0.2), (T + 2 * HOUR, 0.3))

    assert history.between(T + 1, T + 2 * HOUR).rate.tolist() == [0.2]


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "columns"])
def test_a_damaged_file_says_what_to_do(damage, funding, tmp_path):
    funding.write("x", "A/B:B", rates((T, 0.1), (T + HOUR, 0.2)), (T, T + 2 * HOUR))
    file = tmp_path / "funding/x/A_B_B.parquet"
    content = bytearray(file.read_bytes())
    if damage == "columns":
        pq.write_table(pa.table({"a": [1]}), file)
    else:
        content[30] ^= 0xFF
        file.write_bytes({"cut": content[:50], "flip": content, "empty": b""}[damage])

    with pytest.raises(StoreError, match=r"damaged: delete .*A_B_B.parquet, the next download"):
        funding.read("x", "A/B:B")


def test_a_file_of_another_program_needs_no_memory_of_downloads(funding, tmp_path):
    file = tmp_path / "funding/x/A_B_B.parquet"
    file.parent.mkdir(parents=True)
    pq.write_table(pa.table({"timestamp": [T], "rate": [0.5]}), file)

    assert funding.read("x", "A/B:B").rate.tolist() == [0.5]
    assert funding.missing_ranges("x", "A/B:B", T, T + HOUR) == [(T, T + HOUR)]
