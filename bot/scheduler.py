"""The scheduler: runs jobs by the clock, one at a time, and remembers how they went.

What the jobs do is in bot.services.scheduled. A job that fails is told of once, until it works
again; it never stops the scheduler or another job.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from textwrap import shorten
from typing import Final, Protocol, Self

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bot.charts.errors import ChartError
from bot.errors import BotError, InvalidInput
from bot.services.scheduled.cron import parse_cron
from bot.services.scheduled.records import JobView, KeyValues, RunRecord, ScheduledJob
from bot.times import now_ms
from data.errors import DataError
from engine.errors import EngineError

log = logging.getLogger(__name__)

_EXPECTED: Final = (BotError, DataError, EngineError, ChartError)
_TOLD: Final = 300
_CATCH_UP_MS: Final = 60_000
_LOOK_S: Final = 60.0


class Alert(Protocol):
    """Tells people something."""

    def __call__(self, text: str, *, is_problem: bool) -> Awaitable[None]:
        """Tell a plain text; raises where that fails."""


class Scheduler:
    """Runs jobs by the clock; use it with `async with`.

    Runs that were missed, asleep or between two processes, are made up for by one. No two runs
    overlap. `now` gives ms UTC; `redact` blots secrets out of what is kept and told.
    """

    def __init__(
        self,
        jobs: Sequence[ScheduledJob],
        values: KeyValues,
        alert: Alert,
        *,
        now: Callable[[], int] = now_ms,
        redact: Callable[[str], str] = str,
    ) -> None:
        self._jobs = {job.name: job for job in jobs}
        self._values = values
        self._alert = alert
        self._now = now
        self._redact = redact
        self._records: dict[str, RunRecord] = {}
        self._running: dict[str, asyncio.Task[RunRecord]] = {}
        self._waiting: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()
        self._clockwork = AsyncIOScheduler(
            timezone=UTC,
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._looking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Read how the last runs went and begin; what was missed meanwhile runs in a minute."""
        for job in self._jobs.values():
            stored = await self._values.get_setting(_key(job.name), {})
            known = {name: stored[name] for name in stored if name in RunRecord.__slots__}
            self._records[job.name] = RunRecord(**known)
            self._plan(job)
        self._clockwork.start()
        self._looking = asyncio.create_task(self._look(), name="scheduler")

    async def stop(self) -> None:
        """End the scheduler; what runs is cancelled and counts as not run."""
        if not self._clockwork.running:
            return
        self._clockwork.pause()
        tasks = [*self._running.values(), *([self._looking] if self._looking else [])]
        for task in tasks:
            task.cancel()
        # Cancelled by a shutdown, those that wait for a run would be logged as failures.
        await asyncio.gather(*tasks, *self._waiting, return_exceptions=True)
        self._clockwork.shutdown(wait=False)

    def views(self) -> tuple[JobView, ...]:
        """Return how each job stands, in the order they were given."""
        return tuple(self._view(job) for job in self._jobs.values())

    def run_now(self, name: str) -> "asyncio.Task[RunRecord]":
        """Let a job run at once, paused or not; it waits for its turn.

        The task's result tells how the run went; cancelling it cancels the run.

        Raises:
            InvalidInput: there is no such job, or it runs already.
        """
        job = self._find(name)
        if job.name in self._running:
            raise InvalidInput(f"{job.name} runs already")
        return self._launch(replace(job, work=job.when_asked or job.work))

    async def pause(self, name: str) -> JobView:
        """Run a job no more until it is resumed, also after a restart.

        Raises:
            InvalidInput: there is no such job.
        """
        job = self._find(name)
        await self._note(job, replace(self._records[job.name], is_paused=True))
        self._clockwork.pause_job(job.name)
        return self._view(job)

    async def resume(self, name: str) -> JobView:
        """Let a paused job run by the clock again.

        Raises:
            InvalidInput: there is no such job.
        """
        job = self._find(name)
        await self._note(job, replace(self._records[job.name], is_paused=False))
        self._clockwork.resume_job(job.name)
        return self._view(job)

    def _find(self, name: str) -> ScheduledJob:
        wanted = name.strip().lower()
        if wanted in self._jobs:
            return self._jobs[wanted]
        near = get_close_matches(wanted, self._jobs, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(self._jobs)}"
        raise InvalidInput(f"there is no scheduled job {name!r}: {hint}")

    def _view(self, job: ScheduledJob) -> JobView:
        planned = self._clockwork.get_job(job.name)
        next_run = getattr(planned, "next_run_time", None)
        return JobView(
            name=job.name,
            description=job.description,
            cron=job.cron,
            last=self._records[job.name],
            next_run=None if next_run is None else _to_ms(next_run),
            is_running=job.name in self._running,
        )

    def _plan(self, job: ScheduledJob) -> None:
        record, trigger = self._records[job.name], parse_cron(job.cron)
        now = self._now()
        next_run = trigger.get_next_fire_time(None, _from_ms(now))
        if record.is_paused:
            next_run = None
        elif record.started_at is not None:
            # A run is due from just after the last one on.
            due = trigger.get_next_fire_time(None, _from_ms(record.started_at + 1))
            if due is not None and _to_ms(due) <= now:
                log.info("%s missed a run: made up for in a minute", job.name)
                next_run = _from_ms(now + _CATCH_UP_MS)
        self._clockwork.add_job(
            self._fire, trigger, args=[job], id=job.name, name=job.name, next_run_time=next_run
        )

    async def _look(self) -> None:
        # A machine that slept wakes with its timers late: looked at each minute, a missed run
        # begins soon after.
        while True:
            await asyncio.sleep(_LOOK_S)
            self._clockwork.wakeup()

    async def _fire(self, job: ScheduledJob) -> None:
        running = self._running.get(job.name) or self._launch(job)
        waiting = asyncio.current_task()
        assert waiting is not None
        self._waiting.add(waiting)
        waiting.add_done_callback(self._waiting.discard)
        await asyncio.wait({running})

    def _launch(self, job: ScheduledJob) -> "asyncio.Task[RunRecord]":
        task = asyncio.create_task(self._run(job), name=f"scheduled: {job.name}")
        self._running[job.name] = task
        task.add_done_callback(lambda _: self._running.pop(job.name, None))
        return task

    async def _run(self, job: ScheduledJob) -> RunRecord:
        async with self._turn:
            before, clock = self._records[job.name], time.monotonic()
            # Kept before it runs: a job that kills the process is not begun at each start anew.
            await self._note(job, replace(before, started_at=self._now()))
            try:
                text, error = await self._outcome(job)
            except asyncio.CancelledError:
                record = replace(self._records[job.name], started_at=before.started_at)
                await self._note(job, record)
                raise
            return await self._settle(job, text, error, time.monotonic() - clock)

    async def _outcome(self, job: ScheduledJob) -> tuple[str, Exception | None]:
        try:
            async with asyncio.timeout(job.limit_s):
                return await job.work(), None
        except TimeoutError as error:
            return f"not done within {job.limit_s / 60:g} minutes, given up", error
        except _EXPECTED as error:
            return str(error), error
        except Exception as error:  # noqa: BLE001 - the border of all scheduled work
            return f"unexpected {type(error).__name__}: the log says more", error

    async def _settle(
        self, job: ScheduledJob, text: str, error: Exception | None, took_s: float
    ) -> RunRecord:
        text = self._redact(text)
        before = self._records[job.name]
        if error is None:
            log.info("%s: %s", job.name, text, extra={"seconds": round(took_s, 1)})
            failures, is_told = 0, await self._tell_recovery(job, before)
        else:
            known = isinstance(error, (*_EXPECTED, TimeoutError))
            log.error("%s failed: %s", job.name, text, exc_info=None if known else error)
            failures = before.failures + 1
            is_told = before.is_told or await self._tell_failure(job, text)
        # It may have been paused meanwhile.
        record = replace(
            self._records[job.name], took_s=took_s, text=text, failures=failures, is_told=is_told
        )
        await self._note(job, record)
        return record

    async def _tell_failure(self, job: ScheduledJob, text: str) -> bool:
        said = (
            f"The scheduled job “{job.name}” failed. It is tried again at its time, and you are"
            f" told when it works. What went wrong: {shorten(text, _TOLD, placeholder='…')}"
        )
        return await self._tell(said, is_problem=True)

    async def _tell_recovery(self, job: ScheduledJob, before: RunRecord) -> bool:
        if before.is_told:
            times = "once" if before.failures == 1 else f"{before.failures} times"
            text = f"The scheduled job “{job.name}” works again, after it failed {times}."
            await self._tell(text, is_problem=False)
        return False

    async def _tell(self, text: str, *, is_problem: bool) -> bool:
        try:
            await self._alert(text, is_problem=is_problem)
        except Exception:
            log.exception("nobody could be told: %s", text)
            return False
        return True

    async def _note(self, job: ScheduledJob, record: RunRecord) -> None:
        self._records[job.name] = record
        try:
            await self._values.set_setting(_key(job.name), asdict(record))
        except DataError as error:
            log.error("how %s went can't be stored: %s", job.name, error)


def _key(name: str) -> str:
    return f"schedule:{name}"


def _to_ms(time: datetime) -> int:
    return int(time.timestamp() * 1000)


def _from_ms(time: int) -> datetime:
    return datetime.fromtimestamp(time / 1000, UTC)
