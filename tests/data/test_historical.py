"""Downloads of candles into the cache: what is asked, what is stored, what is never stored."""

import asyncio
import threading

import numpy as np
import pytest

from data.cache import SeriesKey
from data.errors import (
    ExchangeUnavailable,
    MissingCredentials,
    NoCandles,
    StoreError,
    UnknownSymbol,
    UnsupportedRequest,
)
from data.exchange import ExchangeSettings
from data.historical import HistoricalDataProvider
from engine.candles import CandleSeries

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


@pytest.fixture
def present(market):
    """The open time of the forming candle."""
    return market.now // MINUTE * MINUTE


def expect(market, start, end):
    """The rows that a fake exchange has for the minutes start..end."""
    times = market.opens(start, end - 1, MINUTE)
    return times, [market.row(t) for t in times]


def candles_at(times, close=100.0):
    column = np.full(len(times), close)
    return CandleSeries("1m", times, column, column, column, column, column)


# what is fetched


async def test_candles_come_from_the_exchange_and_then_from_the_cache(binance, provide, present):
    start, end = present - 3 * HOUR, present - HOUR
    provider, _ = provide("binance", binance.url)
    async with provider:
        candles = await provider.get_historical_candles("btcusdt", "1m", start, end)
        asked = len(binance.requests)
        again = await provider.get_historical_candles("BTC/USDT", "1m", start, end)

    times, rows = expect(binance.market, start, end)
    assert candles.timestamp.tolist() == times
    assert candles.open.tolist() == [row[0] for row in rows]
    assert candles.high.tolist() == [row[1] for row in rows]
    assert candles.low.tolist() == [row[2] for row in rows]
    assert candles.close.tolist() == [row[3] for row in rows]
    assert candles.volume.tolist() == [row[4] for row in rows]
    assert candles.volume_delta.tolist() == [2 * row[5] - row[4] for row in rows]
    assert again.timestamp.tolist() == times
    assert len(binance.requests) == asked


async def test_a_complete_cache_needs_no_exchange_and_no_credentials(store, market, present):
    key = SeriesKey("binance", "BTC/USDT", "1m")
    times = range(present - HOUR, present, MINUTE)
    store.write(key, candles_at(list(times)), volume_delta_source=None)

    async with HistoricalDataProvider(store, ExchangeSettings("binance")) as provider:
        candles = await provider.get_historical_candles("BTC/USDT", "1m", present - HOUR, present)
        with pytest.raises(MissingCredentials, match="API_KEY and API_SECRET"):
            await provider.complete(key, present - 2 * HOUR, present)

    assert len(candles) == 60


async def test_holes_that_lie_close_are_asked_for_together(binance, provide, store, present):
    provider, key = provide("binance", binance.url)
    start = present - 20 * HOUR
    times = [t for t in range(start, present, MINUTE) if t // MINUTE % 100]
    store.write(key, candles_at(times), volume_delta_source=None)

    async with provider:
        summary = await provider.complete(key, start, present)

    assert summary.fetched == 12
    assert len(binance.asked("klines")) == 2
    assert store.coverage(key).candles == 20 * 60


async def test_leading_inner_and_trailing_ranges_are_fetched_alone(
    binance, provide, store, present
):
    provider, key = provide("binance", binance.url)
    start = present - 100 * HOUR
    for first, stop in ((20, 40), (60, 80)):  # hours
        times = range(start + first * HOUR, start + stop * HOUR, MINUTE)
        store.write(key, candles_at(list(times)), volume_delta_source=None)

    async with provider:
        await provider.complete(key, start, present - HOUR)

    asked = [
        (int(query["startTime"]), int(query["endTime"]) + 1) for query in binance.asked("klines")
    ]
    hours = sorted(
        {(minute - start) // HOUR for first, stop in asked for minute in range(first, stop, MINUTE)}
    )
    assert hours == [*range(20), *range(40, 60), *range(80, 99)]


async def test_a_second_fetch_asks_nothing(binance, provide, present):
    provider, key = provide("binance", binance.url)
    async with provider:
        await provider.complete(key, present - DAY, present - HOUR)
        asked = len(binance.requests)
        summary = await provider.complete(key, present - DAY, present - HOUR)

    assert len(binance.requests) == asked
    assert (summary.fetched, summary.first, summary.last, summary.requests) == (0, None, None, 0)


async def test_the_forming_candle_is_never_stored(binance, provide, store, present):
    provider, key = provide("binance", binance.url)
    async with provider:
        summary = await provider.complete(key, present - HOUR, present + DAY)

    assert store.coverage(key).last == present - MINUTE
    assert summary.last == present - MINUTE


async def test_a_clock_that_is_ahead_does_not_close_a_forming_candle(
    binance, provide, store, present
):
    def tell_wrong_time(path, _query, answer):
        return {"serverTime": binance.market.now + 45_000} if "time" in path else answer

    binance.spoil = tell_wrong_time
    provider, key = provide("binance", binance.url)
    async with provider:
        await provider.complete(key, present - HOUR, present + DAY)

    # its time says that the forming candle is closed for 15 s, but no later one shows it
    assert store.coverage(key).last == present - MINUTE


async def test_a_page_is_one_candle_short_of_the_most_so_that_the_forming_one_fits(
    binance, provide, store, present
):
    provider, key = provide("binance", binance.url)
    async with provider:
        await provider.complete(key, present - 999 * MINUTE, present)

    assert store.coverage(key).candles == 999
    assert len(binance.asked("klines")) == 1


@pytest.mark.parametrize("timeframe", ["1m", "5m", "1h", "1d"])
async def test_every_timeframe_is_fetched_on_its_own_grid(
    timeframe, binance, provide, store, market
):
    step = {"1m": MINUTE, "5m": 5 * MINUTE, "1h": HOUR, "1d": DAY}[timeframe]
    provider, key = provide("binance", binance.url, timeframe=timeframe)
    async with provider:
        await provider.complete(key, market.now - 30 * step - 17, market.now)

    coverage = store.coverage(key)
    assert (coverage.candles, coverage.gaps) == (29, ())
    assert coverage.last == (market.now // step - 1) * step


async def test_top_up_starts_years_ago_and_goes_on_from_the_last_candle(
    binance, provide, store, market, fake_time
):
    provider, key = provide("binance", binance.url, timeframe="1h")
    market.listed_at = market.now - 1000 * DAY
    async with provider:
        first = await provider.top_up(key, years=1)
        market.now += 5 * HOUR
        fake_time.now += 5 * 3600
        binance.requests.clear()
        second = await provider.top_up(key, years=1)
        third = await provider.top_up(key, years=1)

    assert first.fetched == 365 * 24 - 1
    assert second.fetched == 5
    assert int(binance.asked("klines")[0]["startTime"]) == first.last + HOUR
    assert third.fetched == 0
    assert store.coverage(key).gaps == ()


async def test_top_up_leaves_older_holes_to_those_who_ask_for_them(
    binance, provide, store, present
):
    provider, key = provide("binance", binance.url)
    for hours in (50, 10):
        times = range(present - hours * HOUR, present - (hours - 1) * HOUR, MINUTE)
        store.write(key, candles_at(list(times)), volume_delta_source=None)
    async with provider:
        summary = await provider.top_up(key)

    assert summary.fetched == 9 * 60


async def test_top_up_takes_four_years_by_default(binance, provide, market):
    market.listed_at = market.now - 3000 * DAY
    provider, key = provide("binance", binance.url, timeframe="1d")
    async with provider:
        summary = await provider.top_up(key)

    assert summary.fetched == 4 * 365 - 1


# holes


async def test_a_halt_is_remembered_and_not_asked_for_again(
    binance, provide, store, market, present
):
    halt = (present - 5 * HOUR, present - 4 * HOUR)
    market.gaps.append(halt)
    provider, key = provide("binance", binance.url)
    async with provider:
        summary = await provider.complete(key, present - 10 * HOUR, present - HOUR)
        asked = len(binance.requests)
        await provider.complete(key, present - 10 * HOUR, present - HOUR)

    assert [(gap.first, gap.last, gap.missing) for gap in summary.gaps] == [
        (halt[0], halt[1] - MINUTE, 60)
    ]
    assert store.known_gaps(key) == (halt,)
    assert len(binance.requests) == asked


async def test_a_halt_over_several_pages_is_one_gap(binance, provide, store, market, present):
    halt = (present - 80 * HOUR, present - 20 * HOUR)
    market.gaps.append(halt)
    provider, key = provide("binance", binance.url)
    async with provider:
        summary = await provider.complete(key, present - 100 * HOUR, present - HOUR)

    assert [(gap.first, gap.missing) for gap in summary.gaps] == [(halt[0], 60 * 60)]
    assert store.known_gaps(key) == (halt,)


@pytest.mark.parametrize("ends_with_page", [True, False])
async def test_a_halt_at_the_edge_of_a_page_is_a_gap(
    ends_with_page, binance, provide, store, market, present
):
    start = present - 100 * HOUR
    page_end = start + 999 * MINUTE
    halt = (page_end - HOUR, page_end) if ends_with_page else (page_end, page_end + HOUR)
    market.gaps.append(halt)
    provider, key = provide("binance", binance.url)
    async with provider:
        await provider.complete(key, start, present - HOUR)

    assert store.known_gaps(key) == (halt,)


async def test_a_halt_before_stored_candles_is_a_gap(binance, provide, store, market, present):
    halt = (present - 50 * HOUR, present - 30 * HOUR)
    market.gaps.append(halt)
    provider, key = provide("binance", binance.url)
    stored = [*range(halt[1], halt[1] + HOUR, MINUTE)]
    store.write(key, candles_at(stored), volume_delta_source=None)
    async with provider:
        await provider.complete(key, present - 60 * HOUR, present)

    assert store.known_gaps(key) == (halt,)
    assert store.missing_ranges(key, present - 60 * HOUR, present) == []


async def test_an_asked_range_that_ends_in_a_halt_is_confirmed_by_a_later_candle(
    binance, provide, store, market, present
):
    market.gaps.append((present - 5 * HOUR, present - 2 * HOUR))
    provider, key = provide("binance", binance.url)
    async with provider:
        await provider.complete(key, present - 6 * HOUR, present - 3 * HOUR)

    assert store.known_gaps(key) == ((present - 5 * HOUR, present - 3 * HOUR),)


async def test_the_silence_of_a_symbol_that_no_longer_trades_is_no_gap(
    binance, provide, store, market, present
):
    market.gaps.append((present - 5 * HOUR, present + DAY))
    provider, key = provide("binance", binance.url)
    async with provider:
        summary = await provider.complete(key, present - 6 * HOUR, present - HOUR)

    assert store.known_gaps(key) == ()
    assert summary.fetched == 60
    assert "has no candles of BTC/USDT since" in summary.notices[0]


async def test_a_hole_that_is_minutes_old_may_still_be_filled(
    binance, provide, store, market, present
):
    hole = (present - 5 * MINUTE, present - 3 * MINUTE)
    market.gaps.append(hole)
    provider, key = provide("binance", binance.url)
    async with provider:
        await provider.complete(key, present - HOUR, present)
        assert store.known_gaps(key) == ()
        market.gaps.clear()
        await provider.complete(key, present - HOUR, present)

    assert store.missing_ranges(key, present - HOUR, present) == []
    assert store.coverage(key).candles == 60


async def test_an_answer_that_was_short_by_mistake_is_completed(binance, provide, store, present):
    shortened = []

    def shorten_once(path, _query, answer):
        if "klines" in path and not shortened:
            shortened.append(True)
            return answer[:200]
        return answer

    binance.spoil = shorten_once
    provider, key = provide("binance", binance.url)
    async with provider:
        summary = await provider.complete(key, present - 20 * HOUR, present - 10 * HOUR)

    assert summary.fetched == 600
    assert store.known_gaps(key) == ()


async def test_pages_that_are_always_short_are_completed_too(binance, provide, store, present):
    binance.spoil = lambda path, _query, answer: answer[:200] if "klines" in path else answer
    provider, key = provide("binance", binance.url)
    async with provider:
        summary = await provider.complete(key, present - 40 * HOUR, present - HOUR)

    assert summary.fetched == 39 * 60
    assert store.known_gaps(key) == ()


async def test_an_answer_that_was_empty_by_mistake_is_asked_for_again(
    binance, provide, store, present
):
    emptied = []

    def empty_once(path, _query, answer):
        if "klines" in path and not emptied:
            emptied.append(True)
            return []
        return answer

    binance.spoil = empty_once
    provider, key = provide("binance", binance.url)
    async with provider:
        await provider.complete(key, present - 10 * HOUR, present - HOUR)

    assert store.coverage(key).candles == 9 * 60
    assert store.known_gaps(key) == ()


async def test_years_before_the_listing_cost_few_requests_and_are_remembered(
    binance, provide, store, market, present
):
    market.listed_at = present - 30 * DAY
    start = present - 4 * 365 * DAY
    provider, key = provide("binance", binance.url)
    async with provider:
        summary = await provider.complete(key, start, present)
        asked = len(binance.asked("klines"))
        await provider.complete(key, start, present - MINUTE)

    assert summary.fetched == 30 * 24 * 60
    assert summary.first == market.listed_at
    assert asked < 30 * 24 * 60 // 999 + 30
    assert len(binance.asked("klines")) == asked
    assert store.missing_ranges(key, start, present) == []


@pytest.mark.parametrize("wrong", ["no weeks", "the newest weeks only", "refused"])
async def test_weeks_that_say_nothing_or_too_little_lose_no_history(
    wrong, binance, provide, store, present
):
    def spoil_weeks(path, query, answer):
        if "klines" in path and query["interval"] == "1w":
            refusal = {"code": -1120, "msg": "Invalid interval."}
            return {"no weeks": [], "the newest weeks only": answer[-2:], "refused": refusal}[wrong]
        return answer

    binance.spoil = spoil_weeks
    provider, key = provide("binance", binance.url)
    async with provider:
        summary = await provider.complete(key, present - 30 * DAY, present)

    assert summary.fetched == 30 * 24 * 60
    assert store.known_gaps(key) == ()


async def test_a_full_disk_is_told_and_what_is_stored_stays(binance, provide, store, present):
    provider, key = provide("binance", binance.url)
    async with provider:
        await provider.complete(key, present - DAY, present)

        def refuse(*_arguments, **_options):
            raise StoreError("no space left")

        store.write = refuse
        with pytest.raises(StoreError, match="no space left"):
            await provider.complete(key, present - 3 * DAY, present)

    assert store.coverage(key).candles == 24 * 60


async def test_a_full_disk_ends_a_fetch_before_everything_was_asked_for(
    binance, provide, store, present
):
    provider, key = provide("binance", binance.url)
    refused = threading.Event()

    def refuse(*_arguments, **_options):
        refused.set()
        raise StoreError("no space left")

    store.write = refuse
    async with provider:
        with pytest.raises(StoreError, match="no space left"):
            await provider.complete(key, present - 370 * DAY, present)

    assert refused.is_set()
    assert len(binance.asked("klines")) < 370 * 24 * 60 // 1000
    assert store.coverage(key) is None


async def test_pages_come_while_others_are_being_stored(binance, provide, store, present):
    provider, key = provide("binance", binance.url)
    write, released, done = store.write, threading.Event(), []

    def write_late(*arguments, **options):
        assert released.wait(30)
        return write(*arguments, **options)

    def release(progress):
        done.append(progress.done_candles)
        # The first month is in the store's hands since 20,000 candles at least.
        if progress.done_candles > 80_000:
            released.set()

    store.write = write_late
    async with provider:
        summary = await provider.complete(key, present - 60 * DAY, present, on_progress=release)

    assert summary.fetched == store.coverage(key).candles == 60 * 24 * 60


async def test_a_fetch_cancelled_while_it_stores_ends_when_that_is_done(
    binance, provide, store, present
):
    provider, key = provide("binance", binance.url)
    write, began, released = store.write, threading.Event(), threading.Event()

    def write_late(*arguments, **options):
        began.set()
        assert released.wait(30)
        return write(*arguments, **options)

    store.write = write_late
    async with provider:
        task = asyncio.create_task(provider.complete(key, present - 20 * HOUR, present))
        await asyncio.to_thread(began.wait, 30)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        released.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert store.coverage(key).candles == 20 * 60


async def test_a_listed_symbol_without_candles_is_told(binance, provide, store, market, present):
    market.listed_at = present + 30 * DAY
    provider, key = provide("binance", binance.url)
    async with provider:
        summary = await provider.complete(key, present - 100 * DAY, present)

    assert summary.fetched == 0
    assert "has no candles of BTC/USDT since" in summary.notices[0]
    assert store.known_gaps(key) == ()
    with pytest.raises(NoCandles):
        store.read(key)


# what is refused


async def test_times_in_seconds_store_nothing(binance, provide, store, present):
    def in_seconds(path, _query, answer):
        return [[row[0] // 1000, *row[1:]] for row in answer] if "klines" in path else answer

    binance.spoil = in_seconds
    provider, key = provide("binance", binance.url)
    async with provider:
        with pytest.raises(ExchangeUnavailable, match="outside of the asked window"):
            await provider.complete(key, present - 10 * HOUR, present - HOUR)

    assert store.coverage(key) is None


async def test_a_candle_that_can_not_be_is_left_out_told_and_asked_for_again(
    binance, provide, store, present
):
    wrong = present - 2 * HOUR

    def high_below_low(path, _query, answer):
        if "klines" in path:
            for row in answer:
                row[2] = "1" if row[0] == wrong else row[2]
        return answer

    binance.spoil = high_below_low
    provider, key = provide("binance", binance.url)
    async with provider:
        summary = await provider.complete(key, present - 3 * HOUR, present - HOUR)
        assert store.missing_ranges(key, present - 3 * HOUR, present - HOUR) == [
            (wrong, wrong + MINUTE)
        ]
        binance.spoil = lambda _path, _query, answer: answer
        await provider.complete(key, present - 3 * HOUR, present - HOUR)

    assert "left out: high is below low in 1 of 1 candles" in summary.notices[0]
    assert store.known_gaps(key) == ()
    assert store.coverage(key).candles == 120


async def test_what_was_fetched_before_an_error_is_kept(binance, provide, store, present):
    provider, key = provide("binance", binance.url)
    last_good = present - 60 * HOUR

    def break_down(path, query, answer):
        if "klines" in path and int(query["startTime"]) > last_good:
            return {"candles": None}
        return answer

    binance.spoil = break_down
    async with provider:
        with pytest.raises(ExchangeUnavailable, match="what was fetched so far is kept"):
            await provider.complete(key, present - 100 * HOUR, present)
        kept = store.coverage(key)
        binance.spoil = lambda _path, _query, answer: answer
        binance.requests.clear()
        await provider.complete(key, present - 100 * HOUR, present)

    assert kept.first == present - 100 * HOUR
    assert kept.candles > 30 * 60
    assert int(binance.asked("klines")[0]["startTime"]) == kept.last + MINUTE
    assert store.coverage(key).candles == 100 * 60


async def test_a_cancelled_fetch_keeps_its_pages_and_goes_on_later(
    binance, provide, store, present
):
    provider, key = provide("binance", binance.url)
    reached = asyncio.Event()

    def stop_half_way(progress):
        if progress.done_candles > progress.total_candles // 2:
            reached.set()

    async with provider:
        task = asyncio.create_task(
            provider.complete(key, present - 200 * HOUR, present, on_progress=stop_half_way)
        )
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        kept = store.coverage(key)
        await provider.complete(key, present - 200 * HOUR, present)

    assert kept.candles >= 100 * 60
    assert kept.gaps == ()
    assert store.known_gaps(key) == ()
    assert store.coverage(key).candles == 200 * 60


async def test_an_unknown_symbol_creates_nothing(binance, provide, store, tmp_path, present):
    provider, key = provide("binance", binance.url, symbol="BTC/EUR")
    async with provider:
        with pytest.raises(UnknownSymbol, match="did you mean BTC/USDT"):
            await provider.complete(key, present - HOUR, present)

    assert not (tmp_path / "candles").exists()


async def test_a_timeframe_the_exchange_has_not_is_refused(hyperliquid, provide, present):
    provider, key = provide("hyperliquid", hyperliquid.url, "BTC/USDC:USDC", "6h")
    async with provider:
        with pytest.raises(UnsupportedRequest, match="no 6h candles: fetch a finer timeframe"):
            await provider.complete(key, present - DAY, present)

    assert hyperliquid.requests == []


async def test_another_exchanges_series_is_refused(binance, provide, present):
    provider, _ = provide("binance", binance.url)
    async with provider:
        with pytest.raises(UnsupportedRequest, match="set EXCHANGE=bybit"):
            await provider.top_up(SeriesKey("bybit", "BTC/USDT", "1m"))


async def test_live_candles_come_from_elsewhere(binance, provide):
    provider, _ = provide("binance", binance.url)
    with pytest.raises(UnsupportedRequest, match="live provider"):
        await provider.subscribe("BTC/USDT", "1m", print)
    with pytest.raises(UnsupportedRequest, match="live provider"):
        await provider.unsubscribe("BTC/USDT", "1m")


# how it is fetched


async def test_progress_counts_up_to_the_asked_candles(binance, provide, present):
    seen = []
    provider, key = provide("binance", binance.url)
    async with provider:
        await provider.complete(key, present - 100 * HOUR, present, on_progress=seen.append)

    done = [progress.done_candles for progress in seen]
    assert done == sorted(done)
    assert done[-1] == seen[-1].total_candles == 100 * 60
    assert all(progress.total_candles == 100 * 60 for progress in seen)
    assert all(progress.rate_per_s >= 0 for progress in seen)
    assert seen[-1].remaining_s in (0.0, None)


async def test_several_pages_are_in_flight_but_not_all(binance, provide, present):
    provider, key = provide("binance", binance.url, rate_limit=False)
    async with provider:
        await provider.complete(key, present - 600 * HOUR, present)

    assert len(binance.asked("klines")) > 30
    assert 2 <= binance.most_at_once <= 8


async def test_the_documented_weight_is_kept(binance, provide, store, present, fake_time):
    provider, key = provide("binance", binance.url, "BTC/USDT:USDT")
    began = fake_time.now
    async with provider:
        await provider.complete(key, present - 1200 * HOUR, present)

    weights = sum(2 for query in binance.asked("klines") if int(query["limit"]) == 499)
    elapsed = fake_time.now - began
    assert weights > 200
    assert weights <= 0.05 * 2400 + elapsed * 0.9 * 2400 / 60 + 2


async def test_without_a_limit_pages_are_the_longest(binance, provide, present):
    provider, key = provide("binance", binance.url, "BTC/USDT:USDT", rate_limit=False)
    async with provider:
        await provider.complete(key, present - 100 * HOUR, present)

    assert {query["limit"] for query in binance.asked("klines")} == {"1500"}


async def test_the_provider_opens_again_after_it_was_closed(binance, provide, present):
    provider, key = provide("binance", binance.url)
    async with provider:
        await provider.complete(key, present - HOUR, present)
    binance.market.now += HOUR
    async with provider:
        summary = await provider.top_up(key)

    assert summary.fetched == 60


async def test_all_who_ask_at_once_share_one_exchange(binance, provide):
    provider, _ = provide("binance", binance.url)
    async with provider:
        first, second = await asyncio.gather(provider.exchange(), provider.exchange())
        third = await provider.exchange()

    assert first is second is third
