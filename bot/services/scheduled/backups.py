"""Copies of the database, one file a day, kept for some days. Restoring is described in docs."""

import asyncio
import logging
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

from engine.timeframe import DAY_MS

log = logging.getLogger(__name__)

_NAME: Final = re.compile(r"jesse-(\d{8}T\d{6}Z)\.db")
_STAMP: Final = "%Y%m%dT%H%M%SZ"


class BacksUp(Protocol):
    """A database that copies itself while it is in use."""

    async def backup(self, path: Path | str) -> None:
        """Copy what is committed to a file."""


async def back_up(database: BacksUp, folder: Path, *, keep_days: int, now: int) -> str:
    """Copy the database and delete copies older than `keep_days` at `now` (ms); say what was done.

    Raises:
        StoreError: the copy can't be made; older ones stay.
    """
    stamp = datetime.fromtimestamp(now / 1000, UTC).strftime(_STAMP)
    target = folder / f"jesse-{stamp}.db"
    await database.backup(target)
    deleted, kept = await asyncio.to_thread(_prune, folder, now - keep_days * DAY_MS, target)
    size = target.stat().st_size
    return f"{target.name} ({size / 1e6:,.1f} MB) made, {deleted} deleted, {kept} kept"


def backups_in(folder: Path) -> list[Path]:
    """Return the backups in a folder, the newest last."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def _prune(folder: Path, oldest: int, newest: Path) -> tuple[int, int]:
    deleted = 0
    backups = backups_in(folder)
    for path in backups:
        if path != newest and _time_of(path) < oldest:
            path.unlink(missing_ok=True)
            deleted += 1
    return deleted, len(backups) - deleted


def _time_of(path: Path) -> int:
    match = _NAME.fullmatch(path.name)
    assert match is not None
    moment = datetime.strptime(match[1], _STAMP).replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)
