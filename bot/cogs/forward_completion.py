"""Suggestions of forward tests while an option is typed."""

from typing import Any

import discord
from discord import app_commands

from bot.services.forward.service import ALIVE
from bot.ui.limits import CHOICE, CHOICES, clip, plain
from data.storage.records import ForwardTest, ForwardTestStatus

Choices = list[app_commands.Choice[str]]


async def complete_test(interaction: discord.Interaction[Any], current: str) -> Choices:
    """Suggest tests that are running, paused or faulted."""
    return _choices(await _tests(interaction, ALIVE), current)


async def complete_any_test(interaction: discord.Interaction[Any], current: str) -> Choices:
    """Suggest tests; those that are stopped come last, the newest first."""
    alive = await _tests(interaction, ALIVE)
    stopped = await _tests(interaction, (ForwardTestStatus.STOPPED,))
    return _choices([*alive, *stopped[::-1]], current)


async def _tests(
    interaction: discord.Interaction[Any], statuses: tuple[ForwardTestStatus, ...]
) -> list[ForwardTest]:
    database = interaction.client.services.forward.desk.database
    tests: list[ForwardTest] = await database.list_forward_tests(statuses)
    return tests


def _choices(tests: list[ForwardTest], typed: str) -> Choices:
    wanted = typed.strip().lower()
    found = [test for test in tests if wanted in _label(test).lower()]
    return [
        app_commands.Choice(name=clip(plain(_label(test), CHOICE), CHOICE), value=test.name)
        for test in found[:CHOICES]
    ]


def _label(test: ForwardTest) -> str:
    return f"{test.name} · {test.strategy} on {test.symbol} · {test.status}"
