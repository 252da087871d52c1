"""Fixtures: a sandbox on a free port and unmodified discord.py clients connected to it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import discord
import pytest
from discord.ext import commands

from bot.sandbox.clock import ManualClock
from bot.sandbox.ratelimits import Limit, RateLimits
from bot.sandbox.redirect import redirect_discord
from bot.sandbox.server import SandboxDiscord

Running = Callable[[discord.Client], AbstractAsyncContextManager[None]]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def sandbox(clock: ManualClock) -> AsyncIterator[SandboxDiscord]:
    plenty = Limit(10_000, 1.0)
    limits = RateLimits(default=plenty, overall=plenty, routes={})
    async with SandboxDiscord(clock=clock, rate_limits=limits) as server:
        yield server


@pytest.fixture
def running(sandbox: SandboxDiscord) -> Running:
    """Return a context manager that keeps a client connected to the sandbox."""

    @asynccontextmanager
    async def run(client: discord.Client) -> AsyncIterator[None]:
        with redirect_discord(sandbox):
            await client.login(sandbox.bot_token)
            connection = asyncio.create_task(client.connect())
            try:
                await sandbox.wait_until_connected()
                yield
            finally:
                await client.close()
                await connection

    return run


class Bot(commands.Bot):
    """A bot that copies its commands to the home guild and is ready at once."""

    def __init__(self, guild_id: int, **options) -> None:
        super().__init__(
            command_prefix=commands.when_mentioned,
            intents=options.pop("intents", discord.Intents.default()),
            allowed_mentions=discord.AllowedMentions.none(),
            guild_ready_timeout=0.0,
            **options,
        )
        self.home = discord.Object(guild_id)
        self.failures: asyncio.Queue[Exception] = asyncio.Queue()
        self.tree.error(self._remember)

    async def _remember(self, interaction: discord.Interaction, error: Exception) -> None:
        self.failures.put_nowait(error)

    async def setup_hook(self) -> None:
        self.tree.copy_global_to(guild=self.home)
        await self.tree.sync(guild=self.home)


@pytest.fixture
def bot(sandbox: SandboxDiscord) -> Bot:
    return Bot(sandbox.guild_id)


@pytest.fixture
def new_bot(sandbox: SandboxDiscord) -> Callable[[], Bot]:
    return lambda: Bot(sandbox.guild_id)
