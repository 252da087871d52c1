"""What exists in the sandbox's Discord: frozen records of users, channels, messages, interactions.

No JSON of Discord's is built here (see payloads.py) and nothing changes here (see state.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import Any

Payload = dict[str, Any]

DISCORD_EPOCH_MS = 1_420_070_400_000


class ChannelType(IntEnum):
    """The kinds of channel that the sandbox knows, by Discord's numbers."""

    TEXT = 0
    DM = 1
    PUBLIC_THREAD = 11
    PRIVATE_THREAD = 12


THREAD_TYPES = frozenset({ChannelType.PUBLIC_THREAD, ChannelType.PRIVATE_THREAD})


class MessageFlag(IntFlag):
    """The message flags that the sandbox gives a meaning to."""

    SUPPRESS_EMBEDS = 1 << 2
    HAS_THREAD = 1 << 5
    EPHEMERAL = 1 << 6
    LOADING = 1 << 7
    SUPPRESS_NOTIFICATIONS = 1 << 12
    COMPONENTS_V2 = 1 << 15


NO_FLAGS = MessageFlag(0)


@dataclass(frozen=True, slots=True)
class User:
    """Somebody with an account: a person or the bot."""

    id: int
    name: str
    bot: bool = False


@dataclass(frozen=True, slots=True)
class Role:
    """A role of a guild; the one whose id is the guild's is @everyone."""

    id: int
    guild_id: int
    name: str
    permissions: int
    position: int = 0
    managed_by: int | None = None


@dataclass(frozen=True, slots=True)
class Overwrite:
    """What a channel allows and denies one role (`is_member` false) or one member."""

    target_id: int
    is_member: bool
    allow: int = 0
    deny: int = 0


@dataclass(frozen=True, slots=True)
class Guild:
    """A server."""

    id: int
    name: str
    owner_id: int


@dataclass(frozen=True, slots=True)
class Member:
    """A user's place in one guild."""

    guild_id: int
    user_id: int
    role_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Channel:
    """A text channel, a thread in one (`parent_id`) or a direct message (`recipient_ids`)."""

    id: int
    type: ChannelType
    name: str
    guild_id: int | None = None
    position: int = 0
    topic: str | None = None
    overwrites: tuple[Overwrite, ...] = ()
    parent_id: int | None = None
    owner_id: int | None = None
    archived: bool = False
    locked: bool = False
    auto_archive_minutes: int = 1440
    created_at: float = 0.0
    recipient_ids: tuple[int, ...] = ()

    @property
    def is_thread(self) -> bool:
        """Whether this is a thread inside a text channel."""
        return self.type in THREAD_TYPES


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file as it came in a request."""

    filename: str
    data: bytes = field(repr=False)
    content_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that a message carries."""

    id: int
    channel_id: int
    filename: str
    data: bytes = field(repr=False)
    content_type: str
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One version of a message; `visible_to` is set for an ephemeral one.

    `pinged_ids` are the users and roles whom the text really notifies.
    """

    id: int
    channel_id: int
    author: User
    created_at: float
    content: str = ""
    embeds: tuple[Payload, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    components: tuple[Payload, ...] = ()
    flags: MessageFlag = NO_FLAGS
    type: int = 0
    edited_at: float | None = None
    nonce: str | None = None
    pinned: bool = False
    webhook_id: int | None = None
    application_id: int | None = None
    interaction_metadata: Payload | None = None
    reference_id: int | None = None
    thread_id: int | None = None
    visible_to: int | None = None
    pinged_ids: tuple[int, ...] = ()
    pings_everyone: bool = False

    @property
    def ephemeral(self) -> bool:
        """Whether only one user can see this message."""
        return bool(self.flags & MessageFlag.EPHEMERAL)

    @property
    def loading(self) -> bool:
        """Whether this is the "thinking" of a deferred answer."""
        return bool(self.flags & MessageFlag.LOADING)


@dataclass(frozen=True, slots=True)
class Webhook:
    """An incoming webhook of a channel."""

    id: int
    token: str
    channel_id: int
    name: str
    application_id: int | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """A registered application command; `guild_id` is None for a global one."""

    id: int
    guild_id: int | None
    version: int
    definition: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The command's name as the user types it."""
        return str(self.definition["name"])
