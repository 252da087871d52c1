"""The JSON that an open page shows: messages, interactions, channels, commands. Changes nothing."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bot.sandbox.driver import UserDriver
from bot.sandbox.errors import DiscordError
from bot.sandbox.interaction_models import Interaction, InteractionKind, Stage
from bot.sandbox.models import Channel, Message, MessageFlag, Payload, User
from bot.sandbox.page.actions import DIRECT
from bot.sandbox.payloads_messages import message_payload
from bot.sandbox.permissions import Permission
from bot.sandbox.rules_commands import NESTING, OptionType
from bot.sandbox.server import SandboxDiscord
from bot.sandbox.views import Modal

KEPT_ON_PAGE = 100

_SLASH_COMMAND = 1
_OPTION_KEYS = (
    "name",
    "description",
    "type",
    "required",
    "choices",
    "autocomplete",
    "min_value",
    "max_value",
    "min_length",
    "max_length",
)


def shown_name(user: User) -> str:
    """Return the name that Discord displays."""
    return user.name if user.bot else user.name.title()


class Renderer:
    """Renders for one user of a sandbox."""

    def __init__(self, sandbox: SandboxDiscord, user: User) -> None:
        self._sandbox = sandbox
        self._state = sandbox.state
        self._user = user

    def snapshot(self, driver: UserDriver) -> Payload:
        """Return all that a page needs to show the channel where the user stands."""
        messages = self._messages(driver)
        pins = [message for message in messages if message.pinned]
        return {
            "type": "snapshot",
            "user": self._author(self._user),
            "bot": self._author(self._state.bot),
            "channel": self.channel(driver.channel),
            "can_write": self.can_write(driver.channel),
            "channels": self.channels(),
            "names": self.names(),
            "commands": self.commands(driver),
            "has_older": len(messages) > KEPT_ON_PAGE,
            "messages": [self.message(message) for message in messages[-KEPT_ON_PAGE:]],
            "pins": [self.message(message) for message in pins],
        }

    def older(self, driver: UserDriver, before: int) -> Payload:
        """Return the messages next before an id."""
        messages = [message for message in self._messages(driver) if message.id < before]
        return {
            "has_older": len(messages) > KEPT_ON_PAGE,
            "messages": [self.message(message) for message in messages[-KEPT_ON_PAGE:]],
        }

    def message(self, message: Message) -> Payload:
        """Return one message; files' addresses are relative to the page."""
        payload = message_payload(self._state, message)
        replied = self._state.messages.get(message.reference_id or 0)
        files = self._with_own_files(payload["attachments"])
        by_name = {f"attachment://{file['filename']}": file["url"] for file in files}
        # A layout shows its files where it names them and nowhere else.
        has_layout = bool(message.flags & MessageFlag.COMPONENTS_V2)
        return {
            "id": str(message.id),
            "kind": message.type,
            "author": self._author(message.author),
            "created_at": message.created_at,
            "edited": message.edited_at is not None,
            "content": message.content,
            "embeds": self._with_own_files(payload["embeds"]),
            "files": [] if has_layout else files,
            "components": _mapped(payload["components"], lambda text: by_name.get(text, text)),
            "ephemeral": message.ephemeral,
            "loading": message.loading,
            "failed": message.loading and self._has_failed(message),
            "pinned": message.pinned,
            "pings_me": self._pings_me(message),
            "used": self._used(message),
            "reply": self._excerpt(replied) if replied is not None else None,
            "thread": self._thread(message),
        }

    def interaction(self, interaction: Interaction) -> Payload:
        """Return how far something that the user did has come."""
        return {
            "type": "interaction",
            "id": str(interaction.id),
            "kind": interaction.kind.name.lower(),
            "stage": str(interaction.stage),
            "created_at": interaction.created_at,
            "command": command_path(interaction.data),
            "source": str(interaction.source_id or ""),
            "control": interaction.data.get("custom_id", ""),
            "answer": str(interaction.original_id or ""),
            "refusals": [str(refusal) for refusal in interaction.refusals],
        }

    def modal(self, modal: Modal) -> Payload:
        """Return a form to fill."""
        return {
            "type": "modal",
            "interaction": str(modal.interaction_id),
            "title": modal.title,
            "components": modal.payload["components"],
        }

    def channel(self, channel: Channel) -> Payload:
        """Return one channel or thread."""
        direct = channel.guild_id is None
        return {
            "id": DIRECT if direct else str(channel.id),
            "name": self._state.bot.name if direct else channel.name,
            "kind": "direct" if direct else "thread" if channel.is_thread else "text",
            "topic": channel.topic or "",
            "parent": str(channel.parent_id or ""),
            "archived": channel.archived,
        }

    def channels(self) -> list[Payload]:
        """Return the channels and threads that the user sees, and the direct messages."""
        state, user_id = self._state, self._user.id
        found = [
            channel
            for channel in sorted(state.channels.values(), key=lambda c: (c.position, c.id))
            if channel.guild_id is not None
            and state.permissions_in(channel, user_id) & Permission.VIEW_CHANNEL
        ]
        direct = state.direct_channel(user_id)
        return [self.channel(channel) for channel in [*found, direct]]

    def can_write(self, channel: Channel) -> bool:
        """Return whether the user may write there."""
        held = self._state.permissions_in(channel, self._user.id)
        return bool(held & Permission.SEND_MESSAGES)

    def names(self) -> Payload:
        """Return what a mention is called, by kind and id."""
        state = self._state
        return {
            "users": {str(user.id): shown_name(user) for user in state.users.values()},
            "roles": {str(role.id): role.name for role in state.roles.values()},
            "channels": {str(channel.id): channel.name for channel in state.channels.values()},
        }

    def commands(self, driver: UserDriver) -> list[Payload]:
        """Return the commands offered here, sub-commands each on their own."""
        return [
            leaf
            for command in driver.commands()
            if command.definition.get("type", _SLASH_COMMAND) == _SLASH_COMMAND
            for leaf in self._leaves(command.definition, command.name, driver.channel)
        ]

    def _leaves(self, holder: Mapping[str, Any], path: str, channel: Channel) -> Iterator[Payload]:
        options: list[Payload] = holder.get("options") or []
        below = [option for option in options if option["type"] in NESTING]
        for option in below:
            yield from self._leaves(option, f"{path} {option['name']}", channel)
        if not below:
            yield {
                "path": path,
                "description": holder.get("description", ""),
                "options": [self._option(option, channel) for option in options],
            }

    def _option(self, option: Payload, channel: Channel) -> Payload:
        shown = {key: option[key] for key in _OPTION_KEYS if option.get(key) is not None}
        candidates = self._candidates(option["type"], channel)
        return {**shown, "candidates": candidates} if candidates else shown

    def _candidates(self, kind: int, channel: Channel) -> list[Payload]:
        state, found = self._state, list[tuple[str, int]]()
        if kind in (OptionType.USER, OptionType.MENTIONABLE):
            found += [(f"@{shown_name(user)}", user.id) for user in state.users.values()]
        if kind in (OptionType.ROLE, OptionType.MENTIONABLE):
            roles = (r for r in state.roles.values() if r.guild_id == channel.guild_id)
            found += [(f"@{role.name.lstrip('@')}", role.id) for role in roles]
        if kind == OptionType.CHANNEL:
            channels = state.guild_channels(channel.guild_id or 0)
            found += [(f"#{item.name}", item.id) for item in channels]
        return [{"name": name, "value": {"id": str(number)}} for name, number in found]

    def _messages(self, driver: UserDriver) -> list[Message]:
        return [self._state.messages[seen.id] for seen in driver.messages()]

    def _author(self, user: User) -> Payload:
        return {"id": str(user.id), "name": shown_name(user), "bot": user.bot}

    def _used(self, message: Message) -> Payload | None:
        about = message.interaction_metadata
        if about is None or "name" not in about:
            return None
        interaction = self._interaction(about)
        path = about["name"] if interaction is None else command_path(interaction.data)
        user = self._state.users[int(about["user"]["id"])]
        return {"author": self._author(user), "command": path}

    def _has_failed(self, message: Message) -> bool:
        interaction = self._interaction(message.interaction_metadata or {})
        return interaction is not None and interaction.stage is Stage.FAILED

    def _interaction(self, about: Mapping[str, Any]) -> Interaction | None:
        try:
            return self._sandbox.desk.get(int(about.get("id", 0)))
        except DiscordError:
            return None

    def _excerpt(self, message: Message) -> Payload:
        titles = (str(embed.get("title") or "") for embed in message.embeds)
        text = message.content or next((title for title in titles if title), "")
        author = self._author(message.author)
        return {"id": str(message.id), "author": author, "text": text[:200]}

    def _thread(self, message: Message) -> Payload | None:
        thread = self._state.channels.get(message.thread_id or 0)
        return None if thread is None else self.channel(thread)

    def _pings_me(self, message: Message) -> bool:
        channel = self._state.channels.get(message.channel_id)
        guild_id = 0 if channel is None else channel.guild_id or 0
        mine = {self._user.id, *(r.id for r in self._state.roles_of(guild_id, self._user.id))}
        return message.pings_everyone or not mine.isdisjoint(message.pinged_ids)

    def _with_own_files(self, value: Any) -> Any:
        prefix = f"{self._state.base_url}/attachments/"

        def own(text: str) -> str:
            return "files/" + text.removeprefix(prefix) if text.startswith(prefix) else text

        return _mapped(value, own)


def command_path(data: Mapping[str, Any]) -> str:
    """Return the command of an interaction's data with its sub-commands, "" if it has none."""
    names = [str(data.get("name", ""))]
    options = data.get("options") or []
    while options and options[0]["type"] in NESTING:
        names.append(options[0]["name"])
        options = options[0].get("options") or []
    return " ".join(names)


def is_shown(interaction: Interaction) -> bool:
    """Whether a page follows this interaction; loading suggestions shows by itself."""
    return interaction.kind is not InteractionKind.AUTOCOMPLETE


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    """Return JSON with every text in it changed."""
    if isinstance(value, dict):
        return {key: _mapped(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mapped(item, change) for item in value]
    return change(value) if isinstance(value, str) else value
