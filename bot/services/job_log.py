"""Jobs in the database, and every beginning and end of one in the audit log. No SQL here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bot.audit import Actor, Audit
from bot.services.jobs import JobView
from data.database import Database
from data.storage.records import Job as StoredJob
from data.storage.records import JobState as StoredState
from data.storage.records import NewJob

_UNTOLD: Final = "jobs:untold"


@dataclass(frozen=True, slots=True)
class UnfinishedJob:
    """A job that the end of an earlier process interrupted; its author isn't told yet."""

    id: str
    kind: str
    user_id: int
    channel_id: int
    message_id: int | None
    request: Mapping[str, Any]


class StoredJobs:
    """Writes jobs to the database and to the audit log."""

    def __init__(
        self, database: Database, audit: Audit, *, redact: Callable[[str], str] = str
    ) -> None:
        self._database = database
        self._audit = audit
        self._redact = redact

    async def job_created(self, view: JobView) -> None:
        """Keep a new job."""
        await self._record(view, "queued")
        new = NewJob(
            id=view.id,
            kind=view.kind,
            request=view.request,
            author_id=view.owner.user_id,
            channel_id=view.owner.channel_id,
        )
        await self._database.add_job(new)

    async def job_started(self, view: JobView) -> None:
        """Note that a job's turn has come."""
        await self._database.start_job(view.id)

    async def job_ended(self, view: JobView) -> None:
        """Note how a job ended."""
        await self._record(view, view.state)
        error = None if view.error is None else self._redact(str(view.error))
        await self._database.finish_job(view.id, StoredState(view.state), error=error)

    async def job_shown(self, job_id: str, message_id: int) -> None:
        """Note which message shows a job, so that a later process can mend it."""
        await self._database.set_job_message(job_id, message_id)

    async def take_interrupted(self) -> list[UnfinishedJob]:
        """End what an earlier process left behind; return all whose authors aren't told yet.

        To be called at start, before any job is added.
        """
        found = await self._database.interrupt_unfinished_jobs()
        for job in found:
            actor = Actor(job.author_id or 0, "")
            details = {"job": job.id, **job.request}
            await self._audit.record(actor, job.kind, details=details, outcome="interrupted")
        untold = [*await self._untold(), *(job.id for job in found)]
        await self._database.set_setting(_UNTOLD, untold)
        stored = [await self._database.get_job(job_id) for job_id in untold]
        return [_unfinished(job) for job in stored if job and job.author_id and job.channel_id]

    async def told(self, job_id: str) -> None:
        """Note that a job's author knows of its interruption."""
        left = [untold for untold in await self._untold() if untold != job_id]
        await self._database.set_setting(_UNTOLD, left)

    async def _untold(self) -> list[str]:
        return list(await self._database.get_setting(_UNTOLD, []))

    async def _record(self, view: JobView, outcome: str) -> None:
        actor = Actor(view.owner.user_id, view.owner.user_name)
        details = {"job": view.id, **view.request}
        await self._audit.record(actor, view.kind, details=details, outcome=outcome)


def _unfinished(job: StoredJob) -> UnfinishedJob:
    assert job.author_id is not None
    assert job.channel_id is not None
    return UnfinishedJob(
        job.id, job.kind, job.author_id, job.channel_id, job.message_id, job.request
    )
