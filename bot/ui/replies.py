"""Answering an interaction exactly once: at once where work is quick, else after a deferral."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import aiohttp
import discord

Result = TypeVar("Result")
Interaction = discord.Interaction[Any]

log = logging.getLogger(__name__)

# Discord waits 3 s for a first answer; the rest is for the way there.
PATIENCE_S: Final = 1.5

# Discord no longer knows the interaction, or has its answer already.
_GONE: Final = (10062, 10015, 40060, 50027)


async def settle(
    interaction: Interaction, work: Coroutine[Any, Any, Result], *, ephemeral: bool = False
) -> Result:
    """Await work; let Discord show "thinking" where it takes longer than a moment."""
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=PATIENCE_S)
        if not done and not interaction.response.is_done():
            await interaction.response.defer(ephemeral=ephemeral, thinking=True)
        return await task
    finally:
        task.cancel()


async def respond(
    interaction: Interaction,
    *,
    content: str | None = None,
    embeds: list[discord.Embed] | None = None,
    files: list[discord.File] | None = None,
    view: discord.ui.View | None = None,
    ephemeral: bool = False,
) -> int:
    """Send the one answer, or fill the deferral that was made for it; return the message's id."""
    if interaction.response.is_done():
        message = await interaction.edit_original_response(
            content=content, embeds=embeds or [], attachments=files or [], view=view
        )
        message_id: int | None = message.id
    else:
        sent = await interaction.response.send_message(
            content=content,
            embeds=embeds or [],
            files=files or [],
            view=view or discord.utils.MISSING,
            ephemeral=ephemeral,
        )
        message_id = sent.message_id
    interaction.extras["answered"] = True
    return message_id or (await interaction.original_response()).id


async def answer_privately(interaction: Interaction, text: str) -> None:
    """Tell one person something, whatever stage the interaction is in; never raises.

    A public "thinking" that nothing has filled goes away: the answer is for its author alone.
    """
    try:
        if interaction.type is discord.InteractionType.autocomplete:
            await _suggest_nothing(interaction)
        elif not interaction.response.is_done():
            await interaction.response.send_message(text, ephemeral=True)
        else:
            await _take_deferral_back(interaction)
            await interaction.followup.send(text, ephemeral=True)
        interaction.extras["answered"] = True
    except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
        if getattr(error, "code", None) in _GONE:
            log.warning("an answer came too late for interaction %s", interaction.id)
        else:
            log.warning("could not answer interaction %s", interaction.id, exc_info=error)


async def _suggest_nothing(interaction: Interaction) -> None:
    if not interaction.response.is_done():
        await interaction.response.autocomplete([])


async def _take_deferral_back(interaction: Interaction) -> None:
    deferred = interaction.response.type is discord.InteractionResponseType.deferred_channel_message
    if deferred and not interaction.extras.get("answered"):
        await interaction.delete_original_response()
