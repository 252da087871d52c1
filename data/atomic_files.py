"""Files that are replaced whole, and locks between processes. Knows nothing of candles."""

import importlib.util
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

TEMPORARY_SUFFIX: Final = ".tmp"

_HAS_FLOCK: Final = importlib.util.find_spec("fcntl") is not None
_LOCK_POLL_SECONDS: Final = 0.02
_LOCK_PATIENCE_SECONDS: Final = 120.0


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a new name to write to; what is there at the end takes the place of `path`.

    If the block raises, nothing is left of it, and `path` is as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{uuid4().hex[:12]}{TEMPORARY_SUFFIX}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that readers, and a crash at any moment, see the old or the new content.

    Raises:
        OSError: no space, no permission; the old file is as it was.
    """
    with replacing(path) as temporary, temporary.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    _sync_folder(path.parent)


def remove_temporary_files(folder: Path) -> None:
    """Delete what dead writers left in a folder; the caller holds the folder's lock."""
    for left_over in folder.glob(f".*{TEMPORARY_SUFFIX}"):
        left_over.unlink(missing_ok=True)


@contextmanager
def exclusive_lock(path: Path) -> Iterator[None]:
    """Hold a lock that one thread of one process at a time can have; it ends with its process.

    Raises:
        OSError: the lock file can't be made, or (without `flock`) its holder never lets go.
    """
    with _flock(path) if _HAS_FLOCK else _exclusive_file(path):
        yield


@contextmanager
def _flock(path: Path) -> Iterator[None]:
    import fcntl

    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield  # closing the file lets the lock go


@contextmanager
def _exclusive_file(path: Path) -> Iterator[None]:
    deadline = time.monotonic() + _LOCK_PATIENCE_SECONDS
    while not _create_with_own_id(path):
        if time.monotonic() > deadline:
            raise TimeoutError(f"another process holds {path}: end it, or delete the file")
        _release_if_holder_died(path)
        time.sleep(_LOCK_POLL_SECONDS)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _create_with_own_id(path: Path) -> bool:
    try:
        with path.open("x") as file:
            file.write(str(os.getpid()))
    except FileExistsError:
        return False
    return True


def _release_if_holder_died(path: Path) -> None:
    # Of several that wait, one may look and delete: else the second would delete the lock
    # that the first has just taken.
    guard = path.with_name(f"{path.name}.guard")
    if not _create_with_own_id(guard):
        return
    try:
        if _is_holder_dead(path):
            path.unlink(missing_ok=True)
    finally:
        guard.unlink(missing_ok=True)


def _is_holder_dead(path: Path) -> bool:
    import psutil

    try:
        holder = path.read_text()
    except FileNotFoundError:
        return False
    return holder.isdigit() and not psutil.pid_exists(int(holder))


def _sync_folder(folder: Path) -> None:
    # A rename is durable once its folder is; some systems can't open a folder, and need not.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
