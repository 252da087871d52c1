"""Deleting what has grown old: runs with charts, rotated logs, leftovers of crashes, alerts."""

import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Protocol

from engine.timeframe import DAY_MS

RUN_DAYS: Final = 90
LOG_DAYS: Final = 30
LEFTOVER_DAYS: Final = 1
# Their keys keep alerts from being told twice, so they stay for longer than anybody would be away.
ALERT_DAYS: Final = 90
_RUN: Final = re.compile(r"[0-9a-f]{16}")
_ROTATED_LOG: Final = re.compile(r"jesse\.log\.\d+")
_LEFTOVER: Final = re.compile(r"\..*\.tmp(-journal|-wal|-shm)?")


class ForgetsMessages(Protocol):
    """An outbox that forgets what is settled."""

    async def delete_sent_messages(self, *, before: int) -> int:
        """Forget what was sent or muted before a time (ms); return how many."""


async def forget_alerts(outbox: ForgetsMessages, *, now: int) -> str:
    """Forget alerts that were sent or muted too long ago at `now` (ms); return how many.

    Raises:
        StoreError: the database can't be written.
    """
    count = await outbox.delete_sent_messages(before=now - ALERT_DAYS * DAY_MS)
    return f"{count} alerts sent or muted over {ALERT_DAYS} days ago"


def clean_up(data_dir: Path, *, now: int) -> str:
    """Delete what is too old at `now` (ms) and return what went; blocks while it does.

    Raises:
        OSError: something can't be deleted.
    """
    runs = _delete(data_dir / "runs", _RUN, now - RUN_DAYS * DAY_MS)
    logs = _delete(data_dir / "logs", _ROTATED_LOG, now - LOG_DAYS * DAY_MS)
    leftovers = _delete(data_dir / "backups", _LEFTOVER, now - LEFTOVER_DAYS * DAY_MS)
    return (
        f"deleted: {runs} runs older than {RUN_DAYS} days, {logs} logs older than {LOG_DAYS} days,"
        f" {leftovers} leftovers"
    )


def _delete(folder: Path, pattern: re.Pattern[str], before: int) -> int:
    if not folder.is_dir():
        return 0
    old = list(_older(folder, pattern, before))
    for path in old:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    return len(old)


def _older(folder: Path, pattern: re.Pattern[str], before: int) -> Iterable[Path]:
    for path in folder.iterdir():
        if pattern.fullmatch(path.name) and 1000 * path.stat().st_mtime < before:
            yield path
