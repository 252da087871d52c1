"""Fixtures: a sandbox with its page, a small bot in it, and a real browser."""

import asyncio
import os
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from io import BytesIO

import aiohttp
import discord
import pytest
from discord import app_commands
from playwright.async_api import Browser, Page, async_playwright

from bot.charts.chromium import find_chromium
from bot.sandbox.clock import ManualClock
from bot.sandbox.page import SandboxPage
from bot.sandbox.ratelimits import Limit, RateLimits
from bot.sandbox.server import SandboxDiscord

FLAGS = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP = (1280, 800)

OpenPage = Callable[..., Awaitable[Page]]
Act = Callable[..., Awaitable[tuple[int, dict]]]
Listening = Callable[..., AbstractAsyncContextManager[aiohttp.ClientWebSocketResponse]]


@pytest.fixture
def unstarted(clock: ManualClock) -> SandboxDiscord:
    plenty = Limit(10_000, 1.0)
    limits = RateLimits(default=plenty, overall=plenty, routes={})
    return SandboxDiscord(clock=clock, rate_limits=limits)


@pytest.fixture
def site(unstarted: SandboxDiscord) -> SandboxPage:
    return SandboxPage(unstarted)


@pytest.fixture
def new_page(sandbox: SandboxDiscord) -> Callable[[], SandboxPage]:
    """Return a way to make another sandbox's page, listening at the same address."""

    def make() -> SandboxPage:
        other = SandboxDiscord()
        other.state.base_url = sandbox.base_url
        return SandboxPage(other)

    return make


@pytest.fixture
async def sandbox(unstarted: SandboxDiscord, site: SandboxPage) -> AsyncIterator[SandboxDiscord]:
    async with unstarted:
        yield unstarted


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def act(site: SandboxPage, sandbox: SandboxDiscord, http: aiohttp.ClientSession) -> Act:
    """Return a way to do something as the page's script does it: the status and the JSON."""

    async def do(action: str, **body) -> tuple[int, dict]:
        body = {"user": "operator", "channel": str(sandbox.channel_id), **body}
        headers = {"Origin": sandbox.base_url}
        async with http.post(f"{site.url}act/{action}", json=body, headers=headers) as response:
            return response.status, await response.json()

    return do


@pytest.fixture
def listening(site: SandboxPage, sandbox: SandboxDiscord, http: aiohttp.ClientSession) -> Listening:
    """Return a context manager that hears what an open page hears."""

    @asynccontextmanager
    async def listen(user: str = "operator", channel: int | str | None = None):
        query = {"user": user, "channel": str(channel or sandbox.channel_id)}
        headers = {"Origin": sandbox.base_url}
        async with http.ws_connect(f"{site.url}live", params=query, headers=headers) as socket:
            yield socket

    return listen


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    found = find_chromium()
    if found is None:
        pytest.skip("no Chromium or Chrome on this machine: the page can't be opened")
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(
            executable_path=str(found), args=[*root, *FLAGS]
        )
        try:
            yield launched
        finally:
            await launched.close()


@pytest.fixture
async def open_page(browser: Browser, site: SandboxPage, sandbox) -> AsyncIterator[OpenPage]:
    """Return a way to open the page; a script error in any of them fails the test."""
    errors: list[str] = []
    async with AsyncExitStack() as stack:

        async def open_as(user: str = "operator", *, size: tuple[int, int] = DESKTOP) -> Page:
            viewport = {"width": size[0], "height": size[1]}
            context = await browser.new_context(
                viewport=viewport, timezone_id="Asia/Tokyo", locale="en-GB"
            )
            stack.push_async_callback(context.close)
            page = await context.new_page()
            page.set_default_timeout(10_000)
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.on("dialog", lambda dialog: errors.append(f"dialog {dialog.message}"))
            await page.goto(f"{site.url}#user={user}")
            await page.wait_for_selector("body[data-ready]")
            return page

        yield open_as
    assert errors == []


def picture(width: int, height: int) -> bytes:
    """Return a PNG of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = (b"\x00" + b"\x3b\x82\xc4" * width) * height
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


class NoteForm(discord.ui.Modal, title="Add a note"):
    note = discord.ui.TextInput(label="Note", style=discord.TextStyle.paragraph, min_length=3)
    tag = discord.ui.TextInput(label="Tag", required=False, max_length=10)

    async def on_submit(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"Noted: {self.note.value} [{self.tag.value}]")


class ResultView(discord.ui.View):
    def __init__(self) -> None:
        super().__init__(timeout=None)
        self.add_item(discord.ui.Button(label="Docs", url="https://example.com/docs"))

    @discord.ui.button(label="Details", style=discord.ButtonStyle.primary)
    async def details(self, interaction: discord.Interaction, _: discord.ui.Button) -> None:
        await interaction.response.send_message("Only for you: 42 trades", ephemeral=True)

    @discord.ui.button(label="Add note", style=discord.ButtonStyle.secondary)
    async def add_note(self, interaction: discord.Interaction, _: discord.ui.Button) -> None:
        await interaction.response.send_modal(NoteForm())

    @discord.ui.button(label="Silent", style=discord.ButtonStyle.danger)
    async def silent(self, interaction: discord.Interaction, _: discord.ui.Button) -> None:
        """Never answer, as a bot that hangs."""

    @discord.ui.button(label="Frozen", style=discord.ButtonStyle.success, disabled=True)
    async def frozen(self, interaction: discord.Interaction, _: discord.ui.Button) -> None:
        """Can't be pressed."""

    @discord.ui.select(
        placeholder="Timeframe",
        options=[
            discord.SelectOption(label="1 hour", value="1h", description="Sixty minutes"),
            discord.SelectOption(label="4 hours", value="4h"),
        ],
    )
    async def timeframe(self, interaction: discord.Interaction, menu: discord.ui.Select) -> None:
        await interaction.response.edit_message(content=f"Timeframe: {menu.values[0]}")


def result_embed() -> discord.Embed:
    embed = discord.Embed(
        title="Backtest of ma_crossover",
        description="**BTC/USDT**, 365 days of `1m` candles, asked for <t:1700000000:f>",
        colour=0x3BA55D,
    )
    for name, value in (
        ("Return", "+42.31 %"),
        ("Win rate", "54.2 %"),
        ("Sharpe", "1.83"),
        ("Max. drawdown", "-12.40 %"),
        ("Trades", "128"),
        ("Profit factor", "1.61"),
    ):
        embed.add_field(name=name, value=value)
    embed.add_field(name="Costs", value="fees 0.05 %, slippage 2 bps", inline=False)
    embed.set_image(url="attachment://equity.png")
    embed.set_footer(text="run 7f3a, past results promise nothing")
    return embed


def add_commands(bot: discord.ext.commands.Bot, proceed: asyncio.Event) -> None:
    tree = bot.tree
    forward = app_commands.Group(name="forward", description="Paper trading on live data")

    @tree.command(description="Test a strategy on past candles")
    @app_commands.describe(strategy="Which strategy", days="How many days back", fast="Be quick")
    @app_commands.choices(fill=[app_commands.Choice(name="Next open", value="next_open")])
    async def backtest(
        interaction: discord.Interaction,
        strategy: str,
        days: app_commands.Range[int, 1, 3650] = 365,
        fill: str | None = None,
        fast: bool = False,
    ) -> None:
        await interaction.response.defer()
        await interaction.edit_original_response(content=f"Running {strategy}: 50 % of {days} days")
        await proceed.wait()
        files = [
            discord.File(BytesIO(picture(640, 360)), "equity.png"),
            discord.File(BytesIO(b"id,pnl\n1,2\n"), "trades.csv"),
        ]
        await interaction.edit_original_response(
            content=f"Done: {strategy}, {days} days, {fill}, {fast}",
            embed=result_embed(),
            attachments=files,
            view=ResultView(),
        )

    @backtest.autocomplete("strategy")
    async def names(interaction: discord.Interaction, current: str) -> list[app_commands.Choice]:
        known = ("breakout", "ma_crossover", "mean_reversion")
        found = (name for name in known if current.lower() in name)
        return [app_commands.Choice(name=name, value=name) for name in found]

    @forward.command(description="Start a forward test")
    async def start(interaction: discord.Interaction, strategy: str, who: discord.Member) -> None:
        await interaction.response.send_message(f"Started {strategy} for {who.mention}")

    @forward.command(name="list", description="List the forward tests")
    async def list_tests(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("Nothing runs", ephemeral=True)

    @tree.command(description="Think and never say a word")
    async def hang(interaction: discord.Interaction) -> None:
        """Never answer, as a bot that hangs."""

    @tree.command(description="Defer until told to go on")
    async def think(interaction: discord.Interaction) -> None:
        await interaction.response.defer(ephemeral=True)
        await proceed.wait()
        await interaction.followup.send("Thought about it")

    tree.add_command(forward)


@pytest.fixture
def proceed() -> asyncio.Event:
    """What lets the bot's long commands finish."""
    return asyncio.Event()


@pytest.fixture
async def research(bot, running, proceed) -> AsyncIterator[discord.Client]:
    """A connected bot with the commands above."""
    add_commands(bot, proceed)
    async with running(bot):
        yield bot
