"""The audit log: who changed what, when and with what outcome; in the database and in the log."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

log = logging.getLogger(__name__)


class Person(Protocol):
    """Whoever acts: a Discord user or a job's owner."""

    @property
    def id(self) -> int:
        """Discord's id."""

    @property
    def name(self) -> str:
        """Discord's user name."""


@dataclass(frozen=True, slots=True)
class Actor:
    """A person known by id and name."""

    id: int
    name: str


class AuditTable(Protocol):
    """Where entries are kept."""

    async def append_audit(
        self,
        *,
        user_id: int,
        user_name: str,
        command: str,
        options: Mapping[str, Any],
        outcome: str,
    ) -> None:
        """Keep an entry with the present time."""


class Audit:
    """Writes entries; a database that fails is logged and stops nobody's work."""

    def __init__(self, table: AuditTable) -> None:
        self._table = table

    async def record(
        self,
        actor: Person,
        action: str,
        *,
        details: Mapping[str, Any] | None = None,
        outcome: str = "done",
    ) -> None:
        """Record a state change, or an attempt at one."""
        extra = {"actor": actor.id, "actor_name": actor.name, "outcome": outcome}
        given = {key: value for key, value in (details or {}).items() if value not in (None, {})}
        log.info("audit %s %s", action, given, extra=extra)
        try:
            await self._table.append_audit(
                user_id=actor.id,
                user_name=actor.name,
                command=action,
                options=given,
                outcome=outcome,
            )
        except Exception:
            log.exception("an audit entry could not be stored")
