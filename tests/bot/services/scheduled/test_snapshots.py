"""Every running test saves its state; one that doesn't answer is named, the others are saved."""

import asyncio
from types import SimpleNamespace

import pytest

from bot.alerts import DiscordAlerter
from bot.errors import InvalidInput
from bot.services.scheduled.cron import parse_cron
from bot.services.scheduled.jobs import SNAPSHOT, make_jobs
from bot.services.scheduled.snapshots import LATEST, SnapshotFailed, every_minutes, save_snapshots
from data.database import Database
from data.storage.records import NewForwardTest, StepRecord


class Runner:
    """Stands for what runs a test: `answer` is how it takes an order."""

    def __init__(self, test, database, answer="stores"):
        self.session = SimpleNamespace(test=test, save_state=self.save_state)
        self.fault = None
        self.step = 1
        self.answer = answer
        self._database = database

    def save_state(self):
        test_id = self.session.test.id
        return StepRecord(
            test_id=test_id,
            step=self.step,
            last_candle_time=0,
            balance=10_000.0,
            equity=10_000.0,
            snapshot={"strategy_state": {"seen": 7}},
        )

    async def order(self, change):
        if self.answer == "hangs":
            await asyncio.Event().wait()
        if self.answer == "stands still":
            raise InvalidInput(f"forward test {self.session.test.name} stands still: disk full")
        record = change()
        if self.answer == "stores":
            await self._database.commit_step(record)
        return record


@pytest.fixture
def make_runner(database):
    async def make(name, answer="stores"):
        new = NewForwardTest(
            name=name, strategy="eager", params={}, symbol="BTC/USDT", exchange="simulated",
            config={},
        )  # fmt: skip
        return Runner(await database.create_forward_test(new), database, answer)

    return make


async def test_every_running_test_is_saved_and_the_copy_has_it(database, make_runner, tmp_path):
    runners = [await make_runner("one"), await make_runner("two")]

    text = await save_snapshots(database, runners, tmp_path)

    assert text.startswith(f"2 forward tests saved, {LATEST} has ")
    async with Database.open(tmp_path / LATEST, read_only=True) as copy:
        for runner in runners:
            state = await copy.get_strategy_state(runner.session.test.id)
            assert state == {"strategy_state": {"seen": 7}}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("hangs", "two: no answer within 0.05 seconds"),
        ("stands still", "two stands still: disk full"),
        ("forgets", "two: step 1 is not in the database"),
    ],
)
async def test_one_that_is_not_saved_is_named_and_the_others_are_saved(
    database, make_runner, tmp_path, answer, reason
):
    runners = [await make_runner("one"), await make_runner("two", answer)]

    with pytest.raises(SnapshotFailed, match="1 forward tests saved") as caught:
        await save_snapshots(database, runners, tmp_path, answer_s=0.05)

    assert reason in str(caught.value)
    async with Database.open(tmp_path / LATEST, read_only=True) as copy:
        assert (await copy.get_portfolio(runners[0].session.test.id)).step == 1


async def test_a_state_that_is_older_than_the_one_saved_is_found_out(
    database, make_runner, tmp_path
):
    runner = await make_runner("one")
    await save_snapshots(database, [runner], tmp_path)
    runner.step, runner.answer = 2, "forgets"

    with pytest.raises(SnapshotFailed, match="one: step 2 is not in the database"):
        await save_snapshots(database, [runner], tmp_path)


async def test_one_at_rest_has_stored_all_it_has(database, make_runner, tmp_path):
    runner = await make_runner("one", "hangs")
    runner.fault = "its strategy raised"

    assert "0 forward tests saved" in await save_snapshots(database, [runner], tmp_path)


async def test_the_copy_replaces_the_one_before_and_is_no_daily_backup(
    settings, database, market, make_runner
):
    runner = await make_runner("one")
    alerter = DiscordAlerter(database, wake=list)
    jobs = make_jobs(settings, database, market, lambda: [runner], alerter)
    [job] = [job for job in jobs if job.name == SNAPSHOT]

    for _ in range(2):
        await job.work()

    folder = settings.data_dir / "backups"
    assert [path.name for path in folder.iterdir()] == [LATEST]


@pytest.mark.parametrize(
    ("minutes", "cron"),
    [
        (0.2, "* * * * *"),
        (1, "* * * * *"),
        (2.9, "*/2 * * * *"),
        (7, "*/6 * * * *"),
        (15, "*/15 * * * *"),
        (45, "*/30 * * * *"),
        (60, "0 * * * *"),
        (119, "0 * * * *"),
        (330, "0 */4 * * *"),
        (720, "0 */12 * * *"),
        (1440, "0 0 * * *"),
        (99_999, "0 0 * * *"),
    ],
)
def test_pauses_become_times_that_are_never_further_apart(minutes, cron):
    assert every_minutes(minutes) == cron
    parse_cron(cron)
