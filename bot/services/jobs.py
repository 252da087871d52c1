"""Jobs: work that users started and wait for; queued, watched, cancelled, remembered.

No Discord here: whoever wants to show a job watches it.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol, Self

from bot.errors import InvalidInput, JobCancelled
from bot.services.requests import JobKind, JobProgress, JobState

log = logging.getLogger(__name__)

OnProgress = Callable[[JobProgress], None]
Work = Callable[[OnProgress], Awaitable[Any]]

_KEPT_JOBS: Final = 50


@dataclass(frozen=True, slots=True)
class JobOwner:
    """Who started a job and where its end is told."""

    user_id: int
    user_name: str
    channel_id: int


@dataclass(frozen=True, slots=True)
class JobView:
    """A job at one moment; `position` counts the jobs ahead of it in the queue, plus one."""

    id: str
    kind: JobKind
    title: str
    owner: JobOwner
    state: JobState
    created_at: float
    progress: JobProgress
    request: Mapping[str, Any] = field(default_factory=dict)
    position: int = 0
    result: Any = None
    error: Exception | None = None
    ended_at: float | None = None


class JobLog(Protocol):
    """Remembers jobs across restarts."""

    async def job_created(self, view: JobView) -> None:
        """Remember a new job."""

    async def job_started(self, view: JobView) -> None:
        """Remember that a job's turn has come."""

    async def job_ended(self, view: JobView) -> None:
        """Remember how a job ended; never called for one that the end of the process interrupts."""


class Job:
    """One piece of work; `watch()` gives its newest view whenever it changes."""

    def __init__(self, view: JobView) -> None:
        self.view = view
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stage_started = time.monotonic()

    async def watch(self) -> AsyncIterator[JobView]:
        """Give the view now and after each change, the last one being final; skips none that is."""
        while True:
            self._changed.clear()
            view = self.view
            yield view
            if view.state.is_final:
                return
            if self.view is view:
                await self._changed.wait()

    async def finished(self) -> JobView:
        """Wait for the end; return the final view."""
        async for view in self.watch():
            last = view
        return last

    def update(self, **changes: Any) -> None:
        """Change the view and wake those who watch."""
        self.view = replace(self.view, **changes)
        self._changed.set()

    def report(self, progress: JobProgress) -> None:
        """Take progress; the remaining time follows from the stage's rate so far."""
        if progress.stage != self.view.progress.stage:
            self._stage_started = time.monotonic()
        elapsed, share = time.monotonic() - self._stage_started, progress.fraction
        remaining = elapsed * (1 - share) / share if share > 0 else None
        self.update(progress=replace(progress, remaining_s=remaining))


class JobService:
    """Runs jobs in the order they came, at most so many of a kind at a time.

    `sizes` says how many; a kind that isn't named runs one at a time. At the end of the process
    what still runs is interrupted, and stays unfinished in the log: the next process tells of it.
    """

    def __init__(self, sizes: Mapping[JobKind, int], job_log: JobLog) -> None:
        self._log = job_log
        self._slots = {kind: asyncio.Semaphore(sizes.get(kind, 1)) for kind in JobKind}
        self._jobs: dict[str, Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closing = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._is_closing = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def submit(
        self,
        kind: JobKind,
        title: str,
        owner: JobOwner,
        work: Work,
        *,
        request: Mapping[str, Any] | None = None,
    ) -> Job:
        """Queue work and return its job at once; `request` is what the log keeps of it."""
        if self._is_closing:
            raise JobCancelled("I am being restarted: ask again in a minute")
        view = JobView(
            id=secrets.token_hex(4),
            kind=kind,
            title=title,
            owner=owner,
            state=JobState.QUEUED,
            created_at=time.time(),
            progress=JobProgress("waiting", 0, 0),
            request=request or {},
        )
        job = Job(view)
        self._jobs[view.id] = job
        self._renew_positions()
        await self._log.job_created(job.view)
        job._task = asyncio.create_task(self._run(job, work), name=f"job {view.id}")
        self._tasks.add(job._task)
        job._task.add_done_callback(self._tasks.discard)
        # A task that is cancelled before its first step never notes that it ended.
        await asyncio.sleep(0)
        return job

    def get(self, job_id: str) -> Job:
        """Return a job that is remembered.

        Raises:
            InvalidInput: there is none of that id.
        """
        try:
            return self._jobs[job_id]
        except KeyError:
            raise InvalidInput(f"there is no job {job_id}: it ended long ago") from None

    def cancel(self, job_id: str) -> Job:
        """Cancel a job; a running one loses its worker process.

        Raises:
            InvalidInput: there is no such job, or it has ended.
        """
        job = self.get(job_id)
        if job.view.state.is_final or job._task is None:
            raise InvalidInput(f"job {job_id} has already ended: {job.view.state}")
        job._task.cancel()
        return job

    def recent(self) -> list[JobView]:
        """Return the jobs of this process, newest first."""
        return [job.view for job in reversed(self._jobs.values())]

    async def _run(self, job: Job, work: Work) -> None:
        try:
            async with self._slots[job.view.kind]:
                job.update(state=JobState.RUNNING, position=0)
                self._renew_positions()
                await self._remember(self._log.job_started, job.view)
                result = await work(job.report)
            changes: dict[str, Any] = {"state": JobState.DONE, "result": result}
        except asyncio.CancelledError:
            changes = self._stopped()
        except Exception as error:
            changes = {"state": JobState.FAILED, "error": error}
            log.warning("job %s failed", job.view.id, exc_info=error)
        ended = replace(job.view, **changes, ended_at=time.time())
        if ended.state is not JobState.INTERRUPTED:
            await self._remember(self._log.job_ended, ended)
        log.info("job ended", extra={"job": ended.id, "kind": ended.kind, "state": ended.state})
        job.update(**changes, ended_at=ended.ended_at)
        self._renew_positions()
        self._forget_old()

    def _stopped(self) -> dict[str, Any]:
        state = JobState.INTERRUPTED if self._is_closing else JobState.CANCELLED
        return {"state": state, "error": JobCancelled(f"the job was {state}")}

    async def _remember(self, step: Callable[[JobView], Awaitable[None]], view: JobView) -> None:
        try:
            await step(view)
        except Exception:
            log.exception("job %s is %s, but that could not be stored", view.id, view.state)

    def _renew_positions(self) -> None:
        for kind in JobKind:
            views = (job for job in self._jobs.values() if job.view.kind is kind)
            queued = [job for job in views if job.view.state is JobState.QUEUED]
            for position, job in enumerate(queued, start=1):
                if job.view.position != position:
                    job.update(position=position)

    def _forget_old(self) -> None:
        ended = [key for key, job in self._jobs.items() if job.view.state.is_final]
        for key in ended[:-_KEPT_JOBS]:
            del self._jobs[key]
