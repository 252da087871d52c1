"""What the outbox asks of whoever sends, and what it is told in return. Nothing is sent here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from data.storage.records import OutboxMessage


class SendLater(Exception):
    """It did not arrive, or nobody knows; `surely_not` when it certainly did not."""

    def __init__(self, reason: str, *, surely_not: bool = False) -> None:
        super().__init__(reason)
        self.surely_not = surely_not


class NotForThisPlace(Exception):
    """This place is not there and need not be: another one has the message as well."""


class Unsendable(Exception):
    """Discord will never take this content."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages that go out as one; `is_digest` where they are too many to show each.

    It comes silently only where none of them is loud.
    """

    place: str
    messages: tuple[OutboxMessage, ...]
    is_digest: bool = False
    is_silent: bool = False

    @property
    def nonce(self) -> str:
        """What tells this batch from all others."""
        return f"alert-{self.messages[0].id}-{self.messages[-1].id}"[-25:]


class Transport(Protocol):
    """Where messages go."""

    def places(self, message: OutboxMessage) -> Sequence[str]:
        """Return the places that a message goes to, at least one."""

    def stands_alone(self, message: OutboxMessage) -> bool:
        """Tell whether a message can't share a batch."""

    async def send(self, batch: Batch, *, plainly: bool = False) -> None:
        """Send a batch; `plainly` without anything that could be refused.

        Raises:
            SendLater, NotForThisPlace, Unsendable: it was not, or perhaps not, sent.
        """

    async def has_arrived(self, batch: Batch, since: int) -> bool:
        """Tell whether a batch that was tried at a time (ms) is there."""
