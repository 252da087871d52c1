"""The candle store against simple oracles, over many small histories."""

import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from data.cache import CandleStore, SeriesKey, sha256_of
from engine.candles import FLOW_COLUMNS, PRICE_COLUMNS, CandleSeries
from engine.timeframe import floor_to_timeframe, get_timeframe_ms

FEBRUARY = 1_706_745_600_000
SPAN = 12  # candles on each side of the month's end
SOURCES = st.sampled_from(["taker", "approximated", "mixed"])

timeframes = st.sampled_from(["1m", "15m", "1d", "1w"])
offsets = st.integers(-SPAN, SPAN)
prices = st.floats(1e-8, 1e9)
flows = st.none() | st.floats(-1e6, 1e6)
rows = st.tuples(prices, prices, prices, prices, st.floats(0, 1e9), flows, flows)
chunks = st.lists(st.dictionaries(offsets, rows, min_size=1, max_size=8), min_size=1, max_size=6)


@contextmanager
def a_store():
    with tempfile.TemporaryDirectory() as folder:
        problems = []
        yield CandleStore(Path(folder), on_problem=problems.append)
        assert problems == []


def open_time(offset, timeframe):
    return floor_to_timeframe(FEBRUARY, timeframe) + offset * get_timeframe_ms(timeframe)


def make_series(chunk, timeframe):
    columns = {name: [] for name in ("timestamp", *PRICE_COLUMNS, *FLOW_COLUMNS)}
    for offset, (one, two, three, four, volume, interest, delta) in sorted(chunk.items()):
        low, open_, close, high = sorted((one, two, three, four))
        values = (open_time(offset, timeframe), open_, high, low, close, volume)
        flow = [np.nan if value is None else value for value in (interest, delta)]
        for name, value in zip(columns, (*values, *flow), strict=True):
            columns[name].append(value)
    return CandleSeries(timeframe, **columns)


def merge_rows(chunks):
    merged = {}
    for chunk in chunks:
        for offset, row in chunk.items():
            old = merged.get(offset, (None,) * 7)
            flow = [new if new is not None else old[i] for i, new in ((5, row[5]), (6, row[6]))]
            merged[offset] = (*row[:5], *flow)
    return merged


@settings(deadline=None, max_examples=60)
@given(chunks, timeframes, SOURCES)
def test_any_sequence_of_writes_stores_what_one_write_of_their_merge_stores(
    chunks, timeframe, source
):
    key = SeriesKey("binance", "BTC/USDT", timeframe)
    expected = make_series(merge_rows(chunks), timeframe)
    with a_store() as step_by_step, a_store() as at_once:
        seen = set()
        for chunk in chunks:
            series = make_series(chunk, timeframe)
            added = step_by_step.write(key, series, volume_delta_source=source)
            assert added == len(chunk.keys() - seen)
            seen |= chunk.keys()
        at_once.write(key, expected, volume_delta_source=source)

        assert sha256_of(step_by_step.read(key)) == sha256_of(expected)
        assert sha256_of(at_once.read(key)) == sha256_of(expected)
        assert step_by_step.coverage(key) == at_once.coverage(key)


@settings(deadline=None, max_examples=60)
@given(chunks, timeframes)
def test_coverage_agrees_with_the_columns_it_did_not_read(chunks, timeframe):
    key = SeriesKey("binance", "BTC/USDT", timeframe)
    with a_store() as store:
        for chunk in chunks:
            store.write(key, make_series(chunk, timeframe), volume_delta_source="taker")
        coverage, series = store.coverage(key), store.read(key)
    assert (coverage.first, coverage.last) == (series.timestamp[0], series.timestamp[-1])
    assert coverage.candles == len(series)
    assert coverage.gaps == series.gaps()
    assert (coverage.volume_delta_source is None) == (series.volume_delta is None)


@settings(deadline=None, max_examples=60)
@given(
    stored=st.sets(offsets, max_size=20),
    gaps=st.lists(st.tuples(offsets, offsets), max_size=4),
    start=offsets,
    end=offsets,
    jitter=st.integers(-1, 1),
    timeframe=timeframes,
)
def test_missing_ranges_are_what_a_set_of_times_says(stored, gaps, start, end, jitter, timeframe):
    key, step = SeriesKey("binance", "BTC/USDT", timeframe), get_timeframe_ms(timeframe)
    row = (5.0, 5.0, 5.0, 5.0, 1.0, None, None)
    known = {offset for first, stop in gaps for offset in range(first, stop)}
    first, stop = open_time(start, timeframe) + jitter, open_time(end, timeframe) + jitter
    expected = [
        time
        for offset in range(-SPAN - 1, SPAN + 2)
        if offset not in stored | known and first <= (time := open_time(offset, timeframe)) < stop
    ]
    with a_store() as store:
        for first_gap, stop_gap in gaps:
            store.record_gap(key, open_time(first_gap, timeframe), open_time(stop_gap, timeframe))
        if stored:
            series = make_series(dict.fromkeys(stored, row), timeframe)
            store.write(key, series, volume_delta_source=None)
        missing = store.missing_ranges(key, first, stop)
        gap_times = {t for a, b in store.known_gaps(key) for t in range(a, b, step)}

    assert [time for a, b in missing for time in range(a, b, step)] == expected
    assert all(a < b for a, b in missing)
    assert gap_times == {open_time(offset, timeframe) for offset in known - stored}


@settings(deadline=None, max_examples=60)
@given(chunks, timeframes, offsets, offsets)
def test_a_range_read_is_that_part_of_the_whole(chunks, timeframe, start, end):
    key = SeriesKey("binance", "BTC/USDT", timeframe)
    first, stop = open_time(start, timeframe), open_time(end, timeframe)
    with a_store() as store:
        for chunk in chunks:
            store.write(key, make_series(chunk, timeframe), volume_delta_source="taker")
        expected = store.read(key).between(first, stop)
        if len(expected):
            assert sha256_of(store.read(key, first, stop)) == sha256_of(expected)
