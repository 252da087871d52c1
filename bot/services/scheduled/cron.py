"""Cron expressions as triggers, in UTC. Nothing is scheduled here."""

import re
from datetime import UTC
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from apscheduler.triggers.cron import CronTrigger

_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_PART: Final = re.compile(r"(?P<first>[0-7]|\*)(?:-(?P<last>[0-7]))?(?:/(?P<step>[1-9]))?")


def parse_cron(text: str) -> "CronTrigger":
    """Return the trigger of `minute hour day month weekday`; Sunday is 0 or 7, or sun.

    Raises:
        ValueError: the text is no such expression, or never comes true.
    """
    from apscheduler.triggers.cron import CronTrigger

    fields = text.split()
    if len(fields) != 5:
        raise ValueError("must be five fields: minute hour day month weekday")
    minute, hour, day, month, weekday = fields
    # APScheduler counts weekdays from Monday, every cron from Sunday.
    return CronTrigger(
        minute=minute,
        hour=hour,
        day=day,
        month=month,
        day_of_week=",".join(_name_days(part) for part in weekday.split(",")),
        timezone=UTC,
    )


def _name_days(part: str) -> str:
    match = _PART.fullmatch(part)
    if match is None or part == "*":
        return part
    step = int(match["step"] or 1)
    if match["first"] == "*":
        first, last = 0, 6
    else:
        first = int(match["first"])
        last = int(match["last"] or (6 if match["step"] else first))
    if first > last:
        raise ValueError(f"weekdays {part} run backwards")
    return ",".join(dict.fromkeys(_DAYS[day % 7] for day in range(first, last + 1, step)))
