"""Users and channels of a sandbox for tests and for a page: do what a person does in Discord.

The bot's side is never touched here: a user's action becomes an interaction or a message.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.sandbox.answers import WAIT_S, Answer
from bot.sandbox.commands import CommandRegister
from bot.sandbox.composing import Upload, compose
from bot.sandbox.errors import InteractionFailed, InvalidInput, NotOffered
from bot.sandbox.interaction_models import InteractionKind, Stage
from bot.sandbox.interactions import InteractionDesk
from bot.sandbox.models import Channel, Command, Message, Payload, User
from bot.sandbox.options import OptionReader
from bot.sandbox.permissions import Permission
from bot.sandbox.rules_components import LINK_STYLE, SELECTS, ComponentType
from bot.sandbox.state import State
from bot.sandbox.views import Modal, SeenMessage, see_message


@dataclass(frozen=True, slots=True)
class Choice:
    """A suggestion while typing: what is shown and what is sent."""

    name: str
    value: str | int | float


class UserDriver:
    """One user in one channel; every action starts where the user stands."""

    def __init__(
        self,
        state: State,
        commands: CommandRegister,
        desk: InteractionDesk,
        *,
        user: User,
        channel: Channel,
    ) -> None:
        self._state = state
        self._commands = commands
        self._desk = desk
        self.user = user
        self._channel_id = channel.id

    @property
    def channel(self) -> Channel:
        """The channel as it is now; raise NotOffered once it is deleted."""
        return find_channel(self._state, self._channel_id)

    def at(self, channel: str | int) -> "UserDriver":
        """Return the same user in another channel or thread, by name or id."""
        return self._moved(find_channel(self._state, channel))

    def at_dm(self) -> "UserDriver":
        """Return the same user in the direct messages with the bot."""
        return self._moved(self._state.direct_channel(self.user.id))

    def commands(self) -> list[Command]:
        """Return the commands that Discord's client offers here; a name may come twice."""
        return self._commands.offered(self.channel, self.user.id)

    def messages(self) -> list[SeenMessage]:
        """Return what the user sees in the channel, oldest first."""
        if not self._state.permissions_in(self.channel, self.user.id) & Permission.VIEW_CHANNEL:
            return []
        found = self._state.messages_in(self.channel.id)
        return [see_message(self._state, m) for m in found if self._sees(m)]

    async def slash(self, command: str, /, **options: Any) -> Answer:
        """Invoke a slash command such as "backtest" or "forward start".

        Raises NotOffered if the user isn't offered it here, InvalidInput for bad options.
        """
        found, path = self._find(command)
        data = OptionReader(self._state, self.channel).data(found, path, options)
        return self._opened(InteractionKind.COMMAND, data)

    async def autocomplete(
        self,
        command: str,
        /,
        *,
        option: str,
        typed: str = "",
        given: Mapping[str, Any] | None = None,
        timeout_s: float = WAIT_S,
    ) -> list[Choice]:
        """Return what the bot suggests for an option; `given` are the other options so far.

        Raises InteractionFailed if no valid list came within 3 s.
        """
        found, path = self._find(command)
        reader = OptionReader(self._state, self.channel)
        data = reader.data(found, path, given or {}, focused=(option, typed))
        interaction = self._open(InteractionKind.AUTOCOMPLETE, data)
        await self._state.log.wait_until(
            lambda: (interaction.stage is not Stage.WAITING or bool(interaction.refusals)) or None,
            timeout_s=timeout_s,
            what=f"suggestions for {option!r}",
        )
        if interaction.stage is not Stage.ANSWERED:
            refused = [str(refusal) for refusal in interaction.refusals]
            raise InteractionFailed(f"Loading options failed (refused: {refused})")
        return [Choice(choice["name"], choice["value"]) for choice in interaction.choices]

    async def click(self, message: SeenMessage | Answer, control: str) -> Answer:
        """Press a button, named by its custom_id or label."""
        source, component = self._control(message, control, {ComponentType.BUTTON})
        if component.get("style") == LINK_STYLE:
            raise NotOffered(f"{control!r} is a link to {component['url']}, the bot isn't told")
        data = {"custom_id": component["custom_id"], "component_type": 2}
        return self._opened(InteractionKind.COMPONENT, data, source=source)

    async def select(
        self, message: SeenMessage | Answer, control: str, values: str | Sequence[str]
    ) -> Answer:
        """Choose in a menu, named by its custom_id or placeholder, by values or labels."""
        # The client fills menus of users, roles and channels itself; the sandbox has no such list.
        string_select = {ComponentType.STRING_SELECT}
        source, component = self._control(message, control, string_select)
        wanted = [values] if isinstance(values, str) else list(values)
        least, most = component.get("min_values", 1), component.get("max_values", 1)
        if not least <= len(wanted) <= most:
            raise InvalidInput(f"menu {control!r} takes {least} to {most} values, not {wanted}")
        options = [(o["label"], o["value"]) for o in component.get("options") or ()]
        data: Payload = {
            "custom_id": component["custom_id"],
            "component_type": component["type"],
            "values": [_chosen(options, value) for value in wanted],
        }
        return self._opened(InteractionKind.COMPONENT, data, source=source)

    async def submit_modal(self, modal: Modal, values: Mapping[str, str]) -> Answer:
        """Send a modal; fields are named by custom_id or label, others keep their value."""
        opener = self._desk.get(modal.interaction_id)
        if opener.user_id != self.user.id:
            raise NotOffered(f"the modal {modal.title!r} was opened for somebody else")
        filled = {modal.field_named(name).custom_id: value for name, value in values.items()}
        components = [_submitted(item, modal, filled) for item in modal.payload["components"]]
        data = {"custom_id": modal.custom_id, "components": components}
        source = self._state.messages.get(opener.source_id or 0)
        return self._opened(InteractionKind.MODAL_SUBMIT, data, source=source)

    async def send(self, text: str) -> SeenMessage:
        """Write a message; raise NotOffered where the user may not."""
        held = self._state.permissions_in(self.channel, self.user.id)
        if not held & Permission.SEND_MESSAGES:
            raise NotOffered(f"{self.user.name} can't write in #{self.channel.name}")
        upload = Upload({"content": text})
        message = compose(self._state, upload, channel_id=self.channel.id, author=self.user)
        return see_message(self._state, self._state.add_message(message))

    def _moved(self, channel: Channel) -> "UserDriver":
        return UserDriver(self._state, self._commands, self._desk, user=self.user, channel=channel)

    def _find(self, typed: str) -> tuple[Command, list[str]]:
        name, *path = typed.lstrip("/").split()
        offered = self.commands()
        for command in offered:
            if command.name == name:
                return command, path
        where = self.channel.name or "the direct messages"
        known = sorted({command.name for command in offered})
        raise NotOffered(f"{self.user.name} isn't offered /{name} in {where}, only {known}")

    def _control(
        self, seen: SeenMessage | Answer, name: str, kinds: Collection[int]
    ) -> tuple[Message, Payload]:
        shown = seen.message if isinstance(seen, Answer) else seen
        if shown is None:
            raise NotOffered(f"there is no message with {name!r}")
        message = self._state.messages.get(shown.id)
        if message is None or not self._sees(message):
            raise NotOffered(f"{self.user.name} doesn't see message {shown.id}")
        component = see_message(self._state, message).control(name)
        if component["type"] not in kinds or component.get("disabled"):
            raise NotOffered(f"{name!r} is disabled or of another kind on message {message.id}")
        return message, component

    def _sees(self, message: Message) -> bool:
        return message.visible_to is None or message.visible_to == self.user.id

    def _opened(
        self, kind: InteractionKind, data: Payload, *, source: Message | None = None
    ) -> Answer:
        return Answer(self._state, self._open(kind, data, source=source))

    def _open(self, kind: InteractionKind, data: Payload, *, source: Message | None = None) -> Any:
        channel = self.channel if source is None else self._state.channel(source.channel_id)
        return self._desk.open(kind, data, user_id=self.user.id, channel=channel, source=source)


class ChannelView:
    """A channel as everybody in it sees it, without ephemeral messages."""

    def __init__(self, state: State, channel_id: int) -> None:
        self._state = state
        self.id = channel_id

    @property
    def channel(self) -> Channel:
        """The channel as it is now."""
        return self._state.channel(self.id)

    @property
    def messages(self) -> list[SeenMessage]:
        """The messages, oldest first."""
        found = self._state.messages_in(self.id)
        return [see_message(self._state, m) for m in found if not m.ephemeral]

    @property
    def threads(self) -> list["ChannelView"]:
        """The channel's threads."""
        threads = (c for c in self._state.channels.values() if c.parent_id == self.id)
        return [ChannelView(self._state, thread.id) for thread in threads]

    def history(self, message_id: int) -> list[SeenMessage]:
        """Return every version of a message, oldest first, also once it is deleted."""
        versions = self._state.versions.get(message_id, [])
        return [see_message(self._state, version) for version in versions]

    async def wait_for_message(
        self,
        predicate: Callable[[SeenMessage], bool] = lambda message: True,
        *,
        after: int = 0,
        timeout_s: float = WAIT_S,
    ) -> SeenMessage:
        """Wait for the first message that fits, whose id is greater than `after`.

        Raises NeverHappened with what is there instead.
        """

        def check() -> SeenMessage | None:
            return next((m for m in self.messages if m.id > after and predicate(m)), None)

        def what() -> str:
            return f"a message that fits; there are {[m.text for m in self.messages]}"

        return await self._state.log.wait_until(check, timeout_s=timeout_s, what=what)


def find_channel(state: State, name: str | int) -> Channel:
    """Return a channel or thread by name or id; raise NotOffered if there is none."""
    for channel in state.channels.values():
        if name in (channel.id, channel.name):
            return channel
    known = [channel.name for channel in state.channels.values() if channel.name]
    raise NotOffered(f"no channel {name!r}; there are {known}")


def _chosen(options: list[tuple[str, str]], wanted: str) -> str:
    if not options:
        return wanted
    for label, value in options:
        if wanted in (label, value):
            return value
    raise InvalidInput(f"the menu has {[label for label, _ in options]}, not {wanted!r}")


def _submitted(component: Payload, modal: Modal, filled: Mapping[str, str]) -> Payload:
    kind = component["type"]
    if kind == ComponentType.ROW:
        children = [_submitted(child, modal, filled) for child in component["components"]]
        return {"type": 1, "components": children}
    if kind == ComponentType.LABEL:
        return {"type": 18, "component": _submitted(component["component"], modal, filled)}
    if kind == ComponentType.TEXT:
        return {"type": 10, "content": component["content"]}
    item = modal.field_named(component["custom_id"])
    value = filled.get(item.custom_id, item.value)
    base: Payload = {"type": kind, "custom_id": item.custom_id}
    if kind in SELECTS:
        chosen = [_chosen(list(item.options), value)] if value else []
        return {**base, "values": chosen}
    if not value and not item.required:
        return {**base, "value": ""}
    if not max(item.min_length, 1) <= len(value) <= item.max_length:
        bounds = f"{max(item.min_length, 1)} to {item.max_length}"
        raise InvalidInput(f"field {item.label!r} takes {bounds} characters, not {value!r}")
    return {**base, "value": value}
