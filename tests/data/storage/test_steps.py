"""Steps of engines: whole, in order, once."""

import asyncio
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from data.database import EquityMark, StepRecord, StoredPortfolio
from data.errors import RecordConflict, UnknownRecord, UnstorableValue
from data.storage.steps import step_rows
from data.storage.worker import connect


@pytest.fixture
async def other_id(database, test_id, make_new_test):
    return (await database.create_forward_test(make_new_test("other"))).id


async def synchronous(database):
    """Return how the last transaction was committed: 2 is FULL, 1 is NORMAL."""
    return await database._writer.run(
        lambda connection: connection.execute("PRAGMA synchronous").fetchone()[0]
    )


async def test_a_step_stores_all_its_parts(database, test_id, make_step, make_position, read_step):
    assert await database.commit_step(make_step(test_id, 1))

    assert await read_step(database, test_id) == 1
    assert await database.get_portfolio(test_id) == StoredPortfolio(
        test_id, balance=1_001.0, equity=2_001.0, last_candle_time=60_000, step=1
    )
    assert await database.get_open_positions(test_id) == [make_position(2)]


async def test_steps_follow_each_other(database, test_id, make_step, read_step):
    for n in range(1, 21):
        await database.commit_step(make_step(test_id, n))

    assert await read_step(database, test_id) == 20


async def test_repeating_any_earlier_step_changes_nothing(database, test_id, make_step, read_step):
    for n in range(1, 4):
        await database.commit_step(make_step(test_id, n))

    for n in (3, 1, 2, 3):
        assert not await database.commit_step(make_step(test_id, n))

    assert await read_step(database, test_id) == 3


async def test_another_step_of_the_same_number_is_refused(database, test_id, make_step, read_step):
    await database.commit_step(make_step(test_id, 1))

    for change in (
        {"balance": 5.0},
        {"snapshot": {"n": 2}},
        {"positions": ()},
        {"trades": ()},
        {"alerts": ()},
        {"events": ()},
        {"recovered": True},
        {"last_candle_time": 1},
    ):
        with pytest.raises(RecordConflict, match="step 1 of forward test 1 isn't the one"):
            await database.commit_step(make_step(test_id, 1, **change))

    assert await read_step(database, test_id) == 1


@pytest.mark.parametrize(("number", "reason"), [(3, "commit step 2 first"), (0, "isn't the one")])
async def test_a_step_out_of_order_is_refused(
    database, test_id, make_step, read_step, number, reason
):
    await database.commit_step(make_step(test_id, 1))

    with pytest.raises(RecordConflict, match=reason):
        await database.commit_step(make_step(test_id, number))

    assert await read_step(database, test_id) == 1


async def test_a_step_needs_its_test(database, make_step):
    with pytest.raises(UnknownRecord):
        await database.commit_step(make_step(99, 1))


async def test_a_step_may_leave_no_position_open(database, test_id, make_step):
    await database.commit_step(make_step(test_id, 1))
    await database.commit_step(make_step(test_id, 2, positions=()))

    assert await database.get_open_positions(test_id) == []


async def test_trades_of_a_recovery_are_marked(database, test_id, make_step):
    await database.commit_step(make_step(test_id, 1))
    await database.commit_step(make_step(test_id, 2, recovered=True))

    recovered = [stored.recovered for stored in await database.get_trades(test_id)]
    assert recovered == [False, True]


async def test_a_trade_that_was_saved_before_its_step_stays_one(
    database, test_id, make_step, make_trade, read_step
):
    await database.save_trade(test_id, make_trade(1))
    await database.commit_step(make_step(test_id, 1))
    with pytest.raises(RecordConflict, match="trade 1 of forward test 1 is stored with other"):
        await database.commit_step(make_step(test_id, 2, trades=(make_trade(1, pnl=9.0),)))

    assert await read_step(database, test_id) == 1


async def test_what_happens_to_a_snapshot_later_does_not_reach_the_step(
    database, test_id, make_step
):
    snapshot = {"version": 1, "n": 1, "strategy_state": {"seen": [1]}}
    commit = database.commit_step(make_step(test_id, 1, snapshot=snapshot))
    async with database.transaction():  # holds the commit back until the state has changed
        task = asyncio.create_task(commit)
        await asyncio.sleep(0)
        snapshot["strategy_state"]["seen"].append(2)
    await task

    assert (await database.get_strategy_state(test_id))["strategy_state"] == {"seen": [1]}


async def test_a_group_is_stored_together(database, test_id, other_id, make_step, read_step):
    await database.commit_step(make_step(other_id, 1))

    stored = await database.commit_steps(
        [make_step(test_id, 1), make_step(other_id, 1), make_step(test_id, 2)]
    )

    assert stored == [True, False, True]
    assert await read_step(database, test_id) == 2
    assert await read_step(database, other_id) == 1
    assert await database.commit_steps([]) == []


async def test_a_group_with_one_wrong_step_stores_none(
    database, test_id, other_id, make_step, read_step
):
    with pytest.raises(RecordConflict):
        await database.commit_steps([make_step(test_id, 1), make_step(other_id, 5)])

    assert await read_step(database, test_id) == 0
    assert await read_step(database, other_id) == 0


async def test_a_snapshot_that_json_can_not_hold_is_refused_whole(
    database, test_id, make_step, read_step
):
    with pytest.raises(UnstorableValue, match="the engine's snapshot can't be stored"):
        await database.commit_step(make_step(test_id, 1, snapshot={"n": np.zeros(1)}))

    assert await read_step(database, test_id) == 0


async def test_a_step_that_trades_is_synced_and_one_that_only_moves_time_on_is_not(
    database, test_id, make_step, make_position
):
    quiet = {"trades": (), "events": (), "alerts": ()}
    opened = make_step(test_id, 1, positions=(make_position(1),), **quiet)
    await database.commit_step(opened)
    assert await synchronous(database) == 2

    await database.commit_step(replace(opened, step=2, snapshot={"n": 2}))
    assert await synchronous(database) == 1

    for step, part in enumerate(("trades", "events", "alerts"), start=3):
        loud = {part: getattr(make_step(test_id, step), part)}
        await database.commit_step(replace(opened, step=step, **loud))
        assert await synchronous(database) == 2

    await database.commit_step(replace(opened, step=6, positions=()))
    assert await synchronous(database) == 2


async def test_a_loud_step_makes_its_group_synced(database, test_id, other_id, make_step):
    quiet = {"positions": (), "trades": (), "events": (), "alerts": ()}

    await database.commit_steps([make_step(test_id, 1, **quiet), make_step(other_id, 1, **quiet)])
    assert await synchronous(database) == 1
    await database.commit_steps([make_step(test_id, 2, **quiet), make_step(other_id, 2)])
    assert await synchronous(database) == 2


async def test_another_program_sees_a_step_whole_or_not_at_all(database, path, test_id, make_step):
    counts = (
        "SELECT (SELECT count(*) FROM trades), (SELECT count(*) FROM outbox), "
        "(SELECT step FROM portfolios)"
    )
    with closing(connect(path, mode="ro", timeout_ms=50)) as reader:
        for n in range(1, 11):
            await database.commit_step(make_step(test_id, n))
            assert tuple(reader.execute(counts).fetchone()) == (n, n, n)


def test_the_digest_of_a_stored_step_stays_what_earlier_programs_wrote():
    record = StepRecord(
        test_id=7,
        step=3,
        last_candle_time=180_000,
        balance=0.1 + 0.2,
        equity=2e3,
        snapshot={"b": 1 / 3, "a": None},
        equity_marks=(EquityMark(180_000, 2e3),),
    )

    assert step_rows(record).digest == "4fcd023b2bd7df244868e1f2758301cf"
