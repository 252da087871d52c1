"""Transactions: together or not at all, one after the other, whoever fails or is cancelled."""

import asyncio
import sqlite3
from contextlib import closing, contextmanager

import pytest

from data.database import Database
from data.errors import DatabaseLocked, DatabaseMisused, RecordConflict


class Trouble(Exception):
    """What a test raises inside a transaction."""


@pytest.fixture
async def patient_database(path, clock):
    """A database that waits for other programs longer than any test lasts."""
    async with Database.open(path, clock=clock, busy_timeout_ms=300_000) as database:
        yield database


@contextmanager
def locked_by_another_program(path):
    """Hold the write lock until the block ends, or until `ROLLBACK` on what is yielded."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection


async def test_a_block_is_stored_together(database, test_id, make_trade):
    async with database.transaction() as transaction:
        await transaction.save_trade(test_id, make_trade())
        await transaction.set_setting("a", 1)
        assert await transaction.count_trades(test_id) == 1

    assert await database.count_trades(test_id) == 1
    assert await database.get_setting("a") == 1


async def test_a_block_that_raises_stores_nothing(database, test_id, make_trade, make_step):
    async def work():
        async with database.transaction() as transaction:
            await transaction.save_trade(test_id, make_trade(5))
            await transaction.commit_step(make_step(test_id, 1))
            raise Trouble

    with pytest.raises(Trouble):
        await work()

    assert await database.count_trades(test_id) == 0
    assert await database.get_portfolio(test_id) is None
    assert await database.commit_step(make_step(test_id, 1))


async def test_the_database_joins_the_transaction_of_its_task(database):
    async def work():
        async with database.transaction():
            await database.set_setting("a", 1)
            assert await database.get_setting("a") == 1
            raise Trouble

    with pytest.raises(Trouble):
        await work()

    assert await database.get_setting("a") is None


async def test_an_operation_that_fails_undoes_only_itself(
    database, test_id, make_step, make_trade, read_step
):
    async with database.transaction() as transaction:
        await transaction.commit_step(make_step(test_id, 1))
        with pytest.raises(RecordConflict):
            await transaction.commit_steps(
                [make_step(test_id, 2), make_step(test_id, 3, trades=(make_trade(1, pnl=0.0),))]
            )

    assert await read_step(database, test_id) == 1


async def test_a_transaction_inside_another_is_refused(database):
    async with database.transaction() as transaction:
        await transaction.set_setting("a", 1)
        with pytest.raises(DatabaseMisused, match="inside another"):
            async with database.transaction():
                pass

    assert await database.get_setting("a") == 1


async def test_a_transaction_that_is_over_is_refused(database):
    async with database.transaction() as transaction:
        pass

    with pytest.raises(DatabaseMisused, match="over"):
        await transaction.set_setting("a", 1)
    assert await database.get_setting("a") is None


async def test_transactions_of_many_tasks_follow_each_other(database):
    async def count_one():
        async with database.transaction() as transaction:
            value = await transaction.get_setting("count", 0)
            await asyncio.sleep(0)
            await transaction.set_setting("count", value + 1)

    await asyncio.gather(*(count_one() for _ in range(30)))

    assert await database.get_setting("count") == 30


async def test_reading_waits_for_nobody_and_sees_what_is_committed(database):
    await database.set_setting("a", "old")

    async with database.transaction() as transaction:
        await transaction.set_setting("a", "new")
        seen = await asyncio.create_task(database.get_setting("a"))

    assert seen == "old"
    assert await database.get_setting("a") == "new"


async def test_a_transaction_can_be_used_by_tasks_of_its_block(database):
    async with database.transaction() as transaction:
        await asyncio.gather(*(transaction.set_setting(str(n), n) for n in range(10)))

    assert [await database.get_setting(str(n)) for n in range(10)] == list(range(10))


@pytest.mark.parametrize("turns", range(40))
async def test_a_block_cancelled_anywhere_is_stored_whole_or_not_at_all(
    database, test_id, make_step, make_trade, turns
):
    async def work():
        async with database.transaction() as transaction:
            await transaction.save_trade(test_id, make_trade(7))
            await transaction.set_setting("a", 1)
            await transaction.save_portfolio(test_id, balance=1.0, equity=1.0, last_candle_time=1)

    task = asyncio.create_task(work())
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    stored = {
        await database.count_trades(test_id) == 1,
        await database.get_setting("a") == 1,
        await database.get_portfolio(test_id) is not None,
    }
    assert len(stored) == 1
    assert await database.commit_step(make_step(test_id, 1))


async def test_cancelled_steps_are_stored_whole_or_not_at_all(
    database, test_id, make_step, read_step
):
    for n in range(1, 61):
        task = asyncio.create_task(database.commit_step(make_step(test_id, n)))
        for _ in range(n % 6):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await read_step(database, test_id) in (n - 1, n)
        await database.commit_step(make_step(test_id, n))

    assert await read_step(database, test_id) == 60


async def test_a_task_cancelled_while_it_waits_for_its_turn_takes_none(database):
    async with database.transaction() as transaction:
        waiting = asyncio.create_task(database.set_setting("a", "waited"))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await transaction.set_setting("b", 1)

    assert await database.get_setting("a") is None
    assert await database.get_setting("b") == 1


async def test_a_block_cancelled_on_its_way_to_a_lock_stores_nothing(patient_database, path):
    database = patient_database

    async def work():
        async with database.transaction() as transaction:
            await transaction.set_setting("a", 1)

    with locked_by_another_program(path) as other:
        task = asyncio.create_task(work())
        assert await database.get_setting("a") is None  # by now the task waits for the lock
        task.cancel()
        other.execute("ROLLBACK")
        await asyncio.gather(task, return_exceptions=True)

    assert task.cancelled()
    assert await database.get_setting("a") is None
    await database.set_setting("a", 2)
    assert await database.get_setting("a") == 2


async def test_the_event_loop_goes_on_while_another_program_holds_the_lock(patient_database, path):
    with locked_by_another_program(path) as other:
        writing = asyncio.create_task(patient_database.set_setting("a", 1))
        assert await patient_database.get_setting("a") is None
        assert not writing.done()

        other.execute("ROLLBACK")
        await writing

    assert await patient_database.get_setting("a") == 1


async def test_a_lock_that_stays_is_an_error_and_nothing_is_stored(
    database, path, test_id, make_step, read_step
):
    with locked_by_another_program(path):
        with pytest.raises(DatabaseLocked, match="locked by another program"):
            await database.commit_step(make_step(test_id, 1))
        with pytest.raises(DatabaseLocked):
            async with database.transaction():
                pytest.fail("the block must not begin")
        assert await read_step(database, test_id) == 0

    assert await database.commit_step(make_step(test_id, 1))
    assert await read_step(database, test_id) == 1


async def test_closing_waits_for_what_runs_and_refuses_what_comes_after(database, path, clock):
    release = asyncio.Event()

    async def hold():
        async with database.transaction() as transaction:
            await transaction.set_setting("a", 1)
            await release.wait()

    holding = asyncio.create_task(hold())
    await asyncio.sleep(0)
    closing_task = asyncio.create_task(database.close())
    await asyncio.sleep(0)
    release.set()
    await asyncio.gather(holding, closing_task)

    for use in (database.get_setting("a"), database.set_setting("a", 2), database.backup("b")):
        with pytest.raises(DatabaseMisused, match="is not open"):
            await use
    async with Database.open(path, clock=clock) as again:
        assert await again.get_setting("a") == 1


async def test_closing_inside_a_transaction_is_refused(database):
    async with database.transaction() as transaction:
        with pytest.raises(DatabaseMisused, match="end it before closing"):
            await database.close()
        await transaction.set_setting("a", 1)

    assert await database.get_setting("a") == 1
