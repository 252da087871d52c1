"""Puts a symbol's closed candles in order, each exactly once. No I/O, no clock, no tasks.

Candles come from a stream (late, twice, swapped, revised, or not at all) and from REST. A gap is
closed only by REST: the minutes that REST doesn't have, though it has a later one, don't exist.
"""

import math
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from data.ranges import Range
from data.streams.events import Revision
from engine.candles import Candle
from engine.timeframe import MINUTE_MS

_REMEMBERED: Final = 240
_SAME: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Released:
    """A candle that is next in order, and whether it came over REST.

    Nothing exists between `follows` (ms), the open time that was expected, and the candle.
    """

    candle: Candle
    backfilled: bool
    follows: int


class CandleSequencer:
    """Takes closed 1m candles in any order and releases them complete and in order.

    `next_open` is the open time of the candle to release next; None starts with the first one.
    The counters say what was dropped, fetched or doesn't exist.
    """

    def __init__(self, next_open: int | None = None) -> None:
        self.next_open = next_open
        self.last_open: int | None = None
        self.duplicates = 0
        self.revisions = 0
        self.last_revision: Revision | None = None
        self.backfilled = 0
        self.missing = 0
        self._revised: list[Revision] = []
        self._held: dict[int, tuple[Candle, bool]] = {}  # with whether it was backfilled
        self._delivered: OrderedDict[int, Candle] = OrderedDict()

    @property
    def held(self) -> int:
        """Return how many candles wait for a gap to be closed."""
        return len(self._held)

    @property
    def gap(self) -> Range | None:
        """Return the range of open times (ms, end excluded) that holds candles back, or None."""
        if self.next_open is None or not self._held:
            return None
        return self.next_open, min(self._held)

    @property
    def oldest_open(self) -> int | None:
        """Return the open time of the oldest candle that a revision can still be told of."""
        return next(iter(self._delivered), None)

    def take_revised(self) -> list[Revision]:
        """Return the revisions of delivered candles that were noted since the last call."""
        revised, self._revised = self._revised, []
        return revised

    def receive(self, candle: Candle, *, backfilled: bool = False) -> list[Released]:
        """Take a closed candle as it comes; return what can be released now."""
        if self.next_open is None:
            self.next_open = candle.timestamp
        if candle.timestamp < self.next_open:
            self._drop(candle)
            return []
        known = self._held.get(candle.timestamp)
        if known is None:
            self._held[candle.timestamp] = candle, backfilled
        else:
            self._compare(known[0], candle)
        return self._release(self.next_open)

    def backfill(self, candles: Iterable[Candle]) -> list[Released]:
        """Take REST's answer for a range from `next_open` on; return what can be released now.

        REST's values count where the stream's differ. The range may begin earlier: what was
        delivered already is compared, not given again.
        """
        latest: int | None = None
        for candle in candles:
            latest = candle.timestamp
            if self.next_open is None:
                self.next_open = candle.timestamp
            if candle.timestamp < self.next_open:
                self._compare_delivered(candle)
                continue
            known = self._held.get(candle.timestamp)
            if known is not None and not is_same(known[0], candle):
                self._note_revision(known[0], candle)
            self._held[candle.timestamp] = candle, known is None or known[1]
        return [] if latest is None else self._release(latest)

    def pass_on(self, released: Released) -> list[Released]:
        """Take what another sequencer released, and its word on what doesn't exist."""
        opens = released.candle.timestamp
        if self.next_open is not None and released.follows <= self.next_open < opens:
            self._held.setdefault(opens, (released.candle, released.backfilled))
            return self._release(opens)
        return self.receive(released.candle, backfilled=released.backfilled)

    def give_up_gap(self) -> list[Released]:
        """Take the minutes before the first held candle as missing; return what is released."""
        gap = self.gap
        return [] if gap is None else self._release(gap[1])

    def _release(self, confirmed: int) -> list[Released]:
        """Release held candles up to `confirmed` over any gap, then those that follow on."""
        released: list[Released] = []
        for open_time in sorted(self._held):
            assert self.next_open is not None
            if open_time > max(confirmed, self.next_open):
                break
            self.missing += (open_time - self.next_open) // MINUTE_MS
            released.append(self._deliver(open_time))
        return released

    def _deliver(self, open_time: int) -> Released:
        assert self.next_open is not None
        candle, backfilled = self._held.pop(open_time)
        released = Released(candle, backfilled, self.next_open)
        self.next_open = open_time + MINUTE_MS
        self.last_open = open_time
        self.backfilled += backfilled
        self._delivered[open_time] = candle
        if len(self._delivered) > _REMEMBERED:
            self._delivered.popitem(last=False)
        return released

    def _drop(self, candle: Candle) -> None:
        # Without a revision it came twice, or is older than what is remembered or begun with.
        self.duplicates += not self._compare_delivered(candle)

    def _compare(self, known: Candle, candle: Candle) -> None:
        if is_same(known, candle):
            self.duplicates += 1
        else:
            self._note_revision(known, candle)

    def _compare_delivered(self, candle: Candle) -> bool:
        """Note a revision of a delivered candle, each once; tell whether it is one."""
        delivered = self._delivered.get(candle.timestamp)
        if delivered is None or is_same(delivered, candle):
            return False
        self._note_revision(delivered, candle)
        self._revised.append(Revision(delivered, candle))
        self._delivered[candle.timestamp] = candle
        return True

    def _note_revision(self, delivered: Candle, revised: Candle) -> None:
        self.revisions += 1
        self.last_revision = Revision(delivered, revised)


def is_same(one: Candle, other: Candle) -> bool:
    """Tell whether two candles agree in prices and volume, rounding apart."""
    return all(
        math.isclose(a, b, rel_tol=_SAME)
        for a, b in (
            (one.open, other.open),
            (one.high, other.high),
            (one.low, other.low),
            (one.close, other.close),
            (one.volume, other.volume),
        )
    )
