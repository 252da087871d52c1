"""/help: what to do first. The text is rendered in bot.ui.help."""

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import JesseClient
from bot.permissions import Access, caller_of, needs
from bot.ui.help import help_embed
from bot.ui.replies import respond


class HelpCog(commands.Cog):
    """First steps."""

    def __init__(self, client: JesseClient) -> None:
        self.client = client

    @needs(Access.READ)
    @app_commands.command(name="help", description="What to do first, and what each command does")
    async def help(self, interaction: discord.Interaction[JesseClient]) -> None:
        """Show first steps and all commands."""
        commands_here = [
            (self.client.mention(command.qualified_name), command.description)
            for command in self.client.tree.walk_commands()
            if isinstance(command, app_commands.Command)
        ]
        may_operate = self.client.gate.is_operator(caller_of(interaction))
        embed = help_embed(commands_here, mention=self.client.mention, may_operate=may_operate)
        await respond(interaction, embeds=[embed], ephemeral=True)
