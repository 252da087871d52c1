"""The register of slash commands: global ones and each guild's, and who is offered which."""

from typing import Any

from bot.sandbox import errors, rules, rules_commands
from bot.sandbox.events import Change, ChangeKind
from bot.sandbox.models import Channel, Command, Payload
from bot.sandbox.permissions import Permission
from bot.sandbox.state import State

_GUILD_CONTEXT = 0
_BOT_DM_CONTEXT = 1


class CommandRegister:
    """The registered commands of the one application; scope None is global, else a guild's id.

    `created` counts the commands that were new by name, as Discord's daily limit does.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._scopes: dict[int | None, dict[int, Command]] = {}
        self.created = 0

    def listed(self, scope: int | None) -> list[Command]:
        """Return the commands of one scope in the order of registration."""
        return list(self._scopes.get(scope, {}).values())

    def get(self, scope: int | None, command_id: int) -> Command:
        """Return one command; raise Discord's 10063 if there is none."""
        commands = self._scopes.get(scope, {})
        if command_id not in commands:
            raise errors.unknown("application command")
        return commands[command_id]

    def overwrite(self, scope: int | None, definitions: Any) -> list[Command]:
        """Replace a whole scope; commands that keep their name and type keep their id."""
        rules.require_valid(rules_commands.check_commands(definitions))
        present = {_key(command.definition): command for command in self.listed(scope)}
        kept = (self._made(scope, item, present.get(_key(item))) for item in definitions)
        self._scopes[scope] = {command.id: command for command in kept}
        self._publish(scope)
        return self.listed(scope)

    def upsert(self, scope: int | None, definition: Payload) -> Command:
        """Add one command, or replace the one of the same name."""
        present = {_key(command.definition): command for command in self.listed(scope)}
        return self._put(scope, definition, present.get(_key(definition)))

    def edit(self, scope: int | None, command_id: int, changes: Payload) -> Command:
        """Change some keys of one command."""
        old = self.get(scope, command_id)
        return self._put(scope, {**old.definition, **changes}, old)

    def delete(self, scope: int | None, command_id: int) -> None:
        """Remove one command."""
        self.get(scope, command_id)
        del self._scopes[scope][command_id]
        self._publish(scope)

    def offered(self, channel: Channel, user_id: int) -> list[Command]:
        """Return what Discord's client offers this user here; one name may come twice.

        Counts: the guild, the command's contexts, default_member_permissions, and the right to
        use commands in this channel.
        """
        held = self._state.permissions_in(channel, user_id)
        if not held & Permission.USE_APPLICATION_COMMANDS or not self._bot_is_in(channel):
            return []
        commands = self.listed(None)
        if channel.guild_id is not None:
            commands = self.listed(channel.guild_id) + commands
        return [c for c in commands if _fits_context(c, channel) and _is_permitted(c, held)]

    def _bot_is_in(self, channel: Channel) -> bool:
        bot_id = self._state.bot.id
        return channel.guild_id is None or (channel.guild_id, bot_id) in self._state.members

    def _put(self, scope: int | None, definition: Payload, old: Command | None) -> Command:
        rules.require_valid(rules_commands.check_command(definition))
        command = self._made(scope, definition, old)
        self._scopes.setdefault(scope, {})[command.id] = command
        self._publish(scope)
        return command

    def _made(self, scope: int | None, definition: Payload, old: Command | None) -> Command:
        version = self._state.next_id()
        if old is None:
            self.created += 1
        command_id = self._state.next_id() if old is None else old.id
        return Command(command_id, scope, version, dict(definition))

    def _publish(self, scope: int | None) -> None:
        self._state.log.publish(Change(ChangeKind.COMMANDS_CHANGED, guild_id=scope))


def _key(definition: Any) -> tuple[Any, Any]:
    return definition.get("type", 1), definition.get("name")


def _fits_context(command: Command, channel: Channel) -> bool:
    contexts = command.definition.get("contexts")
    if channel.guild_id is not None:
        return contexts is None or _GUILD_CONTEXT in contexts
    if contexts is None:
        return bool(command.definition.get("dm_permission", True))
    return _BOT_DM_CONTEXT in contexts


def _is_permitted(command: Command, held: int) -> bool:
    needed = command.definition.get("default_member_permissions")
    if needed is None:
        return True
    if int(needed) == 0:
        return bool(held & Permission.ADMINISTRATOR)
    return held & int(needed) == int(needed)
