"""What a symbol needs of the connection that its frames come over. Nothing else lives here."""

from typing import Protocol


class Link(Protocol):
    """The connection that a symbol's frames come over."""

    @property
    def heard_at(self) -> float:
        """Return when (monotonic) anything came, pongs included."""

    async def ping(self) -> None:
        """Ask for a sign of life."""

    def replace(self, reason: str) -> None:
        """Give the open socket up and open another."""
