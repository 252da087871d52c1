"""Pointing discord.py at a sandbox; the only place that patches the library."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import discord.asset
import discord.gateway
import discord.http
import yarl


class Addresses(Protocol):
    """Where a sandbox listens."""

    @property
    def base_url(self) -> str:
        """The file server, without a trailing slash."""
        ...

    @property
    def api_url(self) -> str:
        """The REST interface, without a trailing slash."""
        ...

    @property
    def gateway_url(self) -> str:
        """The gateway's ws:// address."""
        ...


@contextmanager
def redirect_discord(sandbox: Addresses) -> Iterator[None]:
    """Send all that discord.py asks of Discord to the sandbox until the block ends.

    This covers REST, interactions, webhooks, the gateway and assets of the whole process.
    """
    route, socket, asset = (
        discord.http.Route,
        discord.gateway.DiscordWebSocket,
        discord.asset.Asset,
    )
    before = route.BASE, socket.DEFAULT_GATEWAY, asset.BASE
    route.BASE = sandbox.api_url
    socket.DEFAULT_GATEWAY = yarl.URL(sandbox.gateway_url)
    asset.BASE = sandbox.base_url
    try:
        yield
    finally:
        route.BASE, socket.DEFAULT_GATEWAY, asset.BASE = before
