"""Which period a summary tells of, and that it is told once."""

from datetime import UTC, datetime

import pytest

from bot.alerts import DiscordAlerter
from bot.services.scheduled.jobs import DAILY, WEEKLY, make_jobs
from bot.services.scheduled.summary import WEEK_MS, due_period, last_fire
from data.storage.records import EquityMark, NewForwardTest

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def at(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("cron", "now", "expected"),
    [
        ("5 0 * * *", "2024-01-10 00:05:00", "2024-01-10 00:05:00"),
        ("5 0 * * *", "2024-01-10 00:04:59", "2024-01-09 00:05:00"),
        ("5 0 * * *", "2024-01-10 23:59:00", "2024-01-10 00:05:00"),
        ("10 0 * * 1", "2024-01-14 12:00:00", "2024-01-08 00:10:00"),
        ("10 0 * * 1", "2024-01-15 00:10:01", "2024-01-15 00:10:00"),
        ("* * * * *", "2024-01-10 12:34:56", "2024-01-10 12:34:00"),
        ("*/20 6-8 * * *", "2024-01-10 12:00:00", "2024-01-10 08:40:00"),
        ("0 9 1 * *", "2024-01-31 12:00:00", "2024-01-01 09:00:00"),
        ("0 0 29 2 *", "2026-01-01 00:00:00", "2026-01-01 00:00:00"),
    ],
)
def test_the_last_time_of_a_cron_is_found(cron, now, expected):
    assert last_fire(cron, now=at(now)) == at(expected)


def test_a_period_ends_with_the_last_full_hour_and_late_runs_do_not_move_it():
    on_time = due_period("5 0 * * *", DAY_MS, now=at("2024-01-10 00:05:00"))
    late = due_period("5 0 * * *", DAY_MS, now=at("2024-01-10 17:41:13"))

    assert on_time == late
    assert (late.start, late.end) == (at("2024-01-09 00:00:00"), at("2024-01-10 00:00:00"))


def test_a_week_ends_on_monday():
    week = due_period("10 0 * * 1", WEEK_MS, now=at("2024-01-17 08:00:00"))

    assert (week.start, week.end) == (at("2024-01-08 00:00:00"), at("2024-01-15 00:00:00"))


@pytest.fixture
async def ten_days(database):
    config = {"warm_up_from": 0, "started_at": at("2024-01-05 00:00:00"), "initial_balance": 1e4}
    test = await database.create_forward_test(
        NewForwardTest(
            name="one", strategy="eager", params={}, symbol="BTC/USDT", exchange="simulated",
            config=config,
        )
    )  # fmt: skip
    first = at("2024-01-05 00:00:00")
    marks = tuple(EquityMark(first + hour * HOUR_MS, 1e4 + hour) for hour in range(1, 241))
    await database.save_equity_marks(test.id, marks)
    return test


def job_of(name, settings, database, market, now):
    alerter = DiscordAlerter(database, wake=list)
    jobs = make_jobs(settings, database, market, list, alerter, now=lambda: now[0])
    return next((job for job in jobs if job.name == name), None)


async def test_a_day_is_told_once_however_often_it_is_tried(settings, database, market, ten_days):
    now = [at("2024-01-08 00:05:00")]
    for _ in range(2):
        # Each is a new process as far as it knows.
        told = await job_of(DAILY, settings, database, market, now).work()
        now[0] += 5 * HOUR_MS

    assert "told before" in told
    [message] = await database.take_due_messages()
    assert (message.kind, message.test_id) == ("summary_daily", None)
    assert message.payload["end"] == at("2024-01-08 00:00:00")
    [book] = message.payload["tests"]
    assert book["equity"] - book["before"] == 24.0


async def test_after_days_of_sleep_only_the_last_day_is_told(settings, database, market, ten_days):
    now = [at("2024-01-08 00:05:00")]
    await job_of(DAILY, settings, database, market, now).work()
    now[0] = at("2024-01-12 07:00:00")
    await job_of(DAILY, settings, database, market, now).work()

    ends = [message.payload["end"] for message in await database.take_due_messages()]
    assert ends == [at("2024-01-08 00:00:00"), at("2024-01-12 00:00:00")]


async def test_who_asks_is_told_how_it_went_up_to_now(settings, database, market, ten_days):
    now = [at("2024-01-08 13:37:42")]
    job = job_of(DAILY, settings, database, market, now)
    for expected in ("on its way", "told before"):
        assert expected in await job.when_asked()
    await job.work()

    asked, due = [message.payload for message in await database.take_due_messages()]
    assert (asked["start"], asked["end"]) == (
        at("2024-01-07 13:37:00"), at("2024-01-08 13:37:00")
    )  # fmt: skip
    assert due["end"] == at("2024-01-08 00:00:00")


async def test_day_and_week_of_the_same_morning_are_both_told(settings, database, market, ten_days):
    now = [at("2024-01-15 00:10:00")]
    for name in (DAILY, WEEKLY):
        assert "on its way" in await job_of(name, settings, database, market, now).work()

    kinds = [message.kind for message in await database.take_due_messages()]
    assert kinds == ["summary_daily", "summary_weekly"]


async def test_where_no_test_ran_nothing_is_told(settings, database, market):
    for name in (DAILY, WEEKLY):
        text = await job_of(name, settings, database, market, [at("2024-01-15 00:10:00")]).work()
        assert "nothing to tell" in text
    assert await database.count_pending_messages() == 0


async def test_summaries_that_are_off_are_no_jobs(settings, database, market):
    off = settings.model_copy(update={"summary_cron": "off", "weekly_summary_cron": "off"})

    for name in (DAILY, WEEKLY):
        assert job_of(name, settings, database, market, [0]) is not None
        assert job_of(name, off, database, market, [0]) is None
