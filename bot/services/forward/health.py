"""Notices running forward tests that get no candles, and that get them again. Sends nothing."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bot.services.forward.runner import ForwardRunner
from data.storage.records import ForwardTest


@dataclass(frozen=True, slots=True)
class Stalled:
    """A running test has had no candle for `silent_s`; `last_open` is its last one's time (ms)."""

    test: ForwardTest
    last_open: int | None
    silent_s: float


@dataclass(frozen=True, slots=True)
class BackAgain:
    """A test that had stalled gets candles again, after `silent_s` without any."""

    test: ForwardTest
    last_open: int
    silent_s: float


@dataclass(slots=True)
class _Watched:
    last_open: int | None
    since: float
    is_stalled: bool = False


class StallWatch:
    """Compares the last candles of tests with those at the last look; `clock` is monotonic (s).

    The machine's own clock measures the silence, whatever time the exchange says it is.
    """

    def __init__(self, patience_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience_s = patience_s
        self._clock = clock
        self._watched: dict[int, _Watched] = {}

    def look(self, runners: Iterable[ForwardRunner]) -> list[Stalled | BackAgain]:
        """Return what has changed since the last look; a stall is told once."""
        now, found, seen = self._clock(), list[Stalled | BackAgain](), dict[int, _Watched]()
        for runner in runners:
            test, last = runner.session.test, runner.session.last_open_time
            watched = self._watched.get(test.id) or _Watched(last, now)
            seen[test.id] = watched
            silent_s = now - watched.since
            if last is not None and last != watched.last_open:
                if watched.is_stalled:
                    found.append(BackAgain(test, last, silent_s))
                seen[test.id] = _Watched(last, now)
            elif silent_s >= self._patience_s and not watched.is_stalled and not runner.fault:
                watched.is_stalled = True
                found.append(Stalled(test, last, silent_s))
        self._watched = seen
        return found
