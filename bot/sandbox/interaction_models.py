"""What an interaction is: its kinds, its stages and its record. interactions.py moves it along."""

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from bot.sandbox.errors import DiscordError
from bot.sandbox.models import Payload


class InteractionKind(IntEnum):
    """What the user did, by Discord's numbers."""

    COMMAND = 2
    COMPONENT = 3
    AUTOCOMPLETE = 4
    MODAL_SUBMIT = 5


class Callback(IntEnum):
    """How a bot may acknowledge, by Discord's numbers."""

    REPLY = 4
    DEFERRED_REPLY = 5
    DEFERRED_UPDATE = 6
    UPDATE_MESSAGE = 7
    AUTOCOMPLETE = 8
    MODAL = 9


class Stage(StrEnum):
    """How far an interaction is; FAILED is "The application did not respond"."""

    WAITING = "waiting"
    DEFERRED = "deferred"
    ANSWERED = "answered"
    FAILED = "failed"


@dataclass(slots=True)
class Interaction:
    """One interaction with all that became of it; times are the sandbox clock's, in seconds.

    `source_id` is the message whose component was used. `refusals` are Discord's error answers.
    """

    id: int
    token: str
    kind: InteractionKind
    user_id: int
    channel_id: int
    guild_id: int | None
    created_at: float
    data: Payload
    source_id: int | None = None
    stage: Stage = Stage.WAITING
    acknowledged_at: float | None = None
    callback: Callback | None = None
    original_id: int | None = None
    followup_ids: list[int] = field(default_factory=list)
    modal: Payload | None = None
    choices: list[Payload] = field(default_factory=list)
    refusals: list[DiscordError] = field(default_factory=list)


def find_focused(options: list[Payload]) -> Payload | None:
    """Return the option that the user is typing in, however deep it stands."""
    for option in options:
        if option.get("focused"):
            return option
        found = find_focused(option.get("options") or [])
        if found is not None:
            return found
    return None
