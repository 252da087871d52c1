"""Which alerts are on, silent or off, kept over restarts. Sends nothing and knows no Discord."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from bot.errors import InvalidInput
from bot.services import alert_kinds as kinds
from bot.services.forward.alerts import TRADE_CLOSE, TRADE_OPEN
from bot.services.scheduled.records import KeyValues

_CHOSEN: Final = "alerts:states"
_SUMMARY: Final = "summary_"


class AlertState(StrEnum):
    """How alerts come: with a notification, without one, or not at all."""

    ON = "on"
    SILENT = "silent"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class AlertTopic:
    """Alerts that people switch together, in their words.

    `when_off` says what goes unnoticed then. Problems can't be off: it says why.
    """

    key: str
    title: str
    tells: str
    when_off: str
    may_be_off: bool = True


TRADE_OPENED: Final = AlertTopic(
    "trade_opened",
    "Trade opened",
    "a forward test opened a position",
    "`/positions` shows what is open.",
)
TRADE_CLOSED: Final = AlertTopic(
    "trade_closed",
    "Trade closed",
    "a forward test closed a position, with its profit or loss",
    "`/trades` lists them.",
)
START_STOP: Final = AlertTopic(
    "start_stop",
    "Start, stop, pause, resume",
    "somebody changed what a forward test does",
    "`/forward list` shows how the tests stand. The message that a test's thread hangs on still"
    " comes, silently.",
)
FAULT: Final = AlertTopic(
    "fault",
    "Fault",
    "a forward test can't go on by itself",
    "a test that is faulted trades no more, and waiting won't mend it: nobody would notice.",
    may_be_off=False,
)
PROBLEM: Final = AlertTopic(
    "problem",
    "Other problems",
    "scheduled work failed, a test could not be resumed, state may be lost",
    "backups, candles or tests would be missing, and nobody would notice.",
    may_be_off=False,
)
NO_DATA: Final = AlertTopic(
    "no_data",
    "No data, and data again",
    "a forward test gets no candles, or gets them again",
    "a test without candles trades nothing; only `/status` and `/forward status` show it then.",
)
CONNECTION: Final = AlertTopic(
    "connection",
    "Connection",
    "the exchange can't be reached, or can be again",
    "only `/status` shows then that the exchange is away.",
)
RECOVERY: Final = AlertTopic(
    "recovery",
    "Recovery after a restart",
    "what was made up for while the bot was away",
    "a restart goes unnoticed; a test that could not be resumed is still told, as a problem.",
)
SUMMARY: Final = AlertTopic(
    "summary",
    "Summaries",
    "how a day or a week went",
    "`/forward list` and `/forward report` show the same on demand.",
)
NOTICE: Final = AlertTopic(
    "notice",
    "Notices",
    "scheduled work works again, and the like",
    "`/schedule list` shows how the scheduled work goes.",
)
TOPICS: Final = (
    TRADE_OPENED, TRADE_CLOSED, START_STOP, FAULT, PROBLEM, NO_DATA, CONNECTION, RECOVERY, SUMMARY,
    NOTICE,
)  # fmt: skip
_TOPICS_OF: Final[Mapping[str, AlertTopic]] = {
    TRADE_OPEN: TRADE_OPENED,
    TRADE_CLOSE: TRADE_CLOSED,
    kinds.START: START_STOP,
    kinds.STOP: START_STOP,
    kinds.PAUSED: START_STOP,
    kinds.RESUMED: START_STOP,
    kinds.FAULT: FAULT,
    kinds.STALL: NO_DATA,
    kinds.BACK: NO_DATA,
    kinds.CONNECTION: CONNECTION,
    kinds.RECOVERY: RECOVERY,
    kinds.NOTE: NOTICE,
}


def topic_of(kind: str, payload: Mapping[str, Any]) -> AlertTopic | None:
    """Return what an alert belongs to, None for a kind that nobody can switch."""
    if kind.startswith(_SUMMARY):
        return SUMMARY
    is_problem = (kind == kinds.NOTE and payload.get("is_problem")) or (
        kind == kinds.RECOVERY and payload.get("left")
    )
    return PROBLEM if is_problem else _TOPICS_OF.get(kind)


@dataclass(frozen=True, slots=True)
class AlertStates:
    """The state of every topic; what nobody chose is on."""

    chosen: Mapping[str, AlertState]

    def of(self, kind: str, payload: Mapping[str, Any]) -> AlertState:
        """Return how an alert is to be sent; an unknown kind is on."""
        topic = topic_of(kind, payload)
        return AlertState.ON if topic is None else self.of_topic(topic)

    def of_topic(self, topic: AlertTopic) -> AlertState:
        """Return a topic's state."""
        state = self.chosen.get(topic.key, AlertState.ON)
        if state is AlertState.OFF and not topic.may_be_off:
            return AlertState.SILENT
        return state


@dataclass(frozen=True, slots=True)
class AlertChange:
    """A topic that was set: its state before and now."""

    topic: AlertTopic
    before: AlertState
    after: AlertState


class AlertSettings:
    """Reads and sets the states in the database's settings."""

    def __init__(self, values: KeyValues) -> None:
        self._values = values
        self._turn = asyncio.Lock()

    async def read(self) -> AlertStates:
        """Return all states as they are kept; what can't be understood counts as on."""
        kept = await self._values.get_setting(_CHOSEN, {})
        known = {str(state) for state in AlertState}
        pairs = kept.items() if isinstance(kept, dict) else ()
        chosen = {key: AlertState(state) for key, state in pairs if str(state) in known}
        return AlertStates(chosen)

    async def set(self, topic_key: str, state: AlertState) -> AlertChange:
        """Set a topic's state; it holds for all that is sent from now on.

        Raises:
            InvalidInput: there is no such topic, or it can't be off.
        """
        topic = next((each for each in TOPICS if each.key == topic_key), None)
        if topic is None:
            known = ", ".join(each.key for each in TOPICS)
            raise InvalidInput(f"there is no kind of alert {topic_key!r}: there are {known}")
        if state is AlertState.OFF and not topic.may_be_off:
            raise InvalidInput(
                f"“{topic.title}” can't be off: {topic.when_off} Choose silent: they come then"
                " without a notification"
            )
        async with self._turn:
            states = await self.read()
            before = states.of_topic(topic)
            chosen = {**states.chosen, topic.key: state}
            await self._values.set_setting(_CHOSEN, {k: str(v) for k, v in chosen.items()})
        return AlertChange(topic, before, state)
