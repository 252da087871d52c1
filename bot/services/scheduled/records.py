"""What a scheduled job is and how its runs went. Frozen records; nothing runs here."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

Work = Callable[[], Awaitable[str]]

DEFAULT_LIMIT_S: Final = 3600.0


class KeyValues(Protocol):
    """Small values that outlive the process."""

    async def get_setting(self, key: str, default: Any = None) -> Any:
        """Return a value that was kept, or the default."""

    async def set_setting(self, key: str, value: Any) -> None:
        """Keep a value, in place of the one before."""


@dataclass(frozen=True, slots=True)
class ScheduledJob:
    """Work by the clock: `work` returns one line on what it did; `cron` is in UTC.

    A run that takes longer than `limit_s` is given up and counts as failed. `when_asked` is done
    instead where a person asks for it, between its times.
    """

    name: str
    description: str
    cron: str
    work: Work
    limit_s: float = DEFAULT_LIMIT_S
    when_asked: Work | None = None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A job's last run (times in ms UTC) and whether it is paused; kept across restarts.

    `failures` counts the runs that failed since the last that worked, `is_told` says whether
    people know of them.
    """

    is_paused: bool = False
    started_at: int | None = None
    took_s: float | None = None
    text: str | None = None
    failures: int = 0
    is_told: bool = False


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as it stands: `next_run` is in ms UTC, None while it is paused."""

    name: str
    description: str
    cron: str
    last: RunRecord
    next_run: int | None
    is_running: bool
