"""What the database takes and gives: frozen records. Times are ms UTC, money is USD. No SQL."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from engine.orders import Position, Trade


class ForwardTestStatus(StrEnum):
    """What a forward test is doing."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    FAULTED = "faulted"


class JobState(StrEnum):
    """How far a job has come; `interrupted` means that the process ended under it."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"

    @property
    def is_over(self) -> bool:
        """Whether a job in this state will never change again."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewForwardTest:
    """A forward test to be created; its name is unique for ever."""

    name: str
    strategy: str
    params: Mapping[str, Any]
    symbol: str
    exchange: str
    config: Mapping[str, Any]
    status: ForwardTestStatus = ForwardTestStatus.RUNNING
    channel_id: int | None = None
    thread_id: int | None = None
    created_by: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardTest:
    """A stored forward test; `fault` says why it is faulted, and only then."""

    id: int
    name: str
    strategy: str
    params: Mapping[str, Any]
    symbol: str
    exchange: str
    config: Mapping[str, Any]
    status: ForwardTestStatus
    fault: str | None
    created_at: int
    started_market_time: int | None
    stopped_at: int | None
    channel_id: int | None
    thread_id: int | None
    status_message_id: int | None
    created_by: int | None


@dataclass(frozen=True, slots=True)
class StoredTrade:
    """A trade of a forward test; `recovered` when it was filled while the program was away."""

    test_id: int
    trade: Trade
    recovered: bool = False


@dataclass(frozen=True, slots=True)
class Tally:
    """Some trades summed up: how many, how many won, and their net profit in USD."""

    trades: int
    won: int
    pnl: float


@dataclass(frozen=True, slots=True)
class StoredPortfolio:
    """The book of a forward test; `step` is the number of the last step stored, 0 before any."""

    test_id: int
    balance: float
    equity: float
    last_candle_time: int | None
    step: int = 0


@dataclass(frozen=True, slots=True)
class EquityMark:
    """Equity at one time."""

    time: int
    equity: float


@dataclass(frozen=True, slots=True)
class ForwardEvent:
    """Something that happened to a forward test: an outage, a late candle, a manual close."""

    time: int
    kind: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """A message to be sent once: one of the same `dedupe_key` is never stored again."""

    dedupe_key: str
    kind: str
    channel: str
    payload: Mapping[str, Any]
    test_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxMessage:
    """A stored message; it is pending until it is sent, abandoned or muted."""

    id: int
    dedupe_key: str
    kind: str
    test_id: int | None
    channel: str
    payload: Mapping[str, Any]
    created_at: int
    attempts: int
    next_attempt_at: int
    sent_at: int | None
    abandoned_at: int | None
    last_error: str | None
    muted_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job to be queued."""

    id: str
    kind: str
    request: Mapping[str, Any]
    author_id: int | None = None
    channel_id: int | None = None
    message_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A stored job; `result` is small, `error` is for its author to read."""

    id: str
    kind: str
    author_id: int | None
    channel_id: int | None
    message_id: int | None
    request: Mapping[str, Any]
    state: JobState
    created_at: int
    finished_at: int | None
    error: str | None
    result: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """A command that somebody gave, and what became of it."""

    id: int
    time: int
    user_id: int
    user_name: str
    command: str
    options: Mapping[str, Any]
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """One step of an engine: all of it is stored, or none.

    Steps of a test are numbered 1, 2, 3 ...; the next is `get_portfolio(test_id).step + 1`.
    `positions` are all that are open after it, `snapshot` is what `Engine.snapshot` gave, the rest
    is what this step added. `recovered` holds for all its trades.
    """

    test_id: int
    step: int
    last_candle_time: int
    balance: float
    equity: float
    snapshot: Mapping[str, Any]
    positions: tuple[Position, ...] = ()
    trades: tuple[Trade, ...] = ()
    recovered: bool = False
    equity_marks: tuple[EquityMark, ...] = ()
    events: tuple[ForwardEvent, ...] = ()
    alerts: tuple[NewMessage, ...] = ()
