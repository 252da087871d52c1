"""Jobs: long work that somebody asked for, and what became of it."""

import sqlite3
from collections.abc import Collection, Mapping
from typing import Any, Final

from data.errors import RecordConflict, UnknownRecord
from data.storage.operations import Operations, decode_json, encode_json, require_changed
from data.storage.records import Job, JobState, NewJob

_INSERT: Final = """
INSERT INTO jobs (id, kind, author_id, channel_id, message_id, request, state, created_at)
VALUES (?, ?, ?, ?, ?, ?, 'queued', ?)
ON CONFLICT (id) DO NOTHING
RETURNING *
"""
_START: Final = "UPDATE jobs SET state = 'running' WHERE id = ? AND state = 'queued'"
_FINISH: Final = """
UPDATE jobs SET state = ?, finished_at = ?, error = ?, result = ?
WHERE id = ? AND state IN ('queued', 'running')
"""
_INTERRUPT: Final = """
UPDATE jobs SET state = 'interrupted', finished_at = ? WHERE state IN ('queued', 'running')
RETURNING *
"""


class JobOperations(Operations):
    """Queue jobs and note what becomes of them. A job that is over never changes its state."""

    async def add_job(self, new: NewJob) -> Job:
        """Store a queued job.

        Raises:
            RecordConflict: there is a job of that id.
        """
        row = (
            new.id,
            new.kind,
            new.author_id,
            new.channel_id,
            new.message_id,
            encode_json(dict(new.request), f"the request of job {new.id}"),
            self._clock(),
        )

        def work(connection: sqlite3.Connection) -> Job:
            stored = connection.execute(_INSERT, row).fetchone()
            if stored is None:
                raise RecordConflict(f"there is a job {new.id} already")
            return _to_job(stored)

        return await self._write(work)

    async def start_job(self, job_id: str) -> bool:
        """Note that a queued job runs; return False when it is not queued any more."""
        return await self._move(job_id, _START, job_id)

    async def finish_job(
        self,
        job_id: str,
        state: JobState,
        *,
        result: Mapping[str, Any] | None = None,
        error: str | None = None,
    ) -> bool:
        """Note how a job ended; return False when it was over before."""
        if not state.is_over:
            raise ValueError(f"a job doesn't end as {state}")
        text = None if result is None else encode_json(dict(result), f"the result of job {job_id}")
        return await self._move(job_id, _FINISH, state, self._clock(), error, text, job_id)

    async def set_job_message(self, job_id: str, message_id: int | None) -> None:
        """Note the message that shows how the job is doing."""
        sql = "UPDATE jobs SET message_id = ? WHERE id = ?"

        def work(connection: sqlite3.Connection) -> None:
            require_changed(connection.execute(sql, (message_id, job_id)), f"job {job_id}")

        await self._write(work)

    async def get_job(self, job_id: str) -> Job | None:
        """Return a job by its id, None when there is none."""
        return await self._read(lambda connection: _select_job(connection, job_id))

    async def list_jobs(
        self,
        limit: int = 50,
        *,
        author_id: int | None = None,
        states: Collection[JobState] = tuple(JobState),
    ) -> list[Job]:
        """Return jobs of one author or of all, in some states or in any, the newest first."""
        marks = ", ".join("?" * len(states))
        sql = (
            f"SELECT * FROM jobs WHERE state IN ({marks}) AND author_id IS coalesce(?, author_id) "
            "ORDER BY created_at DESC, rowid DESC LIMIT ?"
        )
        values = (*states, author_id, limit)
        return await self._read(
            lambda connection: [_to_job(row) for row in connection.execute(sql, values)]
        )

    async def interrupt_unfinished_jobs(self) -> list[Job]:
        """Mark what an earlier process left queued or running, and return it, oldest first.

        To be called at start, before any job is added.
        """
        now = self._clock()

        def work(connection: sqlite3.Connection) -> list[Job]:
            jobs = [_to_job(row) for row in connection.execute(_INTERRUPT, (now,)).fetchall()]
            return sorted(jobs, key=lambda job: job.created_at)

        return await self._write(work)

    async def _move(self, job_id: str, sql: str, *values: int | str | None) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            if connection.execute(sql, values).rowcount:
                return True
            if _select_job(connection, job_id) is None:
                raise UnknownRecord(f"there is no job {job_id}")
            return False

        return await self._write(work)


def _select_job(connection: sqlite3.Connection, job_id: str) -> Job | None:
    row = connection.execute("SELECT * FROM jobs WHERE id = ?", (job_id,)).fetchone()
    return None if row is None else _to_job(row)


def _to_job(row: sqlite3.Row) -> Job:
    return Job(
        **{
            **dict(row),
            "request": decode_json(row["request"]),
            "state": JobState(row["state"]),
            "result": decode_json(row["result"]),
        }
    )
