"""Candles that were corrected after a forward test acted on them, as stored events. Pure."""

from collections.abc import Sequence
from typing import Final

from data.storage.records import ForwardEvent
from data.streams.events import Revision
from engine.candles import PRICE_COLUMNS
from engine.timeframe import MINUTE_MS

_REVISED: Final = "candle_revised"


def told_of_revision(revision: Revision) -> ForwardEvent:
    """Return the event that keeps a revision; its time is the candle's close (ms).

    Its details are the open time, and each price that changed as seen and as it is now.
    """
    seen, now = revision.delivered, revision.revised
    changed = {
        name: [getattr(seen, name), getattr(now, name)]
        for name in PRICE_COLUMNS
        if getattr(seen, name) != getattr(now, name)
    }
    details = {"open_time": seen.timestamp, "changed": changed}
    return ForwardEvent(seen.timestamp + MINUTE_MS, _REVISED, details)


def revised_closes(events: Sequence[ForwardEvent]) -> tuple[int, ...]:
    """Return the close times (ms) of the candles that were revised, in order, each once."""
    return tuple(sorted({event.time for event in events if event.kind == _REVISED}))
