"""Candles that exchanges recorded, through the import, the store and the aggregation."""

import re

import numpy as np
import pyarrow.parquet as pq
import pytest

from data.cache import CandleStore, SeriesKey, sha256_of
from data.importer import import_candles
from engine.candles import CandleSeries, Gap

MINUTE = 60_000
HALT_LAST = 1_679_661_540_000  # 2023-03-24T12:39Z, the last minute before the halt
HALT_END = 1_679_666_400_000  # 2023-03-24T14:00Z
KEY = SeriesKey("binance", "BTC/USDT", "1m")
SPOT = "binance_spot_BTCUSDT_{}_20220101_20230630.parquet"


@pytest.fixture
def store(tmp_path):
    def fail(problem):
        raise AssertionError(problem)

    return CandleStore(tmp_path / "candles", on_problem=fail)


def assert_same_bars(ours, theirs):
    assert np.array_equal(ours.timestamp, theirs.timestamp)
    for name in ("open", "high", "low", "close"):
        assert np.array_equal(getattr(ours, name), getattr(theirs, name)), name
    np.testing.assert_allclose(ours.volume, theirs.volume, rtol=1e-6)


def test_every_recorded_file_imports_cleanly(market_data, store):
    paths = sorted((market_data / "candles").glob("*.parquet"))
    assert paths
    for number, path in enumerate(paths):
        exchange, *_, symbol, timeframe, _, _ = path.stem.split("_")
        key = SeriesKey(f"{exchange}{number}", symbol, timeframe)
        summary = import_candles([path], key, store)
        assert (summary.rejected, summary.duplicates, summary.reordered) == ((), 0, 0), path.name

        recorded = pq.read_table(path)
        read = store.read(key)
        for name in ("timestamp", "open", "high", "low", "close", "volume"):
            assert np.array_equal(getattr(read, name), recorded[name].to_numpy()), path.name
        coverage = store.coverage(key)
        assert (coverage.candles, coverage.gaps) == (len(read), summary.gaps)


@pytest.fixture
def spot_minutes(market_data, store):
    import_candles([market_data / "candles" / SPOT.format("1m")], KEY, store)
    return store.read(KEY)


def test_a_year_and_a_half_of_minutes_has_one_gap_the_halt(spot_minutes, store):
    halt = Gap(HALT_LAST + MINUTE, HALT_END - MINUTE, 80)
    assert len(spot_minutes) == 786_160
    assert store.coverage(KEY).gaps == (halt,) == spot_minutes.gaps()
    first, last = int(spot_minutes.timestamp[0]), int(spot_minutes.timestamp[-1])
    assert store.missing_ranges(KEY, first, last + MINUTE) == [(HALT_LAST + MINUTE, HALT_END)]
    store.record_gap(KEY, HALT_LAST + MINUTE, HALT_END)
    assert store.missing_ranges(KEY, first, last + MINUTE) == []


@pytest.mark.parametrize("timeframe", ["15m", "1h"])
def test_stored_minutes_make_up_the_bars_that_the_exchange_published(
    market_data, store, spot_minutes, timeframe
):
    key = SeriesKey("binance", "BTC/USDT", timeframe)
    import_candles([market_data / "candles" / SPOT.format(timeframe)], key, store)
    theirs = store.read(key)
    assert theirs.gaps()  # the halt is among them
    assert_same_bars(spot_minutes.aggregate(timeframe), theirs)


def test_recorded_klines_written_as_binance_writes_them_keep_their_taker_volume(
    market_data, store, tmp_path
):
    candles = pq.read_table(market_data / "candles" / SPOT.format("1m"))
    flow = pq.read_table(market_data / "flow" / "binance_spot_BTCUSDT_1m_20230101_20230630.parquet")
    flow = flow.slice(0, 50_000).to_pydict()
    rows = candles.slice(candles["timestamp"].to_pylist().index(flow["timestamp"][0]), 50_000)
    assert rows["timestamp"].to_pylist() == flow["timestamp"]
    prices = zip(
        *(rows[name].to_pylist() for name in ("open", "high", "low", "close", "volume")),
        strict=True,
    )
    path = tmp_path / "BTCUSDT-1m-2023.csv"
    lines = (
        f"{time},{','.join(map(repr, price))},{time + 59_999},{quote},{trades},{taker!r},{paid},0"
        for price, time, quote, trades, taker, paid in zip(prices, *flow.values(), strict=True)
    )
    path.write_text("\n".join(lines))

    summary = import_candles([path], KEY, store)

    assert (summary.candles, summary.volume_delta_source) == (50_000, "taker")
    read = store.read(KEY)
    assert np.array_equal(read.close, rows["close"].to_numpy())
    expected = 2 * np.array(flow["taker_buy_base"]) - read.volume
    assert np.array_equal(read.volume_delta, expected)


def test_hashes_of_stored_and_recorded_candles_agree(market_data, store, spot_minutes):
    recorded = pq.read_table(market_data / "candles" / SPOT.format("1m"))
    columns = {name: recorded[name].to_numpy() for name in recorded.column_names}
    stored = store.read(KEY, columns=recorded.column_names)
    assert sha256_of(stored) == sha256_of(CandleSeries("1m", **columns))
    assert re.fullmatch("[0-9a-f]{64}", sha256_of(stored))


# The same logic on made-up candles, for clones without the recordings.
def test_aggregation_of_stored_minutes_leaves_out_a_halt_and_keeps_its_torn_bars(store):
    # Eight minutes from 12:35, a halt from 12:40 to 12:45, and it goes on at 12:46.
    start = HALT_LAST - 4 * MINUTE
    times = [start + i * MINUTE for i in (0, 1, 2, 3, 4, 11, 12, 25)]
    close = np.array([5.0, 7.0, 6.0, 4.0, 5.5, 9.0, 8.0, 3.0])
    open_ = np.append(5.0, close[:-1])
    high, low = np.maximum(open_, close) + 0.25, np.minimum(open_, close) - 0.25
    volume = np.arange(1.0, 9.0)
    series = CandleSeries("1m", times, open_, high, low, close, volume, None, volume / 2)
    store.write(KEY, series, volume_delta_source="taker")

    bars = store.read(KEY).aggregate("15m")

    half_past = HALT_LAST - 9 * MINUTE
    assert bars.timestamp.tolist() == [half_past, half_past + 15 * MINUTE, half_past + 30 * MINUTE]
    assert bars.open.tolist() == [5.0, 5.5, 8.0]
    assert bars.high.tolist() == [7.25, 9.25, 8.25]
    assert bars.low.tolist() == [3.75, 5.25, 2.75]
    assert bars.close.tolist() == [5.5, 8.0, 3.0]
    assert bars.volume.tolist() == [15.0, 13.0, 8.0]
    assert bars.volume_delta.tolist() == [7.5, 6.5, 4.0]
    assert store.read(KEY).aggregate("1h").timestamp.tolist() == [
        half_past - 30 * MINUTE,
        half_past + 30 * MINUTE,
    ]
