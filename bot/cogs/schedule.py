"""/schedule: work by the clock, listed, paused, run now. The work is in bot.services.scheduled."""

import asyncio
from typing import Final

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import JesseClient
from bot.permissions import Access, needs
from bot.services.scheduled.records import RunRecord
from bot.ui.limits import CHOICES
from bot.ui.replies import respond, settle
from bot.ui.schedule import paused_embed, run_embed, schedule_embed

Interaction = discord.Interaction[JesseClient]
JobName = app_commands.Range[str, 1, 40]

# An answer may come up to 15 minutes later, but nobody waits that long.
_PATIENCE_S: Final = 60.0


async def complete_job(interaction: Interaction, current: str) -> list[app_commands.Choice[str]]:
    """Suggest scheduled jobs."""
    names = [view.name for view in interaction.client.services.scheduler.views()]
    found = [name for name in names if current.strip().lower() in name]
    return [app_commands.Choice(name=name, value=name) for name in found[:CHOICES]]


class ScheduleCog(commands.Cog):
    """Scheduled work."""

    schedule = needs(Access.READ)(
        app_commands.Group(name="schedule", description="Work that is done by the clock")
    )

    def __init__(self, client: JesseClient) -> None:
        self.client = client
        self.scheduler = client.services.scheduler
        self.audit = client.services.audit

    @needs(Access.READ)
    @schedule.command(name="list", description="When each job runs, and how its last run went")
    async def list_jobs(self, interaction: Interaction) -> None:
        """Show all jobs."""
        kept = await self.client.services.kept.all()
        embed = schedule_embed(self.scheduler.views(), kept)
        await respond(interaction, embeds=[embed], ephemeral=True)

    @needs(Access.OPERATE)
    @schedule.command(description="Let a job rest until it is resumed")
    @app_commands.describe(job="which job")
    @app_commands.autocomplete(job=complete_job)
    async def pause(self, interaction: Interaction, job: JobName) -> None:
        """Pause a job."""
        view = await settle(interaction, self.scheduler.pause(job), ephemeral=True)
        await self.audit.record(interaction.user, "/schedule pause", details={"job": view.name})
        await respond(interaction, embeds=[paused_embed(view)], ephemeral=True)

    @needs(Access.OPERATE)
    @schedule.command(description="Let a paused job run by the clock again")
    @app_commands.describe(job="which job")
    @app_commands.autocomplete(job=complete_job)
    async def resume(self, interaction: Interaction, job: JobName) -> None:
        """Resume a job."""
        view = await settle(interaction, self.scheduler.resume(job), ephemeral=True)
        await self.audit.record(interaction.user, "/schedule resume", details={"job": view.name})
        await respond(interaction, embeds=[paused_embed(view)], ephemeral=True)

    @needs(Access.OPERATE)
    @schedule.command(description="Run a job now, paused or not")
    @app_commands.describe(job="which job")
    @app_commands.autocomplete(job=complete_job)
    async def run(self, interaction: Interaction, job: JobName) -> None:
        """Run a job and show how it went."""
        running = self.scheduler.run_now(job)
        name = job.strip().lower()
        await self.audit.record(interaction.user, "/schedule run", details={"job": name})
        record = await settle(interaction, _wait(running), ephemeral=True)
        await respond(interaction, embeds=[run_embed(name, record)], ephemeral=True)


async def _wait(running: "asyncio.Task[RunRecord]") -> RunRecord | None:
    done, _ = await asyncio.wait({running}, timeout=_PATIENCE_S)
    return running.result() if done and not running.cancelled() else None
