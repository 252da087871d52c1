"""The scheduler with jobs of the test's own; time is moved by hand, runs are waited for."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from bot.errors import BotError, InvalidInput
from bot.scheduler import Scheduler
from bot.services.scheduled.records import ScheduledJob
from data.errors import DatabaseFull

HOUR_MS = 3_600_000
NOON = int(datetime(2024, 3, 4, 12, 0, 30, tzinfo=UTC).timestamp() * 1000)


class Values:
    """Keeps values in memory, or fails to."""

    def __init__(self) -> None:
        self.kept: dict[str, object] = {}
        self.is_full = False

    async def get_setting(self, key, default=None):
        return self.kept.get(key, default)

    async def set_setting(self, key, value):
        if self.is_full:
            raise DatabaseFull("no space")
        self.kept[key] = value


class Said:
    """What people were told, or would have been."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.problems: list[bool] = []
        self.error: Exception | None = None

    async def __call__(self, text, *, is_problem):
        if self.error is not None:
            raise self.error
        self.texts.append(text)
        self.problems.append(is_problem)


@dataclass
class Work:
    """Work that counts its runs, waits at a gate, and fails as it is told."""

    runs: int = 0
    at_once: int = 0
    most_at_once: int = 0
    error: Exception | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def __call__(self) -> str:
        self.runs += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.begun.set()
        try:
            await self.gate.wait()
        finally:
            self.at_once -= 1
        if self.error is not None:
            raise self.error
        return f"run {self.runs}"


class Time:
    """The time of day, for the scheduler and for APScheduler below it."""

    def __init__(self) -> None:
        self.ms = NOON


@pytest.fixture(autouse=True)
def time(monkeypatch):
    """Make time stand still until a test moves it."""
    moment = Time()

    class Standing(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.fromtimestamp(moment.ms / 1000, tz)

    monkeypatch.setattr("apscheduler.schedulers.base.datetime", Standing)
    return moment


@pytest.fixture
def values():
    return Values()


@pytest.fixture
def said():
    return Said()


@pytest.fixture
def work():
    return Work()


@pytest.fixture
def make(values, said, work, time):
    """Make a scheduler of one or more jobs; each is a new process as far as it knows."""

    def build(*names, now=None, limit_s=60.0, cron="0 * * * *", works=None, redact=str):
        time.ms = time.ms if now is None else now
        jobs = [
            ScheduledJob(name, "does something", cron, (works or {}).get(name, work), limit_s)
            for name in names or ("tidy",)
        ]
        return Scheduler(jobs, values, said, now=lambda: time.ms, redact=redact)

    return build


def the_view(scheduler):
    [view] = scheduler.views()
    return view


async def test_a_job_runs_next_at_the_time_that_its_expression_names(make):
    async with make() as scheduler:
        view = the_view(scheduler)
    assert view.next_run == NOON // HOUR_MS * HOUR_MS + HOUR_MS
    assert (view.is_running, view.last.started_at, view.last.is_paused) == (False, None, False)


async def test_a_run_leaves_its_time_and_its_words(make, values):
    async with make() as scheduler:
        record = await scheduler.run_now("tidy")
        assert the_view(scheduler).last == record
    assert (record.text, record.started_at, record.failures) == ("run 1", NOON, 0)
    async with make() as later:
        assert the_view(later).last == record


async def test_the_clock_runs_a_job_when_its_time_comes(make, work, time):
    async with make() as scheduler:
        scheduler._clockwork.wakeup()
        assert work.runs == 0
        time.ms += HOUR_MS
        scheduler._clockwork.wakeup()
        await asyncio.wait_for(work.begun.wait(), 10)
    assert work.runs == 1


async def test_who_asks_for_a_job_gets_what_is_meant_for_them(values, said, work, time):
    asked = Work()
    job = ScheduledJob("tidy", "does something", "0 * * * *", work, when_asked=asked)
    async with Scheduler([job], values, said, now=lambda: time.ms) as scheduler:
        await scheduler.run_now("tidy")
        assert (asked.runs, work.runs) == (1, 0)
        await asyncio.create_task(scheduler._fire(scheduler._jobs["tidy"]))
    assert (asked.runs, work.runs) == (1, 1)


async def test_many_missed_times_are_made_up_for_by_one_run(make, work, time):
    work.gate.clear()
    async with make(cron="* * * * *") as scheduler:
        time.ms += 24 * HOUR_MS
        scheduler._clockwork.wakeup()
        await asyncio.wait_for(work.begun.wait(), 10)
        assert the_view(scheduler).next_run == NOON + 24 * HOUR_MS + 30_000
        scheduler._clockwork.wakeup()
        work.gate.set()
        await scheduler._running["tidy"]
    assert work.runs == 1


async def test_a_time_that_passed_between_two_processes_is_made_up_for(make):
    async with make() as scheduler:
        await scheduler.run_now("tidy")
    async with make(now=NOON + 5 * HOUR_MS) as later:
        assert the_view(later).next_run == NOON + 5 * HOUR_MS + 60_000


async def test_a_restart_within_the_hour_makes_up_for_nothing(make):
    async with make() as scheduler:
        await scheduler.run_now("tidy")
    async with make(now=NOON + 60_000) as later:
        assert the_view(later).next_run == NOON // HOUR_MS * HOUR_MS + HOUR_MS


async def test_a_job_that_runs_is_not_begun_again(make, work):
    work.gate.clear()
    async with make() as scheduler:
        running = scheduler.run_now("tidy")
        await work.begun.wait()
        assert the_view(scheduler).is_running
        with pytest.raises(InvalidInput, match="tidy runs already"):
            scheduler.run_now("tidy")
        job = scheduler._jobs["tidy"]
        by_the_clock = asyncio.create_task(scheduler._fire(job))
        work.gate.set()
        await asyncio.gather(running, by_the_clock)
        assert not the_view(scheduler).is_running
    assert work.runs == 1


async def test_two_jobs_never_overlap(make, work):
    async with make("one", "two", "three") as scheduler:
        await asyncio.gather(*(scheduler.run_now(name) for name in ("one", "two", "three")))
    assert (work.runs, work.most_at_once) == (3, 1)


async def test_a_failure_is_told_once_until_it_works_again(make, work, said):
    async with make() as scheduler:
        work.error = BotError("the exchange is gone")
        for expected in (1, 2, 3):
            record = await scheduler.run_now("tidy")
            assert (record.failures, record.text) == (expected, "the exchange is gone")
        assert len(said.texts) == 1
        assert "“tidy” failed." in said.texts[0]
        assert said.texts[0].endswith("What went wrong: the exchange is gone")
        work.error = None
        assert (await scheduler.run_now("tidy")).failures == 0
        assert "works again, after it failed 3 times" in said.texts[1]
        await scheduler.run_now("tidy")
        work.error = BotError("gone anew")
        await scheduler.run_now("tidy")
    assert len(said.texts) == 3
    assert said.problems == [True, False, True]


async def test_a_failure_is_not_told_anew_by_the_next_process(make, work, said):
    work.error = BotError("the exchange is gone")
    for _ in range(2):
        async with make() as scheduler:
            await scheduler.run_now("tidy")
    assert len(said.texts) == 1


async def test_a_failing_job_leaves_the_others_their_work(make, work):
    broken = Work(error=ValueError("by surprise"))
    async with make("broken", "tidy", works={"broken": broken}) as scheduler:
        await scheduler.run_now("broken")
        assert (await scheduler.run_now("tidy")).text == "run 1"
        assert all(view.next_run for view in scheduler.views())


async def test_what_nobody_expected_is_in_the_log_and_not_in_the_channel(make, work, said, caplog):
    work.error = ValueError("a canary")
    async with make() as scheduler:
        await scheduler.run_now("tidy")
    assert "unexpected ValueError" in said.texts[0]
    assert "canary" not in said.texts[0]
    assert any(record.exc_info and "tidy" in record.getMessage() for record in caplog.records)


async def test_a_failure_that_could_not_be_told_is_told_the_next_time(make, work, said):
    work.error, said.error = BotError("full"), ConnectionError("no Discord")
    async with make() as scheduler:
        assert not (await scheduler.run_now("tidy")).is_told
        said.error = None
        assert (await scheduler.run_now("tidy")).is_told
    assert len(said.texts) == 1


async def test_secrets_are_blotted_out_of_what_a_job_says(make, work, said):
    work.error = BotError("signed with canary")
    async with make(redact=lambda text: text.replace("canary", "[secret]")) as scheduler:
        assert (await scheduler.run_now("tidy")).text == "signed with [secret]"
    assert "canary" not in said.texts[0]


async def test_a_run_without_an_end_is_given_up(make, work):
    work.gate.clear()
    async with make(limit_s=0.01) as scheduler:
        record = await scheduler.run_now("tidy")
    assert record.failures == 1
    assert "given up" in record.text


async def test_a_paused_job_rests_also_in_the_next_process_until_it_is_resumed(make):
    async with make() as scheduler:
        assert (await scheduler.pause("tidy")).next_run is None
    async with make(now=NOON + 5 * HOUR_MS) as later:
        assert the_view(later).next_run is None
        assert (await later.run_now("tidy")).text == "run 1"
        assert the_view(later).last.is_paused
        view = await later.resume("tidy")
        assert view.next_run is not None
        assert not view.last.is_paused


async def test_a_job_that_is_paused_while_it_runs_stays_paused(make, work):
    work.gate.clear()
    async with make() as scheduler:
        running = scheduler.run_now("tidy")
        await work.begun.wait()
        await scheduler.pause("tidy")
        work.gate.set()
        assert (await running).is_paused
        assert the_view(scheduler).next_run is None


async def test_a_run_that_the_end_of_the_process_cut_off_is_made_up_for(make, work, values):
    async with make() as scheduler:
        await scheduler.run_now("tidy")
        work.gate.clear()
        work.begun.clear()
        cut = scheduler.run_now("tidy")
        await work.begun.wait()
    assert cut.cancelled()
    assert values.kept["schedule:tidy"]["text"] == "run 1"
    assert work.at_once == 0
    async with make(now=NOON + HOUR_MS) as later:
        assert the_view(later).next_run == NOON + HOUR_MS + 60_000


async def test_a_job_that_kills_the_process_is_not_begun_again_at_each_start(make, work, values):
    work.gate.clear()
    scheduler = make(now=NOON + HOUR_MS)
    await scheduler.start()
    scheduler.run_now("tidy")
    await work.begun.wait()
    as_stored = dict(values.kept)
    await scheduler.stop()
    values.kept = as_stored
    async with make(now=NOON + HOUR_MS + 60_000) as later:
        assert the_view(later).next_run == (NOON + HOUR_MS) // HOUR_MS * HOUR_MS + HOUR_MS


async def test_a_full_disk_does_not_stop_the_work(make, values, work, caplog):
    async with make() as scheduler:
        values.is_full = True
        assert (await scheduler.run_now("tidy")).text == "run 1"
        assert the_view(scheduler).last.text == "run 1"
    assert any("can't be stored" in record.getMessage() for record in caplog.records)


async def test_a_job_that_is_not_there_is_refused_with_the_nearest(make):
    async with make("backup", "clean-up") as scheduler:
        with pytest.raises(InvalidInput, match="did you mean 'backup'"):
            scheduler.run_now("bakup")
        with pytest.raises(InvalidInput, match="there are backup, clean-up"):
            await scheduler.pause("xyz")


async def test_the_schedule_is_looked_at_each_minute_for_a_machine_that_slept(
    make, work, time, monkeypatch
):
    monkeypatch.setattr("bot.scheduler._LOOK_S", 0.0)
    async with make():
        # No timer of APScheduler is due: only a look finds what was missed.
        time.ms += 8 * HOUR_MS
        await asyncio.wait_for(work.begun.wait(), 10)
    assert work.runs == 1


async def test_an_orderly_end_leaves_no_traceback_in_the_log(make, work, time, caplog):
    work.gate.clear()
    async with make() as scheduler:
        time.ms += HOUR_MS
        scheduler._clockwork.wakeup()
        await asyncio.wait_for(work.begun.wait(), 10)
    assert [record for record in caplog.records if record.exc_info] == []
