"""Errors as the channel shows them: what was found and what to do. Pure; logging is elsewhere."""

from collections.abc import Callable
from typing import Final

import discord
from discord import app_commands

from bot.charts.errors import ChartError
from bot.errors import BotError
from bot.ui.limits import CONTENT, Markup, clip, escape
from data.errors import DataError
from engine.errors import EngineError

_TOLD: Final = (BotError, DataError, EngineError, ChartError)
_RESERVE: Final = 200


def cause(error: BaseException) -> BaseException:
    """Return what a command really raised, without discord.py's wrapping."""
    while isinstance(error, app_commands.CommandInvokeError):
        error = error.original
    if isinstance(error, app_commands.TransformerError) and isinstance(error.__cause__, _TOLD):
        return error.__cause__
    return error


def explain(error: BaseException, redact: Callable[[str], str] = str) -> Markup | None:
    """Return the text for an error that was raised on purpose, None for an unexpected one."""
    if isinstance(error, (*_TOLD, app_commands.TransformerError)):
        return Markup(f"⚠️ {clip(escape(redact(str(error))), CONTENT - _RESERVE)}")
    if isinstance(error, app_commands.CommandNotFound | app_commands.CommandSignatureMismatch):
        return Markup("⚠️ This command has just changed: wait a minute, then type it anew.")
    if isinstance(error, discord.Forbidden):
        return Markup(
            "⚠️ Discord doesn't let me do that here: I need View Channel, Send Messages,"
            " Embed Links and Attach Files in this channel."
        )
    return None


def unexpected(error_id: str) -> Markup:
    """Return the text for an unexpected error whose traceback the log has under an id."""
    return Markup(
        f"💥 Something unexpected went wrong (error `{error_id}`). The details are in the log"
        " under that id. Trying again is safe; if it comes back, tell the maintainer the id."
    )
