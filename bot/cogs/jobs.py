"""/jobs: what runs and what ran. Rendering is in bot.ui.jobs, cancelling in bot.ui.buttons."""

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import JesseClient
from bot.permissions import Access, caller_of, needs
from bot.ui.buttons import cancel_buttons
from bot.ui.jobs import job_list
from bot.ui.replies import respond


class JobsCog(commands.Cog):
    """Running and recent jobs."""

    def __init__(self, client: JesseClient) -> None:
        self.client = client

    @needs(Access.READ)
    @app_commands.command(description="Running and recent jobs, with a button to cancel")
    async def jobs(self, interaction: discord.Interaction[JesseClient]) -> None:
        """Show the jobs; who may not cancel gets no buttons."""
        views = self.client.services.jobs.recent()
        may_cancel = self.client.gate.is_operator(caller_of(interaction))
        view = cancel_buttons(views) if may_cancel else None
        await respond(interaction, embeds=[job_list(views)], view=view, ephemeral=True)
