"""Peak memory of a process with its children."""

from pathlib import Path

import psutil

from tests.bench.measuring import own_peak


def largest_peak() -> int:
    """Return the peak in bytes of the largest among this process and its living descendants."""
    children = psutil.Process().children(recursive=True)
    return max([own_peak(), *map(_peak_of, children)])


def _peak_of(process: psutil.Process) -> int:
    status = Path(f"/proc/{process.pid}/status")
    try:
        if not status.exists():
            return int(process.memory_info().rss)
        lines = status.read_text(encoding="utf-8").splitlines()
    except (OSError, psutil.Error):
        return 0
    found = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(found[0]) * 1024 if found else 0
