"""/schedule as members use it, in the whole bot."""

import asyncio

import pytest

from bot.errors import BotError
from bot.services.scheduled.backups import backups_in
from bot.services.scheduled.records import ScheduledJob
from data.errors import ExchangeUnavailable


@pytest.fixture
def scheduler(bench):
    return bench.app.client.services.scheduler


@pytest.fixture
def give_work(scheduler):
    """Give a job other work to do."""

    def give(name, work):
        job = scheduler._jobs[name]
        other = ScheduledJob(job.name, job.description, job.cron, work)
        scheduler._jobs[name] = other

    return give


async def answered(bench, command, user="operator", **options):
    return await (await bench.user(user).slash(command, **options)).finished(timeout_s=30)


async def test_everybody_in_the_channel_may_see_the_schedule(bench):
    message = await answered(bench, "schedule list", user="viewer")
    assert message.ephemeral
    for view in bench.app.client.services.scheduler.views():
        assert view.name in message.text
    assert message.text.count("Next: <t:") == 7
    assert message.text.count("Last: never yet") == 7


async def test_an_operator_runs_a_backup_now(bench, scheduler):
    message = await answered(bench, "schedule run", job="backup")
    assert "Done: backup" in message.text
    [path] = backups_in(bench.settings.data_dir / "backups")
    assert path.name.replace("_", "\\_") in message.text
    assert "done in" in (await answered(bench, "schedule list")).text
    entry = (await bench.audit())[0]
    assert (entry.command, entry.options, entry.outcome) == (
        "/schedule run", {"job": "backup"}, "done"
    )  # fmt: skip


async def test_a_refresh_that_fails_is_told_once_and_shown(bench, give_work):
    async def refuse() -> str:
        raise ExchangeUnavailable("no usable answer in 7 tries over 24 s" + " and on" * 100)

    give_work("data refresh", refuse)
    for _ in range(2):
        message = await answered(bench, "schedule run", job="data refresh")
        assert "Failed: data refresh" in message.text
    told = await bench.channel.wait_for_message(lambda m: "data refresh” failed" in m.text)
    assert "you are told when it works" in told.text
    status = await answered(bench, "status", user="viewer")
    assert "scheduled data refresh failed" in status.text
    assert "data refresh: <t:" in status.text
    assert len([m for m in bench.channel.messages if "data refresh” failed" in m.text]) == 1


async def test_a_job_is_paused_and_resumed_by_operators(bench, scheduler):
    assert "Paused: backup" in (await answered(bench, "schedule pause", job="backup")).text
    assert "⏸️ backup" in (await answered(bench, "schedule list")).text
    assert "Resumed: backup" in (await answered(bench, "schedule resume", job="backup")).text
    assert "Next: <t:" in (await answered(bench, "schedule resume", job="backup")).text
    commands = [entry.command for entry in await bench.audit()]
    assert commands == ["/schedule resume", "/schedule resume", "/schedule pause"]


@pytest.mark.parametrize("command", ["schedule run", "schedule pause", "schedule resume"])
async def test_who_is_no_operator_is_refused_and_noted(bench, scheduler, command):
    message = await answered(bench, command, user="viewer", job="backup")
    assert "Only" in message.text
    assert scheduler.views()[1].last.started_at is None
    assert (await bench.audit())[0].outcome == "refused"


async def test_a_job_that_is_not_there_is_refused_with_the_nearest(bench):
    message = await answered(bench, "schedule run", job="bakup")
    assert "did you mean 'backup'?" in message.text


async def test_a_job_that_runs_is_not_begun_again(bench, give_work):
    gate, begun = asyncio.Event(), asyncio.Event()

    async def wait() -> str:
        begun.set()
        await gate.wait()
        return "let through"

    give_work("backup", wait)
    first = await bench.user("operator").slash("schedule run", job="backup")
    await begun.wait()
    assert "backup runs already" in (await answered(bench, "schedule run", job="backup")).text
    assert "Running now" in (await answered(bench, "schedule list")).text
    gate.set()
    assert "let through" in (await first.finished()).text


async def test_a_long_run_is_not_waited_for(bench, give_work, monkeypatch):
    monkeypatch.setattr("bot.cogs.schedule._PATIENCE_S", 0.0)
    gate = asyncio.Event()

    async def wait() -> str:
        await gate.wait()
        return "done"

    give_work("backup", wait)
    assert "Running: backup" in (await answered(bench, "schedule run", job="backup")).text


async def test_what_a_job_says_is_shown_as_text_only(bench, give_work):
    async def shout() -> str:
        raise BotError("**@everyone** " + "x" * 5000)

    give_work("backup", shout)
    for command, options in (("schedule run", {"job": "backup"}), ("schedule list", {})):
        message = await answered(bench, command, **options)
        assert "@everyone" not in message.text
        assert message.pinged_ids == ()


async def test_names_of_jobs_are_suggested(bench):
    user = bench.user("operator")
    choices = await user.autocomplete("schedule run", option="job", typed="b", given={})
    assert [choice.value for choice in choices] == ["backup"]
    choices = await user.autocomplete("schedule pause", option="job", typed="", given={})
    assert len(choices) == 7
