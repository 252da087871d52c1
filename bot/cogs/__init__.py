"""Slash commands, thin: parse, one service call, render. No SQL and no market logic here."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.client import JesseClient


async def add_cogs(client: "JesseClient") -> None:
    """Give a client all commands."""
    from bot.cogs.alerts import AlertsCog
    from bot.cogs.check import CheckCog
    from bot.cogs.forward import ForwardCog
    from bot.cogs.help import HelpCog
    from bot.cogs.jobs import JobsCog
    from bot.cogs.positions import PositionsCog
    from bot.cogs.research import ResearchCog
    from bot.cogs.schedule import ScheduleCog
    from bot.cogs.status import StatusCog
    from bot.cogs.strategies import StrategiesCog

    research = (HelpCog, StrategiesCog, ResearchCog, CheckCog, JobsCog)
    for cog in (*research, ForwardCog, PositionsCog, AlertsCog, ScheduleCog, StatusCog):
        await client.add_cog(cog(client))
