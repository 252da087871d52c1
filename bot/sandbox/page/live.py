"""What an open page hears: a snapshot, then each change that its user can see, over a WebSocket."""

import asyncio
import json
import logging
from collections.abc import Iterator

from aiohttp import web

from bot.sandbox.driver import UserDriver
from bot.sandbox.errors import DiscordError, NotOffered
from bot.sandbox.events import Change, ChangeKind, Subscription
from bot.sandbox.interaction_models import Stage
from bot.sandbox.models import Message, Payload
from bot.sandbox.page.actions import stand
from bot.sandbox.page.render import Renderer, is_shown
from bot.sandbox.permissions import Permission
from bot.sandbox.server import SandboxDiscord
from bot.sandbox.views import see_modal

log = logging.getLogger(__name__)

_HEARTBEAT_S = 20.0
_MESSAGES = frozenset({ChangeKind.MESSAGE_CREATED, ChangeKind.MESSAGE_UPDATED})
_CHANNELS = frozenset(
    {
        ChangeKind.CHANNEL_CREATED,
        ChangeKind.CHANNEL_UPDATED,
        ChangeKind.CHANNEL_DELETED,
        ChangeKind.GUILD_CHANGED,
        ChangeKind.GUILD_LEFT,
    }
)


class LivePages:
    """The open pages; `users` are the names that a page may show."""

    def __init__(self, sandbox: SandboxDiscord, users: tuple[str, ...]) -> None:
        self._sandbox = sandbox
        self._users = users
        self._open: set[web.WebSocketResponse] = set()

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one page until it or the sandbox goes."""
        socket = web.WebSocketResponse(heartbeat=_HEARTBEAT_S)
        await socket.prepare(request)
        self._open.add(socket)
        try:
            user, channel = request.query.get("user"), request.query.get("channel")
            driver = stand(self._sandbox, self._users, user, channel)
            await self._serve(socket, driver)
        except NotOffered as error:
            await _send(socket, {"type": "gone", "reason": str(error)})
        except ConnectionError:
            log.debug("a page went away while it was told something")
        finally:
            self._open.discard(socket)
            await socket.close()
        return socket

    async def close(self) -> None:
        """Close every page's connection."""
        for socket in tuple(self._open):
            await socket.close(code=1001)

    async def _serve(self, socket: web.WebSocketResponse, driver: UserDriver) -> None:
        feed = Feed(self._sandbox, driver)
        with self._sandbox.subscribe() as changes:
            reader = asyncio.create_task(_read_until_closed(socket, changes))
            try:
                await _send(socket, feed.snapshot())
                async for change in changes:
                    for event in feed.events(change):
                        await _send(socket, event)
            finally:
                reader.cancel()


class Feed:
    """Turns the sandbox's changes into what one user in one channel gets to see."""

    def __init__(self, sandbox: SandboxDiscord, driver: UserDriver) -> None:
        self._sandbox = sandbox
        self._driver = driver
        self._channel_id = driver.channel.id
        self._user_id = driver.user.id
        self._renderer = Renderer(sandbox, driver.user)

    def snapshot(self) -> Payload:
        """Return the channel as it is now."""
        return self._renderer.snapshot(self._driver)

    def events(self, change: Change) -> Iterator[Payload]:
        """Yield what the page has to hear of a change; raise NotOffered if the channel is gone."""
        if change.kind in _CHANNELS:
            yield self._channels()
        if change.kind in _CHANNELS or change.kind is ChangeKind.COMMANDS_CHANGED:
            commands = self._renderer.commands(self._driver)
            yield {"type": "commands", "commands": commands}
        if change.channel_id == self._channel_id and change.is_visible_to(self._user_id):
            yield from self._own_events(change)

    def _own_events(self, change: Change) -> Iterator[Payload]:
        if change.kind in _MESSAGES and change.message is not None:
            yield self._message(change.message)
        elif change.kind is ChangeKind.MESSAGE_DELETED and change.message is not None:
            yield {"type": "deleted", "id": str(change.message.id)}
        elif change.kind is ChangeKind.TYPING and change.user_id != self._user_id:
            name = self._sandbox.state.users[change.user_id or 0].name
            yield {"type": "typing", "name": name}
        elif change.interaction_id is not None:
            yield from self._interaction_events(change, change.interaction_id)

    def _interaction_events(self, change: Change, interaction_id: int) -> Iterator[Payload]:
        try:
            interaction = self._sandbox.desk.get(interaction_id)
        except DiscordError:
            return
        if not is_shown(interaction):
            return
        modal = see_modal(interaction)
        if change.kind is ChangeKind.MODAL_OPENED and modal is not None:
            yield self._renderer.modal(modal)
            return
        yield {**self._renderer.interaction(interaction), "stage": change.detail}
        original = self._sandbox.state.messages.get(interaction.original_id or 0)
        if interaction.stage is Stage.FAILED and original is not None:
            yield self._message(original)

    def _message(self, message: Message) -> Payload:
        return {"type": "message", "message": self._renderer.message(message)}

    def _channels(self) -> Payload:
        channel = self._driver.channel
        held = self._sandbox.state.permissions_in(channel, self._user_id)
        if not held & Permission.VIEW_CHANNEL:
            raise NotOffered(f"{self._driver.user.name} can't see this channel any more")
        return {
            "type": "channels",
            "channel": self._renderer.channel(channel),
            "can_write": self._renderer.can_write(channel),
            "channels": self._renderer.channels(),
            "names": self._renderer.names(),
        }


async def _read_until_closed(socket: web.WebSocketResponse, changes: Subscription) -> None:
    async for _ in socket:
        pass
    changes.close()


async def _send(socket: web.WebSocketResponse, event: Payload) -> None:
    if not socket.closed:
        await socket.send_str(json.dumps(event))
