"""Slash commands, thin: parse, one service call, render. No SQL and no market logic here."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.client import JesseClient


async def add_cogs(client: "JesseClient") -> None:
    """Give a client all commands."""
    from bot.cogs.forward import ForwardCog
    from bot.cogs.help import HelpCog
    from bot.cogs.jobs import JobsCog
    from bot.cogs.positions import PositionsCog
    from bot.cogs.research import ResearchCog
    from bot.cogs.status import StatusCog
    from bot.cogs.strategies import StrategiesCog

    cogs = (HelpCog, StrategiesCog, ResearchCog, ForwardCog, PositionsCog, JobsCog, StatusCog)
    for cog in cogs:
        await client.add_cog(cog(client))
