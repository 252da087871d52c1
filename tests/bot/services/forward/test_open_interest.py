"""A forward test reads open interest as it is live: it trades by it, and sees the same for ever."""

import asyncio
import logging

import numpy as np
import pytest

from bot.services.forward.parity import Cause
from bot.services.forward.service import ForwardAsk
from data.cache import CandleStore, SeriesKey
from data.interest_record import InterestRecord, interest_folder
from tests.soak.world import MINUTE_MS, open_world

NEWEST, HISTORY = "/fapi/v1/openInterest", "/futures/data/openInterestHist"
FIVE_MINUTES_MS = 5 * MINUTE_MS
STRATEGY = '''
"""Trades by open interest alone."""

from engine import Signal, Strategy


class Interested(Strategy):
    """Be long while open interest is above what it was ten minutes ago; remember all of it."""

    timeframes = ("1m",)
    history_ms = 86_400_000

    def on_init(self, data):
        self.seen = []

    def on_candle(self, data, portfolio):
        candles = data["1m"]
        self.seen.append([candles.latest.timestamp, candles.latest.open_interest])
        interest = candles.history.open_interest
        is_rising = interest[-1] > interest[-11]
        if is_rising and not portfolio.has_position:
            return [Signal.open_long(50)]
        return [Signal.close()] if portfolio.has_position and not is_rising else []

    def get_state(self):
        return {"seen": self.seen}

    def set_state(self, state):
        self.seen = state["seen"]
'''


@pytest.fixture
async def world(tmp_path, strategies):
    (strategies / "interested.py").write_text(STRATEGY, encoding="utf-8")
    async with open_world(tmp_path, strategies=strategies, speed_up=60.0) as opened:
        yield opened


async def start(world, service):
    ask = ForwardAsk("interested", symbol="BTC/USDT", ticks=False, name="t")
    test = await service.start(ask)
    await world.until_subscribed(service)
    return test


async def pass_minutes(world, service, count, *, is_told=True):
    """Let market time pass, and the newest open interest be asked for after each close."""
    for _ in range(count):
        asked = world.exchange.faults.counters[f"GET {NEWEST}"]
        await world.advance(service, world.clock.now_ms() // MINUTE_MS * MINUTE_MS + MINUTE_MS)
        async with asyncio.timeout(30):
            while world.exchange.faults.counters[f"GET {NEWEST}"] == asked or (  # noqa: ASYNC110
                is_told and newest_of(service) != world.clock.now_ms()
            ):
                await asyncio.sleep(0.001)


def newest_of(service):
    [health] = service._live.health()
    return health.open_interest_ms


def seen_by(service, test):
    return dict(service.runner(test).session.engine.strategy.seen)


def true_interest(world, times):
    """Return the simulated exchange's own values at times (ms), in the base asset."""
    steps = [time // FIVE_MINUTES_MS * FIVE_MINUTES_MS for time in times]
    units = [world.exchange.market.open_interest("BTCUSDT", at, 1).open_interest[0] for at in steps]
    return [int(each) / world.exchange.market.spec("BTCUSDT").quantity_scale for each in units]


@pytest.fixture
def assert_equals_its_rerun(comparison_of):
    """The backtest over the values that were recorded trades as the test did, to the last bit."""

    async def check(world, database, test):
        comparison = await comparison_of(world, database, test)
        closed = [pair for pair in comparison.report.pairs if pair.cause is not Cause.OPEN]
        assert [pair.cause for pair in closed] == [Cause.NONE] * len(closed)
        assert [pair.live for pair in closed] == [pair.backtest for pair in closed]
        assert comparison.live.equity[:-1].tolist() == comparison.backtest.equity[:-1].tolist()
        # What is open at the end costs nothing yet.
        assert comparison.live.equity[-1] == pytest.approx(comparison.backtest.equity[-1])
        return len(closed)

    return check


async def test_a_strategy_that_reads_open_interest_trades_as_its_backtest_does(
    world, assert_equals_its_rerun
):
    async with world.process() as (service, database):
        test = await start(world, service)
        await pass_minutes(world, service, 90)
        seen = seen_by(service, test)
        trades = await assert_equals_its_rerun(world, database, test)

    # Asked for just after the close before: the value of then is the last one known.
    opens = sorted(seen)
    assert len(opens) == 90
    assert [seen[time] for time in opens[1:]] == true_interest(world, opens[1:])
    assert trades >= 2


async def test_after_a_restart_and_a_recovery_the_values_are_those_used_live(
    world, assert_equals_its_rerun
):
    async with world.process() as (service, _):
        test = await start(world, service)
        await pass_minutes(world, service, 40)
        before = seen_by(service, test)
    away_from = world.clock.now_ms() // MINUTE_MS * MINUTE_MS
    await world.clock.advance_to(world.clock.now_ms() + 20 * MINUTE_MS)

    async with world.process() as (service, database):
        assert await service.recover() == []
        await world.until_subscribed(service)
        history = service.runner(test).session.engine.market.data["1m"].history
        values = dict(zip(history.timestamp.tolist(), history.open_interest.tolist(), strict=True))
        assert {time: values[time] for time in before} == before
        await pass_minutes(world, service, 30)
        seen = seen_by(service, test)
        await assert_equals_its_rerun(world, database, test)

    # While it was away only the history knew: five minutes later than live.
    away = [time for time in sorted(seen) if away_from <= time < away_from + 20 * MINUTE_MS]
    assert len(away) == 20
    closes = [time + MINUTE_MS - FIVE_MINUTES_MS for time in away]
    assert [seen[time] for time in away] == true_interest(world, closes)


async def test_what_was_missed_in_an_outage_has_the_history_s_open_interest(
    world, assert_equals_its_rerun
):
    async with world.process() as (service, database):
        test = await start(world, service)
        await pass_minutes(world, service, 12)
        end = world.clock.now_ms() + 30 * MINUTE_MS
        gap_from = world.clock.now_ms() // MINUTE_MS * MINUTE_MS
        await world.exchange.set_faults(outage_until_ms=end)
        await world.clock.advance_to(end)
        await world.advance(service, end + MINUTE_MS)
        await world.until_subscribed(service)
        await pass_minutes(world, service, 5)
        seen = seen_by(service, test)
        await assert_equals_its_rerun(world, database, test)

    inside = [time for time in sorted(seen) if gap_from <= time < gap_from + 30 * MINUTE_MS]
    assert len(inside) == 30
    closes = [time + MINUTE_MS - FIVE_MINUTES_MS for time in inside]
    assert [seen[time] for time in inside] == true_interest(world, closes)


async def test_a_test_goes_on_where_open_interest_can_not_be_had_and_says_so_once(world, caplog):
    caplog.set_level(logging.WARNING)
    async with world.process() as (service, database):
        await world.exchange.set_faults(server_error=1_000, rest_path=NEWEST)
        test = await start(world, service)
        await pass_minutes(world, service, 8, is_told=False)
        seen = seen_by(service, test)
        assert (await database.get_forward_test(test.id)).fault is None
        await world.exchange.set_faults(server_error=0)
        await pass_minutes(world, service, 1, is_told=False)
        await pass_minutes(world, service, 3)
        assert seen_by(service, test)[max(seen) + 3 * MINUTE_MS] is not None

    assert list(seen.values()) == [None] * 8
    told = [r for r in caplog.records if "without open interest" in r.message]
    assert len(told) == 1


async def test_the_cache_keeps_the_exchange_s_history_and_the_record_what_was_live(world):
    async with world.process() as (service, _):
        test = await start(world, service)
        await pass_minutes(world, service, 15)
        end = world.clock.now_ms() // MINUTE_MS * MINUTE_MS
        shown = await service.candles(test, end)

    settings = world.settings
    stored = CandleStore(settings.candles_dir).read(
        SeriesKey("simulated", "BTC/USDT", "1m"), int(shown.timestamp[0]), end
    )
    record = InterestRecord(interest_folder(settings.data_dir))
    again = record.apply("simulated", "BTC/USDT", stored)
    assert again.open_interest.tolist() == shown.open_interest.tolist()
    assert not np.array_equal(stored.open_interest, shown.open_interest)
