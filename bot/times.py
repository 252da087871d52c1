"""Times as people type and read them. Market time is ms UTC everywhere else."""

import re
from datetime import UTC, datetime
from typing import Final

from bot.errors import InvalidInput
from engine.timeframe import DAY_MS, MINUTE_MS

_UNITS_MS: Final = {
    "m": MINUTE_MS,
    "h": 60 * MINUTE_MS,
    "d": DAY_MS,
    "w": 7 * DAY_MS,
    "mo": 30 * DAY_MS,
    "y": 365 * DAY_MS,
}
_DURATION: Final = re.compile(r"^(\d{1,6})\s*(mo|[mhdwy])$")
_FORMS: Final = "2024-01-31, 2024-01, 2024-01-31T14:00, or back from the end: 12h, 90d, 6mo, 1y"
_FIRST_MS: Final = int(datetime(2009, 1, 3, tzinfo=UTC).timestamp() * 1000)
_LAST_MS: Final = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp() * 1000)


def parse_duration(text: str) -> int | None:
    """Return a length such as 90d in ms, None where the text is no such length."""
    match = _DURATION.match(text.strip().lower())
    return int(match[1]) * _UNITS_MS[match[2]] if match else None


def parse_time(text: str, *, name: str, end: int) -> int:
    """Return a moment in ms UTC: a date, a month, an ISO time, or a length back from `end`.

    Raises:
        InvalidInput: the text is none of these.
    """
    duration = parse_duration(text)
    moment = end - duration if duration is not None else _parse_date(text.strip(), name)
    if not _FIRST_MS <= moment < _LAST_MS:
        raise InvalidInput(f"{name} {text!r} lies outside of 2009 to 2100")
    return moment // MINUTE_MS * MINUTE_MS


def parse_period(
    start: str | None, end: str | None, *, latest: int
) -> tuple[int | None, int | None]:
    """Return start and end in ms UTC (end excluded); lengths count back from the end.

    `latest` (ms) is what a length means where no end is given.
    """
    end_ms = parse_time(end, name="end", end=latest) if end else None
    start_ms = parse_time(start, name="start", end=end_ms or latest) if start else None
    if start_ms is not None and end_ms is not None and end_ms <= start_ms:
        raise InvalidInput(f"end {end} is not after start {start}")
    return start_ms, end_ms


def now_ms() -> int:
    """Return this machine's time in ms; for what has no market time to go by."""
    return int(datetime.now(UTC).timestamp() * 1000)


def _parse_date(text: str, name: str) -> int:
    if re.fullmatch(r"\d{4}-\d{2}", text):
        text += "-01"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"{name} {text!r} is no time: write {_FORMS}") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)
