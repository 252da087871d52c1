"""What a worker process keeps from one piece of work to the next. Knows nothing of what that is."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar, runtime_checkable

Kept = TypeVar("Kept")


@runtime_checkable
class KeepingReport(Protocol):
    """The `report` of a worker process: told of progress, and the place of what it keeps."""

    kept: dict[Any, Any]

    def __call__(self, value: Any) -> None:
        """Tell of progress."""


def kept_by(report: Callable[[Any], None], make: Callable[[], Kept]) -> Kept | None:
    """Return what `make` made in this process, made now if never before.

    None where nothing outlives this piece of work: `report` isn't that of a worker.
    """
    if not isinstance(report, KeepingReport):
        return None
    if make not in report.kept:
        report.kept[make] = make()
    found: Kept = report.kept[make]
    return found
