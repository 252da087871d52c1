"""Who may do what: one declaration per command or component, used by Discord and at run time.

Deny by default: what declares nothing can't be registered. Nothing here answers a user.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

import discord
from discord import app_commands

Command = TypeVar("Command", bound="app_commands.Command[Any, ..., Any] | app_commands.Group")
AnyCommand = app_commands.Command[Any, ..., Any] | app_commands.Group

_KEY: Final = "access"


class Access(StrEnum):
    """What a command or component does; reading is open to the channel, the rest to operators."""

    READ = "read"
    OPERATE = "operate"


@dataclass(frozen=True, slots=True)
class Caller:
    """Where somebody acts and what Discord says about them; `parent_id` is set in threads."""

    user_id: int
    guild_id: int | None
    channel_id: int | None
    parent_id: int | None = None
    role_ids: frozenset[int] = frozenset()
    manages_guild: bool = False


@dataclass(frozen=True, slots=True)
class Gate:
    """The one guild and the channels that are served, and who operates there."""

    guild_id: int
    channel_ids: tuple[int, ...]
    operator_role_id: int | None = None

    def refusal(self, caller: Caller, access: Access) -> str | None:
        """Return why somebody may not do this here, None if they may; speaks Discord's markdown."""
        if caller.guild_id != self.guild_id:
            return f"I only work in the server that I was set up for, in {self._channels()}."
        if not {caller.channel_id, caller.parent_id} & set(self.channel_ids):
            return f"I don't work in this channel: use {self._channels()} or a thread of it."
        if access is Access.OPERATE and not self.is_operator(caller):
            return f"Only {self._operators()} may do this. Reading is open to you: see /help."
        return None

    def is_operator(self, caller: Caller) -> bool:
        """Tell whether somebody may change things."""
        return caller.manages_guild or self.operator_role_id in caller.role_ids

    def default_permissions(self, access: Access) -> discord.Permissions | None:
        """Return whom Discord's client offers a command to; None is everybody.

        Discord can hide a command by permission, not by role. So with an operator role it is shown
        to all and checked at run time; hiding it would take it from the operators as well.
        """
        if access is Access.READ or self.operator_role_id is not None:
            return None
        return discord.Permissions(manage_guild=True)

    def _channels(self) -> str:
        return " or ".join(f"<#{channel_id}>" for channel_id in self.channel_ids)

    def _operators(self) -> str:
        managers = "members with the permission Manage Server"
        if self.operator_role_id is None:
            return managers
        return f"<@&{self.operator_role_id}> and {managers}"


def needs(access: Access) -> Callable[[Command], Command]:
    """Declare what a command does; both Discord's default and the check follow from it."""

    def declare(command: Command) -> Command:
        command.extras[_KEY] = access
        return command

    return declare


def access_of(command: AnyCommand) -> Access:
    """Return what a command declared, or its group.

    Raises:
        TypeError: it declared nothing, which is a mistake in the code.
    """
    found: AnyCommand | None = command
    while found is not None:
        if _KEY in found.extras:
            return Access(found.extras[_KEY])
        found = found.parent
    raise TypeError(f"/{command.qualified_name} doesn't declare who may use it: add @needs(...)")


def caller_of(interaction: discord.Interaction[Any]) -> Caller:
    """Return who acts where, from what Discord sent with the interaction."""
    user, channel = interaction.user, interaction.channel
    roles = frozenset(role.id for role in user.roles) if isinstance(user, discord.Member) else ()
    held = interaction.permissions
    in_guild = interaction.guild_id is not None
    return Caller(
        user_id=user.id,
        guild_id=interaction.guild_id,
        channel_id=interaction.channel_id,
        parent_id=channel.parent_id if isinstance(channel, discord.Thread) else None,
        role_ids=frozenset(roles),
        manages_guild=in_guild and (held.manage_guild or held.administrator),
    )
