"""/strategies: what can be tested. Loading runs in a thread; rendering is in bot.ui.strategies."""

import asyncio

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import JesseClient
from bot.cogs.completion import complete_strategy
from bot.permissions import Access, needs
from bot.ui.replies import respond, settle
from bot.ui.strategies import strategy_list, strategy_page


class StrategiesCog(commands.Cog):
    """Strategies to read about."""

    def __init__(self, client: JesseClient) -> None:
        self.library = client.services.library

    @needs(Access.READ)
    @app_commands.command(description="List strategies, or show one with all its parameters")
    @app_commands.describe(name="a strategy to show in full")
    @app_commands.autocomplete(name=complete_strategy)
    async def strategies(
        self,
        interaction: discord.Interaction[JesseClient],
        name: app_commands.Range[str, 1, 100] | None = None,
    ) -> None:
        """Show all strategies, or one."""
        embed = await settle(interaction, self._one(name) if name else self._all())
        await respond(interaction, embeds=[embed])

    async def _one(self, name: str) -> discord.Embed:
        loaded = await asyncio.to_thread(self.library.load, name.strip())
        return strategy_page(loaded.info)

    async def _all(self) -> discord.Embed:
        loaded, broken = await asyncio.to_thread(self.library.load_all)
        infos = [strategy.info for strategy in loaded]
        return strategy_list(infos, broken, folder=self.library.folder.name)
