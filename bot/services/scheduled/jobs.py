"""The list of the bot's scheduled jobs: names, times and what each calls."""

import asyncio
from collections.abc import Callable
from typing import Final

from bot.services.market_data import MarketData
from bot.services.scheduled.backups import back_up
from bot.services.scheduled.cleanup import clean_up, forget_alerts
from bot.services.scheduled.integrity import check_candles
from bot.services.scheduled.records import ScheduledJob
from bot.services.scheduled.refresh import refresh_candles, symbols_in_use
from bot.settings import Settings
from bot.times import now_ms
from data.database import Database

REFRESH: Final = "data refresh"
BACKUP: Final = "backup"
INTEGRITY: Final = "integrity check"
CLEANUP: Final = "clean-up"


def make_jobs(
    settings: Settings,
    database: Database,
    market: MarketData,
    *,
    now: Callable[[], int] = now_ms,
) -> tuple[ScheduledJob, ...]:
    """Return the jobs that need no Discord; `now` gives ms UTC."""

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
