"""A lock between processes: a file beside the database that the system locks. No SQLite."""

import os
import sys
from pathlib import Path
from typing import IO, Final

from data.errors import DatabaseInUse

# Windows hides locked bytes from other readers, so the locked one lies behind the process id.
_LOCKED_BYTE: Final = 1 << 20


class ProcessLock:
    """A lock that one holder at a time can have; the system lets it go when its process dies.

    A child process that was forked would hold it on: start workers with `spawn` or `forkserver`.
    """

    def __init__(self, database_path: Path) -> None:
        self.path = database_path.with_name(f"{database_path.name}.lock")
        self._database_path = database_path
        self._file: IO[bytes] | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            DatabaseInUse: another process, or this one, has it.
            OSError: the lock file can't be made, or its disk knows no locks.
        """
        file = self.path.open("a+b")
        try:
            _lock(file)
        except (BlockingIOError, PermissionError) as error:
            holder = _read_holder(file)
            file.close()
            raise DatabaseInUse(
                f"{self._database_path} is in use by {holder}: stop it, or choose another DATA_DIR"
            ) from error
        except BaseException:
            file.close()
            raise
        self._file = file
        self._write_holder(file)

    def release(self) -> None:
        """Let the lock go, if it is held; the file stays, so that nobody locks a deleted one."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write_holder(self, file: IO[bytes]) -> None:
        try:
            file.truncate(0)
            file.write(str(os.getpid()).encode())
            file.flush()
        except OSError:
            self.release()
            raise


def _read_holder(file: IO[bytes]) -> str:
    file.seek(0)
    process_id = file.read(20).decode("ascii", "replace")
    return f"process {process_id}" if process_id.isdigit() else "another process"


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        file.seek(_LOCKED_BYTE)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
