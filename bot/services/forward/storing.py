"""Where what runners do goes: what stores it, which of its errors last, and who is told."""

from typing import TYPE_CHECKING, Final, Protocol

from data.errors import (
    DatabaseCorrupted,
    DatabaseMismatch,
    DatabaseMisused,
    RecordConflict,
    StoreError,
    UnknownRecord,
    UnstorableValue,
)
from data.storage.records import ForwardEvent, ForwardTestStatus, StepRecord
from data.streams.events import StreamDown, StreamUp

if TYPE_CHECKING:
    from bot.services.forward.runner import ForwardRunner

# A full disk or a lock passes; these don't.
_LASTING: Final = (
    DatabaseCorrupted,
    DatabaseMismatch,
    DatabaseMisused,
    RecordConflict,
    UnknownRecord,
    UnstorableValue,
)


class StepStore(Protocol):
    """Stores steps and states of forward tests; the database is one."""

    async def commit_step(self, record: StepRecord) -> bool:
        """Store a step whole."""

    async def save_event(self, test_id: int, event: ForwardEvent) -> None:
        """Store what happened beside the engine."""

    async def set_forward_test_status(
        self, test_id: int, status: ForwardTestStatus, *, fault: str | None = None
    ) -> None:
        """Store what the test is doing."""


class RunnerWatcher(Protocol):
    """Is told of what a runner did; must not raise."""

    def on_step(self, runner: "ForwardRunner", record: StepRecord) -> None:
        """Note that a step was stored."""

    def on_fault(self, runner: "ForwardRunner", reason: str) -> None:
        """Note that the test can't go on by itself."""


def is_lasting(error: StoreError) -> bool:
    """Tell whether an error will be there again, however long one waits."""
    return isinstance(error, _LASTING)


def told_of_outage(event: StreamDown | StreamUp) -> ForwardEvent:
    """Return the event that keeps that the stream broke, or was back."""
    if isinstance(event, StreamDown):
        return ForwardEvent(event.since_ms, "stream_down", {"reason": event.reason})
    gap = {"gap_from": event.gap_from, "gap_to": event.gap_to}
    return ForwardEvent(event.gap_to, "stream_up", gap)
