"""/alerts: which alerts are on, silent or off. How they are sent is in bot.outbox."""

from typing import Final

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import JesseClient
from bot.permissions import Access, needs
from bot.services.alert_settings import TOPICS, AlertSettings, AlertState
from bot.ui.alert_settings import change_embed, settings_embed
from bot.ui.replies import respond, settle

Interaction = discord.Interaction[JesseClient]

_KINDS: Final = [app_commands.Choice(name=topic.title, value=topic.key) for topic in TOPICS]
_STATES: Final = [
    app_commands.Choice(name="on: with a notification", value=str(AlertState.ON)),
    app_commands.Choice(name="silent: without a notification", value=str(AlertState.SILENT)),
    app_commands.Choice(name="off: not sent, only kept on record", value=str(AlertState.OFF)),
]


class AlertsCog(commands.Cog):
    """The alerts' settings."""

    alerts = needs(Access.READ)(
        app_commands.Group(name="alerts", description="What the channel is told, and how loudly")
    )

    def __init__(self, client: JesseClient) -> None:
        self.client = client
        self.settings = AlertSettings(client.services.values)
        self.audit = client.services.audit

    @needs(Access.READ)
    @alerts.command(description="Which alerts are on, silent or off")
    async def show(self, interaction: Interaction) -> None:
        """Show all kinds of alerts."""
        states = await settle(interaction, self.settings.read(), ephemeral=True)
        embed = settings_embed(states, TOPICS, set_command=self.client.mention("alerts set"))
        await respond(interaction, embeds=[embed], ephemeral=True)

    @needs(Access.OPERATE)
    @alerts.command(name="set", description="Turn a kind of alert on, silent or off")
    @app_commands.describe(kind="which alerts", state="how they come from now on")
    @app_commands.choices(kind=_KINDS, state=_STATES)
    async def change(self, interaction: Interaction, kind: str, state: str) -> None:
        """Set the state of one kind of alert."""
        setting = self.settings.set(kind, AlertState(state))
        done = await settle(interaction, setting, ephemeral=True)
        details = {"kind": done.topic.key, "state": str(done.after), "before": str(done.before)}
        await self.audit.record(interaction.user, "/alerts set", details=details)
        await respond(interaction, embeds=[change_embed(done)], ephemeral=True)
