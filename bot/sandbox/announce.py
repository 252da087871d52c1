"""What the bot hears over the gateway when something changes in the sandbox."""

from bot.sandbox.events import Change, ChangeKind
from bot.sandbox.gateway import Gateway, Session
from bot.sandbox.models import Channel, Message, Payload
from bot.sandbox.payloads import channel_payload
from bot.sandbox.payloads_messages import gateway_message_payload
from bot.sandbox.state import State

_GUILDS = 1 << 0
_GUILD_MESSAGES = 1 << 9
_DIRECT_MESSAGES = 1 << 12
_MESSAGE_CONTENT = 1 << 15

_MESSAGE_EVENTS = {
    ChangeKind.MESSAGE_CREATED: "MESSAGE_CREATE",
    ChangeKind.MESSAGE_UPDATED: "MESSAGE_UPDATE",
    ChangeKind.MESSAGE_DELETED: "MESSAGE_DELETE",
}
_CHANNEL_EVENTS = {
    ChangeKind.CHANNEL_CREATED: ("CHANNEL_CREATE", "THREAD_CREATE"),
    ChangeKind.CHANNEL_UPDATED: ("CHANNEL_UPDATE", "THREAD_UPDATE"),
    ChangeKind.CHANNEL_DELETED: ("CHANNEL_DELETE", "THREAD_DELETE"),
}


class Announcer:
    """Turns changes into gateway events, each session getting what its intents ask for."""

    def __init__(self, state: State, gateway: Gateway) -> None:
        self._state = state
        self._gateway = gateway

    def __call__(self, change: Change) -> None:
        """Announce one change; changes that Discord doesn't announce are passed over."""
        if change.message is not None and change.kind in _MESSAGE_EVENTS:
            self._announce_message(_MESSAGE_EVENTS[change.kind], change.message)
        elif change.channel is not None and change.kind in _CHANNEL_EVENTS:
            names = _CHANNEL_EVENTS[change.kind]
            self._announce_channel(names[change.channel.is_thread], change)
        elif change.kind is ChangeKind.GUILD_LEFT:
            self._gateway.dispatch("GUILD_DELETE", {"id": str(change.guild_id)})
        elif change.kind is ChangeKind.PINS_CHANGED:
            pins = {"channel_id": str(change.channel_id), "guild_id": str(change.guild_id)}
            self._gateway.dispatch("CHANNEL_PINS_UPDATE", {**pins, "last_pin_timestamp": None})

    def _announce_message(self, event: str, message: Message) -> None:
        # Discord sends no gateway events for ephemeral messages.
        channel = self._state.channels.get(message.channel_id)
        if message.ephemeral or channel is None or not self._bot_sees(channel):
            return
        needed = _DIRECT_MESSAGES if channel.guild_id is None else _GUILD_MESSAGES

        def build(session: Session) -> Payload | None:
            if not session.intents & needed:
                return None
            if event == "MESSAGE_DELETE":
                return _deletion(message, channel)
            readable = self._is_readable(message, channel, session)
            return gateway_message_payload(self._state, message, with_content=readable)

        self._gateway.dispatch(event, build)

    def _is_readable(self, message: Message, channel: Channel, session: Session) -> bool:
        bot_id = self._state.bot.id
        own = message.author.id == bot_id or bot_id in message.pinged_ids
        return own or channel.guild_id is None or bool(session.intents & _MESSAGE_CONTENT)

    def _announce_channel(self, event: str, change: Change) -> None:
        channel = change.channel
        if channel is None or (channel.guild_id, self._state.bot.id) not in self._state.members:
            return
        payload = channel_payload(self._state, channel)
        if event == "THREAD_CREATE":
            payload["newly_created"] = True
        self._gateway.dispatch(event, lambda s: payload if s.intents & _GUILDS else None)

    def _bot_sees(self, channel: Channel) -> bool:
        return self._state.permissions_in(channel, self._state.bot.id) != 0


def _deletion(message: Message, channel: Channel) -> Payload:
    payload: Payload = {"id": str(message.id), "channel_id": str(message.channel_id)}
    if channel.guild_id is not None:
        payload["guild_id"] = str(channel.guild_id)
    return payload
