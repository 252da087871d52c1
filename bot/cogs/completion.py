"""Suggestions while an option is typed. Quick and silent: a list that fails is an empty list."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

import discord
from discord import app_commands

from bot.client import JesseClient
from bot.errors import BotError
from bot.services.strategy_params import ParamInfo
from bot.ui.limits import CHOICE, CHOICES, length
from data.errors import DataError
from engine.timeframe import TIMEFRAMES

log = logging.getLogger(__name__)

Interaction = discord.Interaction[JesseClient]
Choices = list[app_commands.Choice[str]]


async def complete_strategy(interaction: Interaction, current: str) -> Choices:
    """Suggest strategies whose name has what was typed."""
    names = await asyncio.to_thread(interaction.client.services.library.names)
    return _choices(_matching(names, current))


async def complete_symbol(interaction: Interaction, current: str) -> Choices:
    """Suggest symbols of the exchange; those in the cache come first."""
    symbols = await interaction.client.services.research.symbols()
    typed = current.replace("-", "/").replace("_", "/")
    return _choices(_matching(symbols, typed) or _matching(symbols, typed.replace("/", "")))


async def complete_timeframe(interaction: Interaction, current: str) -> Choices:
    """Suggest timeframes."""
    return _choices(_matching(TIMEFRAMES, current))


async def complete_time(interaction: Interaction, current: str) -> Choices:
    """Suggest common periods, and what was typed."""
    common = ("30d", "90d", "6mo", "1y", "2y", "4y")
    typed = [current.strip()] if current.strip() else []
    return _choices([*typed, *(form for form in common if form not in typed)])


async def complete_params(interaction: Interaction, current: str) -> Choices:
    """Suggest the next parameter of the strategy chosen so far, with its default."""
    strategy = str(getattr(interaction.namespace, "strategy", "") or "")
    try:
        library = interaction.client.services.library
        loaded = await asyncio.to_thread(library.load, strategy)
    except (BotError, DataError):
        return _choices([current] if current.strip() else [])
    return _choices(suggest_params(loaded.info.params, current))


def suggest_params(params: Iterable[ParamInfo], typed: str) -> list[str]:
    """Return what was typed, completed by each parameter that isn't named yet."""
    *done, last = typed.split(" ") if typed else [""]
    named = {part.partition("=")[0] for part in done}
    before = " ".join(part for part in done if part)
    if "=" in last and not last.endswith("="):
        before, last = f"{before} {last}".strip(), ""
        named.add(before.rpartition(" ")[2].partition("=")[0])
    name = last.rstrip("=")
    found = [
        f"{before} {param.name}={param.default_text}".strip()
        for param in params
        if param.name not in named and param.name.startswith(name)
    ]
    return [typed.strip(), *found] if typed.strip() else found


def _matching(names: Iterable[str], typed: str) -> list[str]:
    wanted = typed.strip().lower()
    found = [name for name in names if wanted in name.lower()]
    return sorted(found, key=lambda name: not name.lower().startswith(wanted))


def _choices(values: Iterable[Any]) -> Choices:
    fitting = [str(value) for value in values if 0 < length(str(value)) <= CHOICE]
    unique = list(dict.fromkeys(fitting))[:CHOICES]
    return [app_commands.Choice(name=value, value=value) for value in unique]
