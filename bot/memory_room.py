"""How much memory is left before the system begins to take away what is in use. Linux knows best.

Where a container or a unit has a limit of its own, that counts; swap inside of it does not.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import psutil

_GROUPS: Final = Path("/proc/self/cgroup")
_MOUNT: Final = Path("/sys/fs/cgroup")
# What the kernel keeps for a group, where it tells the sum; programs' files can be read again, but
# a group that has lost them does little else.
_USED_V2: Final = ("anon", "file_mapped", "kernel")
_USED_V1: Final = ("total_rss", "total_mapped_file")
_KERNEL_V1: Final = "memory.kmem.usage_in_bytes"


def memory_room(groups: Path = _GROUPS, mount: Path = _MOUNT) -> int:
    """Return how many bytes more this process and its children can use; never negative."""
    machine: int = psutil.virtual_memory().available + psutil.swap_memory().free
    return max(0, min([machine, *_rooms(groups, mount)]))


def _rooms(groups: Path, mount: Path) -> Iterator[int]:
    """Yield the room in each group that this process is in, as far as they are limited."""
    for folder in _folders(groups, mount):
        limit = _number(folder / "memory.max") or _number(folder / "memory.limit_in_bytes")
        if limit is not None:
            yield limit - _used(folder)


def _folders(groups: Path, mount: Path) -> Iterator[Path]:
    try:
        lines = groups.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        root = mount / "memory" if controllers else mount
        # A container sees its own group as the root, whatever its name outside.
        own = root / path.lstrip("/")
        yield from (own, *(folder for folder in own.parents if folder.is_relative_to(root)))


def _used(folder: Path) -> int:
    stat = _stat(folder / "memory.stat")
    if "anon" in stat:
        return sum(stat.get(name, 0) for name in _USED_V2)
    return sum(stat.get(name, 0) for name in _USED_V1) + (_number(folder / _KERNEL_V1) or 0)


def _stat(path: Path) -> Mapping[str, int]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    return {name: int(value) for name, _, value in (line.partition(" ") for line in lines)}


def _number(path: Path) -> int | None:
    """Return the number in a file; None where there is no file or no limit ("max")."""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
