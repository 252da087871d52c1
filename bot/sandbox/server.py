"""The sandbox itself: one loopback server that holds a small Discord, for tests and the demo."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from types import TracebackType
from typing import Self

from aiohttp import web

from bot.sandbox.announce import Announcer
from bot.sandbox.clock import Clock, SystemClock
from bot.sandbox.commands import CommandRegister
from bot.sandbox.driver import ChannelView, UserDriver, find_channel
from bot.sandbox.errors import NotOffered
from bot.sandbox.events import EventLog, Subscription
from bot.sandbox.faults import Faults
from bot.sandbox.gateway import Gateway
from bot.sandbox.interactions import InteractionDesk
from bot.sandbox.models import Member, Overwrite, User
from bot.sandbox.permissions import Permission
from bot.sandbox.ratelimits import RateLimiter, RateLimits
from bot.sandbox.rest import API, SERVICES, Services, speak_discord
from bot.sandbox.routes_commands import command_routes
from bot.sandbox.routes_guilds import file_routes, guild_routes
from bot.sandbox.routes_interactions import interaction_routes
from bot.sandbox.routes_messages import message_routes
from bot.sandbox.routes_threads import thread_routes
from bot.sandbox.world import WorldIds, build_world

HOST = "127.0.0.1"
_REQUEST_BYTES = 64 * 1024 * 1024


class SandboxDiscord:
    """A Discord of one's own on 127.0.0.1; use it as `async with SandboxDiscord() as sandbox`.

    `port` 0 takes a free one. `page_routes` are added to the server; their handlers find the
    sandbox as `request.app[SANDBOX]`. `ids` has the fixed ids and the bot's token.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        clock: Clock | None = None,
        rate_limits: RateLimits | None = None,
        heartbeat_interval_s: float = 41.25,
        page_routes: Iterable[web.AbstractRouteDef] = (),
    ) -> None:
        self.ids = WorldIds()
        self.clock = clock or SystemClock()
        self.log = EventLog()
        self.faults = Faults()
        self.state = build_world(self.clock, self.log, self.ids)
        self.commands = CommandRegister(self.state)
        self.gateway = Gateway(
            self.state,
            self.faults,
            token=self.ids.bot_token,
            heartbeat_interval_s=heartbeat_interval_s,
        )
        self.desk = InteractionDesk(self.state, self.gateway.dispatch)
        self.log.listen(Announcer(self.state, self.gateway))
        self._rate_limits = rate_limits or RateLimits()
        self._port = port
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self.app = web.Application(middlewares=[speak_discord], client_max_size=_REQUEST_BYTES)
        self.app[SANDBOX] = self
        self.app.add_routes(page_routes)

    async def __aenter__(self) -> Self:
        limiter = RateLimiter(self._rate_limits, asyncio.get_running_loop().time)
        self.app[SERVICES] = Services(
            state=self.state,
            commands=self.commands,
            desk=self.desk,
            gateway=self.gateway,
            faults=self.faults,
            limiter=limiter,
            bot_token=self.ids.bot_token,
        )
        for routes in (
            interaction_routes(),
            message_routes(),
            thread_routes(),
            command_routes(),
            guild_routes(),
            file_routes(),
        ):
            self.app.add_routes(routes)
        self.app.router.add_get("/gateway", self.gateway.handle)
        self._runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await self._listen(self._runner)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.desk.close()
        await self.gateway.drop()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def base_url(self) -> str:
        """Where the server listens, without a trailing slash; files and the page are here."""
        return self.state.base_url

    @property
    def api_url(self) -> str:
        """The REST interface's address, without a trailing slash."""
        return f"{self.base_url}{API}"

    @property
    def gateway_url(self) -> str:
        """The gateway's address."""
        return self.base_url.replace("http://", "ws://") + "/gateway"

    @property
    def webhook_url(self) -> str:
        """The webhook of #research, written as Discord writes it (redirect_discord serves it)."""
        return f"https://discord.com/api/webhooks/{self.ids.webhook_id}/{self.ids.webhook_token}"

    @property
    def bot_token(self) -> str:
        """The token that the bot logs in with."""
        return self.ids.bot_token

    @property
    def guild_id(self) -> int:
        """The home guild's id."""
        return self.ids.guild_id

    @property
    def channel_id(self) -> int:
        """The id of #research in the home guild."""
        return self.ids.channel_id

    @property
    def operator_role_id(self) -> int:
        """The id of the role Operator."""
        return self.ids.operator_role_id

    def user(self, name: str, *, channel: str | int | None = None) -> UserDriver:
        """Return a user by name: operator, viewer, admin, owner or stranger.

        Without `channel` the user stands in the first channel of the user's guild.
        """
        for user in self.state.users.values():
            if user.name == name and not user.bot:
                where = self._first_channel(user) if channel is None else channel
                found = find_channel(self.state, where)
                state, commands, desk = self.state, self.commands, self.desk
                return UserDriver(state, commands, desk, user=user, channel=found)
        raise NotOffered(
            f"no user {name!r}; there are {[u.name for u in self.state.users.values()]}"
        )

    def channel(self, name: str | int) -> ChannelView:
        """Return a channel or thread by name or id."""
        return ChannelView(self.state, find_channel(self.state, name).id)

    def direct_messages(self, user: str) -> ChannelView:
        """Return the direct messages between the bot and a user."""
        return ChannelView(self.state, self.user(user).at_dm().channel.id)

    def subscribe(self, *, since: int | None = None) -> Subscription:
        """Iterate over changes from now on, or over all after sequence number `since`."""
        return self.log.subscribe(since=since)

    async def wait_until_connected(self, *, timeout_s: float = 10.0) -> None:
        """Wait until the bot has a session on a live connection."""
        await self.log.wait_until(
            lambda: bool(self.gateway.connected) or None, timeout_s=timeout_s, what="the bot"
        )

    def delete_channel(self, name: str | int) -> None:
        """Delete a channel, as a person with the right to would."""
        self.state.remove_channel(find_channel(self.state, name).id)

    def kick_bot(self, guild_id: int | None = None) -> None:
        """Take the bot out of a guild, by default the home guild."""
        self.state.remove_member(guild_id or self.guild_id, self.state.bot.id)

    def deny_bot(self, channel: str | int, *permissions: Permission) -> None:
        """Deny the bot permissions in a channel and lift its other overwrites there."""
        self._overwrite_bot(channel, Overwrite(0, is_member=True, deny=_union(permissions)))

    def allow_bot(self, channel: str | int, *permissions: Permission) -> None:
        """Allow the bot permissions in a channel and lift its other overwrites there."""
        self._overwrite_bot(channel, Overwrite(0, is_member=True, allow=_union(permissions)))

    def set_roles(self, user: str, role_ids: tuple[int, ...]) -> None:
        """Give a member of the home guild exactly these roles."""
        number = self.user(user).user.id
        self.state.members[self.guild_id, number] = Member(self.guild_id, number, role_ids)

    async def go_down(self) -> None:
        """Refuse and cut every connection until `come_back`, as if the network were gone."""
        self.faults.network_down = True
        if self._site is not None:
            await self._site.stop()
            self._site = None
        self.gateway.abort()
        if self._runner is not None and self._runner.server is not None:
            for connection in self._runner.server.connections:
                if connection.transport is not None:
                    connection.transport.abort()

    async def come_back(self) -> None:
        """Listen again at the same address."""
        self.faults.network_down = False
        if self._runner is not None and self._site is None:
            await self._listen(self._runner)

    @asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        """Be down inside the block."""
        await self.go_down()
        try:
            yield
        finally:
            await self.come_back()

    async def _listen(self, runner: web.AppRunner) -> None:
        self._site = web.TCPSite(runner, HOST, self._port)
        await self._site.start()
        self._port = int(runner.addresses[0][1])
        self.state.base_url = f"http://{HOST}:{self._port}"

    def _first_channel(self, user: User) -> int:
        guilds = [guild_id for guild_id, user_id in self.state.members if user_id == user.id]
        return self.state.guild_channels(guilds[0])[0].id

    def _overwrite_bot(self, channel: str | int, overwrite: Overwrite) -> None:
        found = find_channel(self.state, channel)
        own = replace(overwrite, target_id=self.state.bot.id)
        self.state.set_overwrite(found.id, own)


SANDBOX = web.AppKey("sandbox", SandboxDiscord)


def _union(permissions: Iterable[Permission]) -> int:
    total = 0
    for permission in permissions:
        total |= permission
    return total
