"""Jobs in the database: what a next process finds, and what is on record."""

from dataclasses import replace

import pytest

from bot.audit import Audit
from bot.services.job_log import StoredJobs
from bot.services.jobs import JobOwner, JobView
from bot.services.requests import JobKind, JobProgress, JobState
from data.database import Database

VIEW = JobView(
    id="aabbccdd",
    kind=JobKind.BACKTEST,
    title="a title",
    owner=JobOwner(7, "ann", 8),
    state=JobState.QUEUED,
    created_at=0.0,
    progress=JobProgress("waiting", 0, 0),
    request={"strategy": "ma_crossover", "end": None},
)


@pytest.fixture
async def database(tmp_path):
    async with Database.open(tmp_path / "jesse.db") as opened:
        yield opened


@pytest.fixture
def stored(database):
    return StoredJobs(
        database, Audit(database), redact=lambda text: text.replace("key", "[secret]")
    )


def ended(state, error=None):
    return replace(VIEW, state=state, error=error)


async def test_a_finished_job_is_on_record_and_needs_no_telling(database, stored):
    await stored.job_created(VIEW)
    await stored.job_started(VIEW)
    await stored.job_ended(ended(JobState.FAILED, ValueError("the key is wrong")))

    assert await stored.take_interrupted() == []
    job = await database.get_job(VIEW.id)
    assert (job.state, job.error) == ("failed", "the [secret] is wrong")
    entries = await database.list_audit()
    assert [(e.user_name, e.command, e.outcome) for e in entries] == [
        ("ann", "backtest", "failed"),
        ("ann", "backtest", "queued"),
    ]
    assert entries[0].options == {"job": "aabbccdd", "strategy": "ma_crossover"}


async def test_an_unfinished_job_is_handed_over_until_its_author_was_told(stored):
    await stored.job_created(VIEW)
    await stored.job_shown(VIEW.id, 99)

    (first,) = await stored.take_interrupted()
    (again,) = await stored.take_interrupted()
    await stored.told(VIEW.id)

    assert first == again
    assert (first.user_id, first.channel_id, first.message_id) == (7, 8, 99)
    assert await stored.take_interrupted() == []


async def test_an_audit_that_fails_stops_nobody(caplog):
    class Broken:
        async def append_audit(self, **entry):
            raise OSError("disk full")

    await Audit(Broken()).record(JobActor(1, "ann"), "fetch")

    assert "could not be stored" in caplog.text


class JobActor:
    def __init__(self, number, name):
        self.id, self.name = number, name
