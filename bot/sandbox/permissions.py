"""Discord's permission bits and how roles and a channel's overwrites make up a member's rights."""

from collections.abc import Iterable
from enum import IntFlag

from bot.sandbox.models import Overwrite, Role


class Permission(IntFlag):
    """The permissions that the sandbox checks, by Discord's bits."""

    ADMINISTRATOR = 1 << 3
    MANAGE_CHANNELS = 1 << 4
    MANAGE_GUILD = 1 << 5
    ADD_REACTIONS = 1 << 6
    VIEW_CHANNEL = 1 << 10
    SEND_MESSAGES = 1 << 11
    MANAGE_MESSAGES = 1 << 13
    EMBED_LINKS = 1 << 14
    ATTACH_FILES = 1 << 15
    READ_MESSAGE_HISTORY = 1 << 16
    MENTION_EVERYONE = 1 << 17
    MANAGE_ROLES = 1 << 28
    MANAGE_WEBHOOKS = 1 << 29
    USE_APPLICATION_COMMANDS = 1 << 31
    MANAGE_THREADS = 1 << 34
    CREATE_PUBLIC_THREADS = 1 << 35
    CREATE_PRIVATE_THREADS = 1 << 36
    SEND_MESSAGES_IN_THREADS = 1 << 38
    PIN_MESSAGES = 1 << 51


ALL = (1 << 53) - 1

MEMBER_DEFAULT = (
    Permission.VIEW_CHANNEL
    | Permission.SEND_MESSAGES
    | Permission.EMBED_LINKS
    | Permission.ATTACH_FILES
    | Permission.ADD_REACTIONS
    | Permission.READ_MESSAGE_HISTORY
    | Permission.USE_APPLICATION_COMMANDS
    | Permission.CREATE_PUBLIC_THREADS
    | Permission.SEND_MESSAGES_IN_THREADS
)


def base_permissions(roles: Iterable[Role], *, is_owner: bool = False) -> int:
    """Return a member's permissions in the guild, before any channel's overwrites."""
    total = 0
    for role in roles:
        total |= role.permissions
    return ALL if is_owner or total & Permission.ADMINISTRATOR else total


def channel_permissions(
    base: int, overwrites: Iterable[Overwrite], *, guild_id: int, role_ids: set[int], user_id: int
) -> int:
    """Return the permissions in a channel: @everyone, then roles together, then the member."""
    if base & Permission.ADMINISTRATOR:
        return ALL
    layers = ([0, 0], [0, 0], [0, 0])
    for overwrite in overwrites:
        layer = _layer(overwrite, guild_id=guild_id, role_ids=role_ids, user_id=user_id)
        if layer is not None:
            layers[layer][0] |= overwrite.allow
            layers[layer][1] |= overwrite.deny
    for allow, deny in layers:
        base = (base & ~deny) | allow
    # Without sight of a channel nothing else in it is allowed either.
    return base if base & Permission.VIEW_CHANNEL else 0


def _layer(overwrite: Overwrite, *, guild_id: int, role_ids: set[int], user_id: int) -> int | None:
    if overwrite.is_member:
        return 2 if overwrite.target_id == user_id else None
    if overwrite.target_id == guild_id:
        return 0
    return 1 if overwrite.target_id in role_ids else None
