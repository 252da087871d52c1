"""The command tree: one check before every command and button, one place where errors end up.

No command lives here; what is wrong in a command or component is answered and logged here only.
"""

import hashlib
import json
import logging
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import discord
from discord import app_commands

from bot.audit import Audit
from bot.permissions import Access, Gate, access_of, caller_of
from bot.ui.failures import cause, explain, unexpected
from bot.ui.replies import answer_privately

log = logging.getLogger(__name__)

Interaction = discord.Interaction[Any]

_ERROR_ID_BYTES: Final = 4


class KeyValues(Protocol):
    """Small values that outlive the process."""

    async def get_setting(self, key: str, default: Any = None) -> Any:
        """Return a value that was kept, or the default."""

    async def set_setting(self, key: str, value: Any) -> None:
        """Keep a value, in place of the one before."""


class JesseTree(app_commands.CommandTree[Any]):
    """Commands of the one guild; `gate`, `audit` and `redact` are set by the client."""

    gate: Gate
    audit: Audit
    redact: Callable[[str], str]

    async def interaction_check(self, interaction: Interaction, /) -> bool:
        """Let an interaction through, or say why not; unknown commands pass and fail later."""
        command = interaction.command
        if not isinstance(command, app_commands.Command):
            return True
        name = f"/{command.qualified_name}"
        try:
            return await self.admit(interaction, access_of(command), action=name)
        except Exception as error:  # noqa: BLE001 - the border of all commands
            await self.report(interaction, error)
            return False

    async def admit(self, interaction: Interaction, access: Access, *, action: str) -> bool:
        """Check whether somebody may do this here; tell them if not."""
        refusal = self.gate.refusal(caller_of(interaction), access)
        if refusal is None:
            return True
        typing = interaction.type is discord.InteractionType.autocomplete
        if access is Access.OPERATE and not typing:
            await self.audit.record(interaction.user, action, outcome="refused")
        await answer_privately(interaction, f"⛔ {refusal}")
        return False

    async def on_error(
        self, interaction: Interaction, error: app_commands.AppCommandError, /
    ) -> None:
        """Answer and log what a command raised."""
        await self.report(interaction, error)

    async def report(self, interaction: Interaction, error: BaseException) -> None:
        """Answer and log whatever went wrong in a command, button or modal."""
        error = cause(error)
        where = {"user": interaction.user.id, "action": action_of(interaction)}
        text = explain(error, self.redact)
        if text is not None:
            notes = "\n".join(getattr(error, "__notes__", ()))
            message = self.redact(f"{type(error).__name__}: {error}")
            log.info("refused: %s", message, extra=where | ({"notes": notes} if notes else {}))
        else:
            error_id = secrets.token_hex(_ERROR_ID_BYTES)
            text = unexpected(error_id)
            log.error("unexpected error %s", error_id, exc_info=error, extra=where)
        await answer_privately(interaction, text)

    async def sync_if_changed(self, values: KeyValues, guild: discord.Object) -> dict[str, int]:
        """Give Discord the commands if their definitions changed; return command ids by name."""
        self._declare_defaults()
        self.clear_commands(guild=guild)
        self.copy_global_to(guild=guild)
        key = f"commands:{self.client.application_id}:{guild.id}"
        digest = self.definition_hash(guild)
        known: Mapping[str, Any] = await values.get_setting(key, {})
        if known.get("hash") == digest and await self._are_there(known["ids"], guild):
            log.info("commands unchanged: not synced")
            return dict(known["ids"])
        synced = await self.sync(guild=guild)
        ids = {command.name: command.id for command in synced}
        await values.set_setting(key, {"hash": digest, "ids": ids})
        log.info("commands synced", extra={"commands": len(ids)})
        return ids

    async def _are_there(self, ids: Mapping[str, int], guild: discord.Object) -> bool:
        """Whether Discord still has what was synced: a bot invited anew has lost its commands."""
        found = await self.fetch_commands(guild=guild)
        return {command.name: command.id for command in found} == dict(ids)

    def definition_hash(self, guild: discord.Object) -> str:
        """Return a hash of what Discord would be given."""
        definitions = [command.to_dict(self) for command in self.get_commands(guild=guild)]
        ordered = sorted(definitions, key=lambda definition: str(definition["name"]))
        text = json.dumps(ordered, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    def _declare_defaults(self) -> None:
        for command in self.walk_commands():
            assert isinstance(command, app_commands.Command | app_commands.Group)
            access = access_of(command)
            if command.parent is None:
                command.default_permissions = self.gate.default_permissions(access)
                command.guild_only = True


def action_of(interaction: Interaction) -> str:
    """Return what somebody did, for logs: a command's name or a component's id."""
    if interaction.command is not None:
        return f"/{interaction.command.qualified_name}"
    return custom_id_of(interaction) or interaction.type.name


def custom_id_of(interaction: Interaction) -> str:
    """Return the id of the component that somebody used, empty for a command."""
    data: Mapping[str, Any] = dict(interaction.data or {})
    return str(data.get("custom_id", ""))
