"""Jobs: work that users started and wait for; queued, watched, cancelled, remembered.

No Discord here: whoever wants to show a job watches it.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
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
    position: int = 0
    result: Any = None
    error: Exception | None = None


class JobLog(Protocol):
    """Remembers jobs across restarts."""

    async def job_created(self, view: JobView) -> None:
        """Remember a new job."""

    async def job_ended(self, view: JobView) -> None:
        """Remember how a job ended."""


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
    """Runs jobs, at most `size` at a time, in the order they came."""

    def __init__(self, size: int, job_log: JobLog) -> None:
        self._log = job_log
        self._slots = asyncio.Semaphore(size)
        self._jobs: dict[str, Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def submit(self, kind: JobKind, title: str, owner: JobOwner, work: Work) -> Job:
        """Queue work and return its job at once."""
        view = JobView(
            id=secrets.token_hex(4),
            kind=kind,
            title=title,
            owner=owner,
            state=JobState.QUEUED,
            created_at=time.time(),
            progress=JobProgress("waiting", 0, 0),
        )
        job = Job(view)
        self._jobs[view.id] = job
        self._renew_positions()
        await self._log.job_created(job.view)
        job._task = asyncio.create_task(self._run(job, work), name=f"job {view.id}")
        self._tasks.add(job._task)
        job._task.add_done_callback(self._tasks.discard)
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
            async with self._slots:
                job.update(state=JobState.RUNNING, position=0)
                self._renew_positions()
                result = await work(job.report)
            changes: dict[str, Any] = {"state": JobState.DONE, "result": result}
        except asyncio.CancelledError:
            error = JobCancelled("the job was cancelled")
            changes = {"state": JobState.CANCELLED, "error": error}
        except Exception as error:  # noqa: BLE001 - a background task's border: told to its author
            changes = {"state": JobState.FAILED, "error": error}
        ended = replace(job.view, **changes)
        await self._remember(ended)
        job.update(**changes)
        self._renew_positions()
        self._forget_old()

    async def _remember(self, view: JobView) -> None:
        log.info("job ended", extra={"job": view.id, "kind": view.kind, "state": view.state})
        try:
            await self._log.job_ended(view)
        except Exception:
            log.exception("job %s ended, but that could not be stored", view.id)

    def _renew_positions(self) -> None:
        queued = [job for job in self._jobs.values() if job.view.state is JobState.QUEUED]
        for position, job in enumerate(queued, start=1):
            if job.view.position != position:
                job.update(position=position)

    def _forget_old(self) -> None:
        ended = [key for key, job in self._jobs.items() if job.view.state.is_final]
        for key in ended[:-_KEPT_JOBS]:
            del self._jobs[key]
