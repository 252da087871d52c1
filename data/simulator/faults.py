"""The faults an exchange can be told to show, and the counters of what happened.

`Faults` is what is asked for; `FaultControl` uses it up request by request and frame by frame.
The faults themselves are carried out where answers and frames are sent.
"""

import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

import numpy as np

from data.simulator.errors import FaultRequestError
from data.simulator.path import CandleUnits

RestFault = Literal["too_many_requests", "banned", "server_error", "slow", "reset", "truncated"]
_REST_FAULTS: tuple[RestFault, ...] = (
    "too_many_requests",
    "banned",
    "server_error",
    "slow",
    "reset",
    "truncated",
)
CloseFault = Literal["revised_closes", "late_closes", "swapped_closes", "duplicate_closes"]


class GapWhere(StrEnum):
    """Tell where candles are missing."""

    EVERYWHERE = "everywhere"
    STREAM = "stream"


@dataclass(frozen=True, slots=True)
class Gap:
    """Leave out a symbol's candles with first_ms <= open time <= last_ms."""

    symbol: str
    first_ms: int
    last_ms: int
    where: GapWhere = GapWhere.EVERYWHERE


@dataclass(frozen=True, slots=True)
class Faults:
    """Ask for faults; a number N of answers or frames concerns the next N.

    REST (only paths that start with `rest_path`): `too_many_requests` 429, `banned` 418,
    `server_error` 503, `slow` answers after `slow_seconds` (real), `reset` connections (many
    clients repeat a GET once when a kept connection breaks: ask for two), `truncated` bodies.
    Streams: `mute` sockets are connected but silent; of the closing frames
    N are late by `late_ms` (market), sent after the following closing frame of their stream
    (`swapped_closes`), sent twice, or carry values that REST later corrects
    (`revised_closes`). Until `outage_until_ms` (market) every connection is reset at once.
    `gaps` are candles that do not exist. `time_offset_ms` shifts the server's time.
    """

    rest_path: str = ""
    too_many_requests: int = 0
    banned: int = 0
    server_error: int = 0
    slow: int = 0
    reset: int = 0
    truncated: int = 0
    retry_after_s: int = 1
    slow_seconds: float = 1.0
    mute: bool = False
    late_closes: int = 0
    swapped_closes: int = 0
    duplicate_closes: int = 0
    revised_closes: int = 0
    late_ms: int = 20_000
    outage_until_ms: int = 0
    gaps: tuple[Gap, ...] = ()
    time_offset_ms: int = 0


class FaultControl:
    """Keep the faults still to be shown, and count what was served and what was not."""

    def __init__(self, faults: Faults | None = None) -> None:
        self._faults = faults or Faults()
        self.counters: Counter[str] = Counter()

    @property
    def current(self) -> Faults:
        """Return the faults still to be shown."""
        return self._faults

    def set(self, **changes: Any) -> Faults:
        """Change some faults, keep the others; unknown names raise FaultRequestError."""
        known = {field.name: type(field.default) for field in dataclasses.fields(Faults)}
        unknown = sorted(set(changes) - set(known))
        if unknown:
            raise FaultRequestError(f"no fault {' '.join(unknown)}; there are: {' '.join(known)}")
        for name, value in changes.items():
            _check(name, value, known[name])
        self._faults = dataclasses.replace(self._faults, **changes)
        return self._faults

    def clear(self) -> None:
        """Show no more faults."""
        self._faults = Faults()

    def take_rest_fault(self, path: str) -> RestFault | None:
        """Return the fault that the next answer shows, and count it off."""
        if not path.startswith(self._faults.rest_path):
            return None
        return next((name for name in _REST_FAULTS if self._take(name)), None)

    def take_close_fault(self, name: CloseFault) -> bool:
        """Tell whether the next closing frame shows this fault, and count it off."""
        return self._take(name)

    def in_outage(self, now_ms: int) -> bool:
        """Tell whether the exchange is unreachable at this market time."""
        return now_ms < self._faults.outage_until_ms

    def hides_from_stream(self, symbol: str, open_time_ms: int) -> bool:
        """Tell whether what belongs to this candle never comes over the stream."""
        return any(
            gap.symbol == symbol and gap.first_ms <= open_time_ms <= gap.last_ms
            for gap in self._faults.gaps
        )

    def without_gaps(self, symbol: str, candles: CandleUnits, length_ms: int) -> CandleUnits:
        """Return the candles that REST shows: those not wholly inside a gap."""
        for gap in self._faults.gaps:
            if gap.symbol == symbol and gap.where is GapWhere.EVERYWHERE:
                opens = candles["timestamp"]
                last_minute = opens + length_ms - 60_000
                inside = (opens >= gap.first_ms) & (last_minute <= gap.last_ms)
                candles = candles[np.logical_not(inside)]
        return candles

    def _take(self, name: RestFault | CloseFault) -> bool:
        left: int = getattr(self._faults, name)
        if left <= 0:
            return False
        fewer: dict[str, Any] = {name: left - 1}
        self._faults = dataclasses.replace(self._faults, **fewer)
        self.counters[name] += 1
        return True


def parse_faults(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes a JSON object asks for; wrong shapes raise FaultRequestError."""
    changes = dict(body)
    if "gaps" in changes:
        try:
            changes["gaps"] = tuple(
                Gap(**{**gap, "where": GapWhere(gap.get("where", GapWhere.EVERYWHERE))})
                for gap in changes["gaps"]
            )
        except (TypeError, ValueError, AttributeError) as error:
            raise FaultRequestError(
                f"gaps must be a list of {{symbol, first_ms, last_ms, where}}: {error}"
            ) from error
    return changes


def _check(name: str, value: object, expected: type) -> None:
    fits = isinstance(value, expected) and isinstance(value, bool) == (expected is bool)
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        fits = True
    if not fits:
        raise FaultRequestError(f"{name} must be {expected.__name__}, not {value!r}")
