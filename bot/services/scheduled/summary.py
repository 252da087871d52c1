"""The summaries of days and weeks: which period is due, and telling it once. No Discord here."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from bot.services.scheduled.cron import parse_cron
from bot.services.summaries import Period, Summaries, Summary
from engine.candles import format_time
from engine.timeframe import DAY_MS, floor_to_timeframe

if TYPE_CHECKING:
    from apscheduler.triggers.cron import CronTrigger

Tell = Callable[[Summary], Awaitable[bool]]

WEEK_MS: Final = 7 * DAY_MS
# How far back to look for the last time of a cron; the nearest first.
_LOOK_BACK: Final = tuple(timedelta(days=days) for days in (1 / 24, 1, 8, 32, 367))


class TellsSummaries(Protocol):
    """Tells people summaries; returns False where one of its period was told before."""

    async def on_daily_summary(self, summary: Summary) -> bool:
        """Tell how a day went."""

    async def on_weekly_summary(self, summary: Summary) -> bool:
        """Tell how a week went."""


@dataclass(frozen=True, slots=True)
class SummaryPlan:
    """A summary of `length_ms` that is due at the times of a cron; `tell` puts it out."""

    length_ms: int
    cron: str
    tell: Tell


async def tell_due_summary(summaries: Summaries, plan: SummaryPlan, *, now: int) -> str:
    """Tell the summary that was due last at `now` (ms); return what was done.

    However often and late it runs, a period is told once.
    """
    return await _tell(summaries, plan, due_period(plan.cron, plan.length_ms, now=now))


async def tell_summary_so_far(summaries: Summaries, plan: SummaryPlan, *, now: int) -> str:
    """Tell the summary of the time up to `now` (ms), for who asks; return what was done."""
    end = floor_to_timeframe(now, "1m")
    return await _tell(summaries, plan, Period(end - plan.length_ms, end))


async def _tell(summaries: Summaries, plan: SummaryPlan, period: Period) -> str:
    until = format_time(period.end)
    summary = await summaries.sum_up(period)
    if summary is None:
        return f"nothing to tell: no forward test ran in the time until {until}"
    if not await plan.tell(summary):
        return f"the summary until {until} was told before"
    return f"the summary of {len(summary.tests):,} forward tests until {until} is on its way"


def due_period(cron: str, length_ms: int, *, now: int) -> Period:
    """Return the period that ends with the full hour at or before the last time of a cron."""
    end = floor_to_timeframe(last_fire(cron, now=now), "1h")
    return Period(end - length_ms, end)


def last_fire(cron: str, *, now: int) -> int:
    """Return the last time (ms) of a cron at or before `now`; `now` where it has none in a year."""
    trigger, moment = parse_cron(cron), datetime.fromtimestamp(now / 1000, UTC)
    for back in _LOOK_BACK:
        found = _last_since(trigger, moment - back, moment)
        if found is not None:
            return int(found.timestamp() * 1000)
    return now


def _last_since(trigger: "CronTrigger", start: datetime, end: datetime) -> datetime | None:
    last: datetime | None = None
    found = trigger.get_next_fire_time(None, start)
    while found is not None and found <= end:
        last = found
        found = trigger.get_next_fire_time(last, last + timedelta(seconds=1))
    return last
