"""The list of the bot's scheduled jobs: names, times and what each calls."""

import asyncio
from collections.abc import Callable
from typing import Final

from bot.services.forward.runner import ForwardRunner
from bot.services.market_data import MarketData
from bot.services.scheduled.backups import back_up
from bot.services.scheduled.cleanup import clean_up, forget_alerts
from bot.services.scheduled.integrity import check_candles
from bot.services.scheduled.records import ScheduledJob
from bot.services.scheduled.refresh import refresh_candles, symbols_in_use
from bot.services.scheduled.snapshots import Runners, every_minutes, save_snapshots
from bot.services.scheduled.summary import (
    WEEK_MS,
    SummaryPlan,
    TellsSummaries,
    tell_due_summary,
    tell_summary_so_far,
)
from bot.services.summaries import Summaries
from bot.settings import OFF, Settings
from bot.times import now_ms
from data.database import Database
from engine.timeframe import DAY_MS

REFRESH: Final = "data refresh"
BACKUP: Final = "backup"
INTEGRITY: Final = "integrity check"
CLEANUP: Final = "clean-up"
SNAPSHOT: Final = "state snapshot"
DAILY: Final = "daily summary"
WEEKLY: Final = "weekly summary"


def make_jobs(
    settings: Settings,
    database: Database,
    market: MarketData,
    runners: Runners,
    alerts: TellsSummaries,
    *,
    now: Callable[[], int] = now_ms,
) -> tuple[ScheduledJob, ...]:
    """Return the jobs; `runners` gives what runs forward tests here, `now` ms UTC."""
    return (
        *_upkeep_jobs(settings, database, market, now),
        _snapshot_job(settings, database, runners),
        *_summary_jobs(settings, database, runners, alerts, now),
    )


def _upkeep_jobs(
    settings: Settings, database: Database, market: MarketData, now: Callable[[], int]
) -> tuple[ScheduledJob, ...]:

    async def refresh() -> str:
        symbols = await symbols_in_use(settings, database, now=now())
        return await refresh_candles(market, settings.exchange, symbols)

    async def save() -> str:
        folder = settings.data_dir / "backups"
        return await back_up(database, folder, keep_days=settings.backup_days, now=now())

    async def check() -> str:
        return await check_candles(market, settings.candles_dir, settings.exchange)

    async def clean() -> str:
        alerts = await forget_alerts(database, now=now())
        files = await asyncio.to_thread(clean_up, settings.data_dir, now=now())
        return f"{files}, {alerts}"

    days, cron = f"kept {settings.backup_days} days", settings.refresh_cron
    return (
        ScheduledJob(REFRESH, "tops up candles of the symbols in use", cron, refresh),
        ScheduledJob(BACKUP, f"copies the database, {days}", "17 3 * * *", save),
        ScheduledJob(INTEGRITY, "reads all candles and fetches missing ones", "40 3 * * 0", check),
        ScheduledJob(CLEANUP, "deletes old runs, charts, logs and alerts", "10 4 * * *", clean),
    )


def _snapshot_job(settings: Settings, database: Database, runners: Runners) -> ScheduledJob:
    async def snapshot() -> str:
        return await save_snapshots(database, runners(), settings.data_dir / "backups")

    cron = every_minutes(settings.snapshot_minutes)
    return ScheduledJob(SNAPSHOT, "saves the state of all forward tests in full", cron, snapshot)


def _summary_jobs(
    settings: Settings,
    database: Database,
    runners: Runners,
    alerts: TellsSummaries,
    now: Callable[[], int],
) -> tuple[ScheduledJob, ...]:
    def find_runner(test_id: int) -> ForwardRunner | None:
        return next((each for each in runners() if each.session.test.id == test_id), None)

    summaries = Summaries(database, find_runner)

    def job(name: str, description: str, plan: SummaryPlan) -> ScheduledJob:
        async def tell() -> str:
            return await tell_due_summary(summaries, plan, now=now())

        async def tell_so_far() -> str:
            return await tell_summary_so_far(summaries, plan, now=now())

        return ScheduledJob(name, description, plan.cron, tell, when_asked=tell_so_far)

    day = SummaryPlan(DAY_MS, settings.summary_cron, alerts.on_daily_summary)
    week = SummaryPlan(WEEK_MS, settings.weekly_summary_cron, alerts.on_weekly_summary)
    jobs = (
        job(DAILY, "tells how the forward tests went in 24 hours", day),
        job(WEEKLY, "tells how the forward tests went in 7 days", week),
    )
    return tuple(each for each in jobs if each.cron != OFF)
