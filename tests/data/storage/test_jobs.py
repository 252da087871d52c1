"""Jobs, from the queue to their end."""

from dataclasses import replace

import pytest

from data.database import Job, JobState, NewJob
from data.errors import RecordConflict, UnknownRecord


def new_job(job_id="j1", author_id=7, **changes):
    values = {"kind": "backtest", "request": {"symbol": "BTCUSDT"}, "channel_id": 8}
    return NewJob(id=job_id, author_id=author_id, **(values | changes))


async def test_a_job_runs_and_ends(database, clock):
    added = await database.add_job(new_job())
    assert added == Job(
        id="j1",
        kind="backtest",
        author_id=7,
        channel_id=8,
        message_id=None,
        request={"symbol": "BTCUSDT"},
        state=JobState.QUEUED,
        created_at=clock.now,
        finished_at=None,
        error=None,
        result=None,
    )

    await database.set_job_message("j1", 9)
    assert await database.start_job("j1")
    running = await database.get_job("j1")
    clock.now += 5
    assert await database.finish_job("j1", JobState.DONE, result={"return": 1.5})

    assert running == replace(added, state=JobState.RUNNING, message_id=9)
    assert await database.get_job("j1") == replace(
        running, state=JobState.DONE, finished_at=clock.now, result={"return": 1.5}
    )


async def test_a_job_that_is_over_stays_so(database):
    await database.add_job(new_job())
    assert await database.finish_job("j1", JobState.CANCELLED, error="cancelled by its author")
    before = await database.get_job("j1")

    assert not await database.start_job("j1")
    assert not await database.finish_job("j1", JobState.DONE, result={})

    assert await database.get_job("j1") == before


async def test_a_job_does_not_end_unfinished(database):
    await database.add_job(new_job())

    with pytest.raises(ValueError, match="doesn't end as running"):
        await database.finish_job("j1", JobState.RUNNING)


async def test_ids_are_unique_and_unknown_ones_are_errors(database):
    await database.add_job(new_job())

    with pytest.raises(RecordConflict, match="job j1 already"):
        await database.add_job(new_job())
    assert await database.get_job("j2") is None
    for change in (
        database.start_job("j2"),
        database.finish_job("j2", JobState.DONE),
        database.set_job_message("j2", 1),
    ):
        with pytest.raises(UnknownRecord, match="there is no job j2"):
            await change


async def test_jobs_are_listed_newest_first_by_author_and_state(database, clock):
    for number, author in enumerate((7, 8, 7, None)):
        clock.now += number % 2  # two at one time each
        await database.add_job(new_job(f"j{number}", author))
    await database.start_job("j2")

    async def ids(*limit, **wanted):
        return [job.id for job in await database.list_jobs(*limit, **wanted)]

    assert await ids() == ["j3", "j2", "j1", "j0"]
    assert await ids(1) == ["j3"]
    assert await ids(author_id=7) == ["j2", "j0"]
    assert await ids(states=[JobState.RUNNING]) == ["j2"]
    assert await ids(author_id=8, states=[JobState.RUNNING]) == []


async def test_what_an_earlier_process_left_is_interrupted_and_told_once(database, clock):
    for number in range(4):
        await database.add_job(new_job(f"j{number}"))
        clock.now += 1
    await database.start_job("j0")
    await database.start_job("j1")
    await database.finish_job("j1", JobState.FAILED, error="no candles")
    await database.close()
    await database.initialize()

    interrupted = await database.interrupt_unfinished_jobs()

    assert [job.id for job in interrupted] == ["j0", "j2", "j3"]
    assert {job.state for job in interrupted} == {JobState.INTERRUPTED}
    assert {job.finished_at for job in interrupted} == {clock.now}
    assert (await database.get_job("j1")).state is JobState.FAILED
    assert await database.interrupt_unfinished_jobs() == []
