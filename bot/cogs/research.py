"""/backtest and /fetch: parse, queue a job, show it. What they do is in bot.services.research."""

from typing import Literal

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import JesseClient
from bot.cogs.completion import (
    complete_params,
    complete_strategy,
    complete_symbol,
    complete_time,
    complete_timeframe,
)
from bot.permissions import Access, needs
from bot.services.params import parse_params
from bot.services.requests import BacktestAsk, FetchAsk
from bot.ui.components import owner_of
from bot.ui.replies import settle

Interaction = discord.Interaction[JesseClient]
ShortText = app_commands.Range[str, 1, 100]
FILLS = [
    app_commands.Choice(name="at the candle's close", value="close"),
    app_commands.Choice(name="at the next candle's open", value="next_open"),
]


class ResearchCog(commands.Cog):
    """Work on history."""

    def __init__(self, client: JesseClient) -> None:
        self.client = client
        self.research = client.services.research

    @needs(Access.OPERATE)
    @app_commands.command(description="Run a strategy over history and show how it did")
    @app_commands.describe(
        strategy="which strategy to run",
        symbol="such as BTC/USDT (default: the configured one)",
        start="2024-01-31, 2024-01, or back from the end: 90d, 1y (default: all cached candles)",
        end="as start; excluded (default: the last candle)",
        balance="initial balance in USD",
        params="such as fast_period=20 slow_period=50; the rest keeps its defaults",
        fill="where signals are filled (default: at the close that gave them)",
    )
    @app_commands.autocomplete(
        strategy=complete_strategy,
        symbol=complete_symbol,
        start=complete_time,
        end=complete_time,
        params=complete_params,
    )
    @app_commands.choices(fill=FILLS)
    async def backtest(
        self,
        interaction: Interaction,
        strategy: ShortText,
        symbol: ShortText | None = None,
        start: ShortText | None = None,
        end: ShortText | None = None,
        balance: app_commands.Range[float, 1, 1_000_000_000_000] | None = None,
        params: app_commands.Range[str, 1, 4000] | None = None,
        fill: str = "close",
    ) -> None:
        """Queue a backtest and show it until its end."""
        ask = BacktestAsk(
            strategy=strategy.strip(),
            symbol=symbol,
            start=start,
            end=end,
            initial_balance=balance,
            params=parse_params(params),
            fill=_fill(fill),
        )
        job = await settle(interaction, self.research.backtest(ask, owner_of(interaction)))
        await self.client.job_messages.show(interaction, job)

    @needs(Access.OPERATE)
    @app_commands.command(description="Fetch candles into the cache, or top it up")
    @app_commands.describe(
        symbol="such as BTC/USDT (default: the configured one)",
        timeframe="length of a candle (default 1m: all others are made from it)",
        start="2024-01-31, 2024-01, or back from the end: 90d, 1y (default: top up, or 4 years)",
        end="as start; excluded (default: now)",
        keep="top the symbol up by the clock from now on, or no longer",
    )
    @app_commands.autocomplete(
        symbol=complete_symbol,
        timeframe=complete_timeframe,
        start=complete_time,
        end=complete_time,
    )
    async def fetch(
        self,
        interaction: Interaction,
        symbol: ShortText | None = None,
        timeframe: ShortText = "1m",
        start: ShortText | None = None,
        end: ShortText | None = None,
        keep: bool | None = None,
    ) -> None:
        """Queue a fetch and show it until its end."""
        ask = FetchAsk(symbol=symbol, timeframe=timeframe.strip(), start=start, end=end)
        job = await settle(interaction, self.research.fetch(ask, owner_of(interaction)))
        if keep is not None and symbol is not None:
            kept = await self.client.services.kept.set(symbol, is_kept=keep)
            details = {"symbol": kept, "keep": keep}
            await self.client.services.audit.record(interaction.user, "/fetch", details=details)
        await self.client.job_messages.show(interaction, job)


def _fill(value: str) -> Literal["close", "next_open"]:
    return "next_open" if value == "next_open" else "close"
