"""Faults on request: errors, rate limits and lost answers on REST, silence on the gateway.

This only holds what was asked for; rest.py and gateway.py act on it.
"""

import re
from dataclasses import dataclass
from enum import StrEnum


class FaultKind(StrEnum):
    """What happens to a request."""

    ERROR = "error"
    RATE_LIMIT = "rate_limit"
    RESET = "reset"
    LOST_ANSWER = "lost_answer"


@dataclass(slots=True)
class Fault:
    """A fault for the next `remaining` requests whose method and path match."""

    kind: FaultKind
    remaining: int
    method: str | None = None
    path: str | None = None
    status: int = 500
    retry_after_s: float = 0.0
    is_global: bool = False

    def matches(self, method: str, path: str) -> bool:
        """Whether it applies to this request; `path` is a regular expression to search."""
        return (self.method in (None, method)) and (
            self.path is None or re.search(self.path, path) is not None
        )


class Faults:
    """The faults that are to come; each method adds one."""

    def __init__(self) -> None:
        self._pending: list[Fault] = []
        self.acknowledges_heartbeats = True
        self.network_down = False
        self.refuses_gateway = False

    def fail_next(
        self,
        count: int = 1,
        *,
        status: int = 500,
        method: str | None = None,
        path: str | None = None,
    ) -> None:
        """Answer the next `count` matching requests with an HTTP error such as 500 or 503."""
        self._pending.append(Fault(FaultKind.ERROR, count, method, path, status=status))

    def rate_limit_next(
        self,
        count: int = 1,
        *,
        retry_after_s: float,
        is_global: bool = False,
        method: str | None = None,
        path: str | None = None,
    ) -> None:
        """Answer the next `count` matching requests with 429."""
        fault = Fault(FaultKind.RATE_LIMIT, count, method, path, 429, retry_after_s, is_global)
        self._pending.append(fault)

    def reset_next(
        self, count: int = 1, *, method: str | None = None, path: str | None = None
    ) -> None:
        """Reset the connection of the next `count` matching requests, which have no effect."""
        self._pending.append(Fault(FaultKind.RESET, count, method, path))

    def lose_answer_next(
        self, count: int = 1, *, method: str | None = None, path: str | None = None
    ) -> None:
        """Carry out the next `count` matching requests, but let their answers end as a 502."""
        self._pending.append(Fault(FaultKind.LOST_ANSWER, count, method, path, status=502))

    def clear(self) -> None:
        """Forget every fault."""
        self._pending.clear()
        self.acknowledges_heartbeats = True
        self.refuses_gateway = False

    def take(self, method: str, path: str) -> Fault | None:
        """Return the fault for this request, if any, and count it."""
        for fault in self._pending:
            if fault.matches(method, path):
                fault.remaining -= 1
                if fault.remaining <= 0:
                    self._pending.remove(fault)
                return fault
        return None
