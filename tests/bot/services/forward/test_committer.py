import asyncio
from dataclasses import replace

import pytest

from bot.services.forward.committer import StepCommitter
from bot.services.forward.turns import Turns
from data.database import Database
from data.errors import RecordConflict, UnstorableValue
from data.storage.records import NewForwardTest, StepRecord


class Counting(Database):
    """Counts commits, and waits before each for the gate."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.batches, self.gate = [], asyncio.Event()
        self.gate.set()

    async def commit_steps(self, records):
        await self.gate.wait()
        self.batches.append(len(records))
        return await super().commit_steps(records)


@pytest.fixture
async def database(tmp_path):
    async with Counting.open(tmp_path / "jesse.db") as opened:
        for number in range(5):
            await opened.create_forward_test(new_test(number))
        yield opened


def new_test(number):
    return NewForwardTest(
        name=f"t{number}",
        strategy="s",
        params={},
        symbol="X/USDT",
        exchange="simulated",
        config={},
    )


def step(test_id, number=1):
    return StepRecord(
        test_id=test_id, step=number, last_candle_time=number, balance=1.0, equity=1.0, snapshot={}
    )


async def test_steps_that_come_at_once_are_stored_together(database):
    committer = StepCommitter(database)
    answers = await asyncio.gather(*(committer.commit_step(step(n)) for n in range(1, 6)))
    assert answers == [True] * 5
    assert database.batches == [5]
    assert await committer.commit_step(step(1, 2))
    assert not await committer.commit_step(step(1, 2))


async def test_a_step_that_is_wrong_stops_no_other(database):
    committer = StepCommitter(database)
    works = [committer.commit_step(step(1)), committer.commit_step(step(2, 7))]
    works.append(committer.commit_step(step(3)))
    first, wrong, third = await asyncio.gather(*works, return_exceptions=True)
    assert (first, third) == (True, True)
    assert isinstance(wrong, RecordConflict)
    assert (await database.get_portfolio(3)).step == 1


async def test_whoever_is_cancelled_sees_the_step_stored_first(database):
    committer = StepCommitter(database)
    database.gate.clear()
    work = asyncio.ensure_future(committer.commit_step(step(1)))
    await asyncio.sleep(0)
    work.cancel()
    await asyncio.sleep(0)
    assert not work.done()
    database.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert (await database.get_portfolio(1)).step == 1


async def test_a_database_that_is_closed_is_told_to_all(database):
    committer = StepCommitter(database)
    await database.close()
    answers = await asyncio.gather(
        *(committer.commit_step(step(n)) for n in (1, 2)), return_exceptions=True
    )
    assert ["is not open" in str(answer) for answer in answers] == [True, True]


async def test_two_hundred_steps_that_come_while_one_is_stored_take_two_more_commits(database):
    for number in range(5, 200):
        await database.create_forward_test(new_test(number))
    committer = StepCommitter(database)
    database.gate.clear()
    first = asyncio.ensure_future(committer.commit_step(step(1)))
    await asyncio.sleep(0)
    others = [asyncio.ensure_future(committer.commit_step(step(n))) for n in range(2, 201)]
    await asyncio.sleep(0)
    database.gate.set()
    assert await asyncio.gather(first, *others) == [True] * 200
    assert sum(database.batches) == 200
    assert len(database.batches) <= 3
    assert (await database.get_portfolio(200)).step == 1


async def test_a_step_that_has_no_text_is_refused_alone(database):
    committer = StepCommitter(database)
    wrong = replace(step(1), snapshot={"state": object()})
    works = [committer.commit_step(each) for each in (wrong, step(2))]
    refused, stored = await asyncio.gather(*works, return_exceptions=True)
    assert isinstance(refused, UnstorableValue)
    assert stored is True
    assert database.batches == [1]
    assert await committer.commit_step(step(1))


async def test_a_step_is_stored_as_it_was_when_it_came(database):
    committer = StepCommitter(database)
    database.gate.clear()
    snapshot = {"calls": 1}
    work = asyncio.ensure_future(committer.commit_step(replace(step(1), snapshot=snapshot)))
    await asyncio.sleep(0)
    snapshot["calls"] = 2
    database.gate.set()
    assert await work
    assert await database.get_strategy_state(1) == {"calls": 1}


async def test_steps_are_gathered_while_tests_wait_to_decide(database):
    turns = Turns(at_once=1)
    committer = StepCommitter(database, turns)

    async def decide(test_id):
        await turns.take()
        return await committer.commit_step(step(test_id))

    assert await asyncio.gather(*map(decide, range(1, 6))) == [True] * 5
    # The last to decide waits for nobody: its step may come a moment too late.
    assert database.batches in ([5], [4, 1])
