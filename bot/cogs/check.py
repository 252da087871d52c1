"""/check: parse, queue a job, show it. What is checked is in bot.services.check."""

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import JesseClient
from bot.cogs.completion import complete_strategy, complete_symbol
from bot.permissions import Access, needs
from bot.services.check_jobs import CheckAsk
from bot.ui.components import owner_of
from bot.ui.replies import settle

ShortText = app_commands.Range[str, 1, 100]


class CheckCog(commands.Cog):
    """Whether a strategy keeps what it promises."""

    def __init__(self, client: JesseClient) -> None:
        self.client = client

    @needs(Access.OPERATE)
    @app_commands.command(description="Check that a strategy runs, sees no future, wakes in time")
    @app_commands.describe(
        strategy="which strategy to check",
        symbol="on which candles, such as BTC/USDT (default: the configured one)",
    )
    @app_commands.autocomplete(strategy=complete_strategy, symbol=complete_symbol)
    async def check(
        self,
        interaction: discord.Interaction[JesseClient],
        strategy: ShortText,
        symbol: ShortText | None = None,
    ) -> None:
        """Queue a check and show it until its end."""
        ask = CheckAsk(strategy.strip(), symbol)
        checking = self.client.services.checks.check(ask, owner_of(interaction))
        await self.client.job_messages.show(interaction, await settle(interaction, checking))
