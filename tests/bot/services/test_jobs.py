"""Jobs: their order, what watchers see, cancelling, failing, the end of the process."""

import asyncio

import pytest

from bot.errors import InvalidInput, JobCancelled
from bot.services.jobs import JobOwner, JobService
from bot.services.requests import JobKind, JobProgress, JobState

OWNER = JobOwner(1, "ann", 2)


class Diary:
    """A job log that remembers in memory, or fails."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, str]] = []
        self.error: Exception | None = None

    async def job_created(self, view) -> None:
        self.entries.append(("created", view.state))

    async def job_started(self, view) -> None:
        self._fail()
        self.entries.append(("started", view.state))

    async def job_ended(self, view) -> None:
        self._fail()
        self.entries.append(("ended", view.state))

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error


class Work:
    """Work that a test ends; `begun` tells that its turn has come."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.result: asyncio.Future = asyncio.get_running_loop().create_future()
        self.report = None

    async def __call__(self, on_progress):
        self.report = on_progress
        self.begun.set()
        return await self.result


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest.fixture
async def jobs(diary):
    async with JobService({JobKind.BACKTEST: 1, JobKind.FETCH: 1}, diary) as service:
        yield service


async def submit(jobs, kind=JobKind.BACKTEST):
    work = Work()
    return await jobs.submit(kind, "a title", OWNER, work), work


async def test_a_job_is_noted_from_queued_to_done(jobs, diary):
    job, work = await submit(jobs)
    await work.begun.wait()
    assert job.view.state is JobState.RUNNING
    work.result.set_result(42)

    view = await job.finished()

    assert (view.state, view.result) == (JobState.DONE, 42)
    assert view.ended_at >= view.created_at
    assert diary.entries == [("created", "queued"), ("started", "running"), ("ended", "done")]


async def test_jobs_wait_their_turn_and_know_their_place(jobs):
    first, working = await submit(jobs)
    await working.begun.wait()
    second, _ = await submit(jobs)
    third, last = await submit(jobs)

    assert [second.view.position, third.view.position] == [1, 2]
    jobs.cancel(second.view.id)
    await second.finished()
    assert third.view.position == 1
    working.result.set_result(None)
    await last.begun.wait()
    assert third.view.position == 0
    assert (await first.finished()).state is JobState.DONE


async def test_a_fetch_does_not_wait_for_backtests(jobs):
    _, working = await submit(jobs)
    await working.begun.wait()
    _, fetching = await submit(jobs, JobKind.FETCH)

    await asyncio.wait_for(fetching.begun.wait(), 5)


async def test_watchers_see_each_state_and_always_the_last(jobs):
    job, work = await submit(jobs)

    async def watch():
        return [view.state async for view in job.watch()]

    watchers = [asyncio.create_task(watch()) for _ in range(3)]
    await work.begun.wait()
    for done in range(50):
        work.report(JobProgress("running", done, 50))
    work.result.set_result(None)

    for states in await asyncio.gather(*watchers):
        assert states[-1] is JobState.DONE
        assert states.count(JobState.DONE) == 1
        assert len(states) < 50


async def test_the_remaining_time_follows_from_the_rate(jobs, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("bot.services.jobs.time.monotonic", lambda: now[0])
    job, work = await submit(jobs)
    await work.begun.wait()
    work.report(JobProgress("running", 0, 100))
    assert job.view.progress.remaining_s is None
    now[0] += 10
    work.report(JobProgress("running", 25, 100))
    assert job.view.progress.remaining_s == pytest.approx(30)
    work.report(JobProgress("drawing", 0, 2))
    now[0] += 1
    work.report(JobProgress("drawing", 1, 2))
    assert job.view.progress.remaining_s == pytest.approx(1)


async def test_what_work_raises_is_its_job_s_error(jobs, diary):
    job, work = await submit(jobs)
    work.result.set_exception(InvalidInput("wrong"))

    view = await job.finished()

    assert view.state is JobState.FAILED
    assert str(view.error) == "wrong"
    assert diary.entries[-1] == ("ended", "failed")


async def test_cancelling_frees_the_slot(jobs, diary):
    job, work = await submit(jobs)
    await work.begun.wait()
    jobs.cancel(job.view.id)

    view = await job.finished()
    _, other = await submit(jobs)
    await other.begun.wait()

    assert view.state is JobState.CANCELLED
    assert isinstance(view.error, JobCancelled)
    assert ("ended", "cancelled") in diary.entries


async def test_only_a_job_that_is_there_and_runs_can_be_cancelled(jobs):
    job, work = await submit(jobs)
    work.result.set_result(None)
    await job.finished()

    with pytest.raises(InvalidInput, match="already ended: done"):
        jobs.cancel(job.view.id)
    with pytest.raises(InvalidInput, match="no job ffffffff"):
        jobs.cancel("ffffffff")


async def test_the_end_of_the_process_interrupts_and_leaves_the_log_unfinished(diary):
    async with JobService({}, diary) as jobs:
        running, work = await submit(jobs)
        queued, _ = await submit(jobs)
        await work.begun.wait()

    assert running.view.state is JobState.INTERRUPTED
    assert queued.view.state is JobState.INTERRUPTED
    assert "ended" not in [step for step, _ in diary.entries]
    with pytest.raises(JobCancelled, match="restarted"):
        await submit(jobs)


async def test_a_log_that_fails_stops_no_job(jobs, diary, caplog):
    diary.error = OSError("disk full")
    job, work = await submit(jobs)
    work.result.set_result(1)

    assert (await job.finished()).state is JobState.DONE
    assert "could not be stored" in caplog.text


async def test_old_jobs_are_forgotten_and_the_newest_come_first(jobs):
    for _ in range(55):
        job, work = await submit(jobs)
        work.result.set_result(None)
        await job.finished()

    recent = jobs.recent()
    assert len(recent) == 50
    assert recent[0].id == job.view.id
