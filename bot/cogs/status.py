"""/status: how the program is doing. Measuring is in bot.services.status."""

import math

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import JesseClient
from bot.permissions import Access, needs
from bot.services.forward.service import ALIVE
from bot.ui.forward import forward_lines
from bot.ui.replies import respond, settle
from bot.ui.status import status_embed


class StatusCog(commands.Cog):
    """Health."""

    def __init__(self, client: JesseClient) -> None:
        self.client = client

    @needs(Access.READ)
    @app_commands.command(description="Uptime, connections, memory, disk and versions")
    async def status(self, interaction: discord.Interaction[JesseClient]) -> None:
        """Show how the program is doing."""
        services = self.client.services
        report = await settle(interaction, services.status.report(), ephemeral=True)
        latency = self.client.latency
        active = [view for view in services.jobs.recent() if not view.state.is_final]
        desk = services.forward.desk
        waiting = await desk.database.count_pending_messages()
        tests = await desk.database.list_forward_tests(ALIVE)
        embed = status_embed(
            report,
            latency_s=math.inf if math.isnan(latency) else latency,
            active_jobs=len(active),
            max_jobs=services.max_jobs,
            forward=forward_lines(tests, desk.runners(), waiting_alerts=waiting),
            schedule=services.scheduler.views(),
        )
        await respond(interaction, embeds=[embed], ephemeral=True)
