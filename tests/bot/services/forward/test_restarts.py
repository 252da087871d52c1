"""Restarts, long absences and disks that fail: the trades are those of an undisturbed test."""

import sqlite3

import pytest

from bot.services.forward.service import ForwardAsk
from tests.soak.world import MINUTE_MS

HOUR_MS = 60 * MINUTE_MS
FULL = {"strategy": "busy", "symbol": "BTC/USDT", "ticks": False, "name": "t"}


@pytest.fixture
async def begun(world):
    """The time at which a test `t` of `busy` begins to trade; the process that began it ended."""
    async with world.process() as (service, _):
        await service.start(ForwardAsk(**FULL))
        await world.until_subscribed(service)
        begun = world.clock.now_ms() // MINUTE_MS * MINUTE_MS
        await world.advance(service, begun + 3 * HOUR_MS)
    return begun


async def test_a_restart_in_the_middle_changes_nothing(world, begun):
    for hour in (4, 5, 6):
        async with world.process() as (service, database):
            assert await service.recover() == []
            await world.until_subscribed(service)
            await world.advance(service, begun + hour * HOUR_MS)
            [test] = await service.tests()
            assert await world.assert_equals_backtest(service, database, test) > 2 * hour
            assert not any(item.recovered for item in await database.get_trades(test.id))


async def test_an_absence_is_made_up_for_where_the_backtest_has_it(world, begun):
    away_from = world.clock.now_ms() // MINUTE_MS * MINUTE_MS
    await world.clock.advance_to(begun + 5 * HOUR_MS + 500)
    async with world.process() as (service, database):
        assert await service.recover() == []
        [(name, away)] = world.watcher.recoveries
        assert (name, away.first, away.last) == ("t", away_from, begun + 5 * HOUR_MS - MINUTE_MS)
        assert away.candles == 120
        await world.until_subscribed(service)
        await world.advance(service, begun + 6 * HOUR_MS)
        [test] = await service.tests()
        await world.assert_equals_backtest(service, database, test)
        stored = await database.get_trades(test.id)
        marked = [i.trade.id for i in stored if i.recovered]
        meanwhile = [
            i.trade.id for i in stored if away_from < i.trade.exit_time <= begun + 5 * HOUR_MS
        ]
        assert marked == meanwhile
        assert len(marked) == away.trades > 5
        [event] = await database.get_events(test.id, kind="recovered")
        assert event.details["trades"] == away.trades


async def test_an_exchange_that_lags_behind_what_was_seen_is_waited_for(world, begun):
    await world.exchange.set_faults(time_offset_ms=-10 * MINUTE_MS)
    async with world.process() as (service, database):
        [left] = await service.recover()
        assert str(left.status) == "running"
        await world.exchange.set_faults(time_offset_ms=0)
        assert await service.recover() == []
        await world.until_subscribed(service)
        await world.advance(service, begun + 4 * HOUR_MS)
        [test] = await service.tests()
        await world.assert_equals_backtest(service, database, test)


async def test_a_full_disk_costs_nothing_but_time(world, begun, caplog):
    """The disk is full in the middle of trading; revived, the test is where it would have been."""
    async with world.process() as (service, database):
        await service.recover()
        await world.until_subscribed(service)
        await database.run_sql("PRAGMA max_page_count = 1")
        await world.advance(service, begun + 10 * HOUR_MS)
        [(name, reason)] = world.watcher.faults
        assert name == "t"
        assert "no space left" in reason
        assert "nothing was half written" in reason
        assert service.runners() == []
        [test] = await service.tests()
        assert str(test.status) == "running"
        portfolio = await database.get_portfolio(test.id)
        state = await database.get_strategy_state(test.id)
        curve = await database.get_equity_curve(test.id)
        assert state["last_open_time"] == portfolio.last_candle_time
        assert int(curve.time[-1]) == portfolio.last_candle_time + MINUTE_MS
        await database.run_sql("PRAGMA max_page_count = 1000000")
        await service.attach(test)
        await world.until_subscribed(service)
        await world.advance(service, begun + 11 * HOUR_MS)
        await world.assert_equals_backtest(service, database, test)


async def test_a_lock_of_another_program_costs_nothing_but_time(tmp_path, world, begun, caplog):
    path = world.settings.data_dir / "jesse.db"
    async with world.process() as (service, database):
        await service.recover()
        await world.until_subscribed(service)
        await database.run_sql("PRAGMA busy_timeout = 50")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        await world.advance(service, begun + 4 * HOUR_MS)
        [(_, reason)] = world.watcher.faults
        assert "locked by another program" in reason
        other.execute("ROLLBACK")
        other.close()
        [test] = await service.tests()
        await service.attach(test)
        await world.until_subscribed(service)
        await world.advance(service, begun + 5 * HOUR_MS)
        await world.assert_equals_backtest(service, database, test)


async def test_a_database_that_is_damaged_while_trading_is_a_clear_fault(world, begun, caplog):
    path = world.settings.data_dir / "jesse.db"
    async with world.process() as (service, database):
        await service.recover()
        await world.until_subscribed(service)
        await world.advance(service, begun + 4 * HOUR_MS)
        await database.run_sql("PRAGMA cache_size = 1")
        await database.run_sql("PRAGMA shrink_memory")
        with path.open("r+b") as file:
            size = path.stat().st_size
            file.seek(4096)
            file.write(b"\xff" * (size - 4096))
        path.with_name("jesse.db-wal").write_bytes(b"")
        await world.advance(service, begun + 5 * HOUR_MS)
        [(_, reason)] = world.watcher.faults
        assert "damaged" in reason or "disk" in reason
        [runner] = service.runners() or [None]
        assert runner is None or runner.fault
