"""Arithmetic on ranges of open times (ms, end excluded). No I/O."""

from bisect import bisect_right
from collections.abc import Iterable

import numpy as np

from engine.candles import IntArray
from engine.timeframe import floor_to_timeframe, get_timeframe_ms

Range = tuple[int, int]


def to_grid(start: int, end: int, timeframe: str) -> Range:
    """Return the range of the same open times whose two bounds lie on the timeframe's grid."""
    return _up_to_grid(start, timeframe), _up_to_grid(end, timeframe)


def find_holes(timestamp: IntArray, within: Range, timeframe: str) -> list[Range]:
    """Return the ranges, inside one that lies on the grid, that sorted open times leave empty."""
    start, end = within
    if start >= end:
        return []
    step = get_timeframe_ms(timeframe)
    first, stop = np.searchsorted(timestamp, within)
    times = np.concatenate(([start - step], timestamp[first:stop], [end]))
    before = np.flatnonzero(np.diff(times) > step)
    return [(int(times[i]) + step, int(times[i + 1])) for i in before.tolist()]


def subtract(ranges: Iterable[Range], known: Iterable[Range]) -> list[Range]:
    """Return what is left of some ranges without those that are known."""
    known = unite(known)
    ends = [end for _, end in known]
    left: list[Range] = []
    for start, end in ranges:
        # Searched, not tried in turn: an illiquid symbol has tens of thousands of known gaps.
        for place in range(bisect_right(ends, start), len(known)):
            first, stop = known[place]
            if first >= end:
                break
            if start < first:
                left.append((start, first))
            start = stop
        if start < end:
            left.append((start, end))
    return left


def unite(ranges: Iterable[Range]) -> list[Range]:
    """Return sorted ranges without overlaps; those that touch become one."""
    united: list[Range] = []
    for start, end in sorted(ranges):
        if united and start <= united[-1][1]:
            united[-1] = (united[-1][0], max(united[-1][1], end))
        elif start < end:
            united.append((start, end))
    return united


def _up_to_grid(timestamp: int, timeframe: str) -> int:
    floor = floor_to_timeframe(timestamp, timeframe)
    return floor if floor == timestamp else floor + get_timeframe_ms(timeframe)
