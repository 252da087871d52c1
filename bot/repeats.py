"""Which alerts only repeat one that was told: they are counted, not told each. Pure: no database.

The first is told at once. Those like it are held back for a pause, which doubles each time they
are told; at its end the newest of them is told, with how many there were since when. After long
enough without any, the next is a first one again.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from bot.services import alert_kinds as kinds
from data.storage.records import OutboxMessage
from engine.timeframe import MINUTE_MS

FIRST_PAUSE_MS: Final = 10 * MINUTE_MS
LONGEST_PAUSE_MS: Final = 6 * 60 * MINUTE_MS
MEMORY_MS: Final = 2 * LONGEST_PAUSE_MS
# Where an alert's payload says for how many it stands: count, since, last (ms).
REPEATS: Final = "repeats"
_NUMBER: Final = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Repeat:
    """How many alerts one stands for, and from when to when they came (ms)."""

    count: int
    since: int
    last: int


@dataclass(slots=True)
class _Strand:
    """Alerts of one kind in a streak: how many, how often told, until when they are held back."""

    since: int
    count: int
    told: int
    until: int

    def tell(self, now: int) -> None:
        """Note that they are told, and hold back those that follow."""
        self.until = now + min(FIRST_PAUSE_MS << min(self.told, 20), LONGEST_PAUSE_MS)
        self.told += 1


@dataclass(slots=True)
class _Streak:
    """What belongs together, such as a loss of data and its end; `held` was not told yet."""

    last: int
    strands: dict[str, _Strand] = field(default_factory=dict)
    held: tuple[int, str] | None = None

    def repeat(self, strand: str) -> Repeat:
        found = self.strands[strand]
        return Repeat(found.count, found.since, self.last)


class RepeatLedger:
    """All streaks that go on. `kept` is what `to_json` returned."""

    def __init__(self, kept: Any = None) -> None:
        self._streaks = _read(kept)

    def take(self, message: OutboxMessage) -> Repeat | None:
        """Count an alert; return with which count it is told, None if it is held back."""
        name, kind = _streak_of(message) or ("", "")
        now = message.created_at
        if not name:
            return Repeat(1, now, now)
        streak = self._streaks.get(name)
        # A clock that was set back starts anew: it would hold back for longer than meant.
        if streak is None or not 0 <= now - streak.last < MEMORY_MS:
            streak = self._streaks[name] = _Streak(now)
        strand = streak.strands.setdefault(kind, _Strand(now, 0, 0, 0))
        strand.count += 1
        streak.last = now
        if now < strand.until:
            streak.held = (message.id, kind)
            return None
        # What was held back is counted in this one, or has been overtaken by it.
        streak.held = None
        strand.tell(now)
        return streak.repeat(kind)

    def release(self, now: int) -> list[tuple[int, Repeat]]:
        """Return what was held back long enough at a time (ms): ids of alerts, with counts."""
        found = []
        for streak, message_id, strand in self._held():
            if strand.until <= now:
                found.append((message_id, Repeat(strand.count, strand.since, streak.last)))
                streak.held = None
                strand.tell(now)
        return sorted(found, key=lambda pair: pair[0])

    def next_release_at(self) -> int | None:
        """Return when something that is held back can be told (ms), None where nothing is."""
        return min((strand.until for _, _, strand in self._held()), default=None)

    def let_next_pass(self, prefix: str) -> None:
        """Tell the next alert of some streaks at once, with its count; forget what is held back."""
        for name, streak in self._streaks.items():
            if name.startswith(prefix):
                streak.held = None
                for strand in streak.strands.values():
                    strand.until = 0

    def forget_old(self, now: int) -> None:
        """Forget streaks that have ended, at a time (ms)."""
        self._streaks = {
            name: streak
            for name, streak in self._streaks.items()
            if streak.held is not None or abs(now - streak.last) < MEMORY_MS
        }

    def to_json(self) -> dict[str, Any]:
        """Return all as plain values."""
        return {name: asdict(streak) for name, streak in self._streaks.items()}

    def _held(self) -> Iterator[tuple[_Streak, int, _Strand]]:
        for streak in self._streaks.values():
            if streak.held is not None:
                message_id, kind = streak.held
                yield streak, message_id, streak.strands[kind]


def fault_streaks(test_id: int) -> str:
    """Return what the names of streaks of a test's faults begin with."""
    return f"fault:{test_id}:"


def _streak_of(message: OutboxMessage) -> tuple[str, str] | None:
    """Return the names of an alert's streak and strand, None for one that always counts alone."""
    kind, payload, test_id = message.kind, message.payload, message.test_id
    if kind == kinds.FAULT:
        return f"{fault_streaks(test_id or 0)}{_digest(payload.get('reason'))}", kind
    if kind in (kinds.STALL, kinds.BACK):
        return f"data:{test_id}", kind
    if kind == kinds.CONNECTION:
        of = _digest(payload.get("exchange"), payload.get("symbols"))
        return f"connection:{of}", str(payload.get("kind"))
    if kind == kinds.RECOVERY:
        left = payload.get("left") or ()
        # Their names are told apart by numbers alone, unlike reasons.
        names = _hashed(repr([test.get("name") for test in left]))
        return f"recovery:{names}:{_digest(*(test.get('reason') for test in left))}", kind
    if kind == kinds.NOTE and "text" in payload:
        return f"note:{_digest(payload.get('title'), payload.get('text'))}", kind
    return None


def _digest(*values: Any) -> str:
    """Return a short name of a text; its numbers, such as prices or line numbers, don't matter."""
    return _hashed(_NUMBER.sub("#", repr(values)))


def _hashed(text: str) -> str:
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=8).hexdigest()


def _read(kept: Any) -> dict[str, _Streak]:
    try:
        return {name: _read_streak(streak) for name, streak in (kept or {}).items()}
    except (AttributeError, KeyError, TypeError, ValueError):
        # Another version wrote it: counting starts anew.
        return {}


def _read_streak(kept: Mapping[str, Any]) -> _Streak:
    strands = {
        str(kind): _Strand(*(int(each[name]) for name in _Strand.__slots__))
        for kind, each in kept["strands"].items()
    }
    held = kept["held"]
    if held is not None:
        held = (int(held[0]), str(held[1]))
        strands[held[1]]  # held back are only alerts that were counted
    return _Streak(int(kept["last"]), strands, held)
