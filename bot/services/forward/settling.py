"""Keeps garbage collections short while tests are alive: what lives long is set aside.

A collection looks at every object of the process. With two hundred tests that takes a tenth of a
second, in which no trade is looked at and no heartbeat sent.
"""

import gc
from collections.abc import Callable, Iterable


def settle_memory() -> None:
    """Look for garbage once more, then leave all that is alive out of later collections."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


class MemorySettler:
    """Settles the memory when other tests are alive than before."""

    def __init__(self, settle: Callable[[], None] = settle_memory) -> None:
        self._settle = settle
        self._known: frozenset[int] = frozenset()

    def look(self, alive: Iterable[int]) -> None:
        """Take the ids of the tests that are alive now."""
        now = frozenset(alive)
        if now != self._known:
            self._known = now
            self._settle()
