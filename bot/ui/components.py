"""Bases of buttons and modals: checked and reported like commands, alive after a restart.

A button's whole state is in its custom_id, so that any later process can answer it.
"""

from collections.abc import Awaitable, Callable
from re import Match
from typing import TYPE_CHECKING, Any, ClassVar, Self

import discord

from bot.permissions import Access
from bot.services.jobs import JobOwner
from bot.tree import custom_id_of

if TYPE_CHECKING:
    from bot.client import Services

# Of a JesseClient, which imports the components and so can't be named here.
Interaction = discord.Interaction[Any]


class Pressable:
    """What every button has; combine with DynamicItem: `class X(Pressable, Button, template=...)`.

    `form` is the custom_id with `{key}` in place of the id of the job or run.
    """

    access: ClassVar[Access]
    form: ClassVar[str]
    label: ClassVar[str]
    emoji: ClassVar[str | None] = None
    style: ClassVar[discord.ButtonStyle] = discord.ButtonStyle.secondary

    def __init__(self, key: str, *, label: str | None = None, row: int | None = None) -> None:
        self.key = key
        button: discord.ui.Button[Any] = discord.ui.Button(
            label=label or self.label,
            emoji=self.emoji,
            style=self.style,
            custom_id=self.form.format(key=key),
            row=row,
        )
        super().__init__(button)  # type: ignore[call-arg]

    @classmethod
    async def from_custom_id(
        cls, interaction: Interaction, item: discord.ui.Item[Any], match: Match[str], /
    ) -> Self:
        """Make the button anew from its custom_id."""
        return cls(match["key"])

    async def callback(self, interaction: Interaction) -> None:
        """Check, act, and report what goes wrong; discord.py would only log it."""
        await guard(interaction, self.access, self.press)

    async def press(self, interaction: Interaction) -> None:
        """Do what the button is for."""
        raise NotImplementedError


class Form(discord.ui.Modal):
    """A modal whose submission is checked and reported like a command."""

    access: ClassVar[Access]

    async def on_submit(self, interaction: Interaction, /) -> None:
        """Check, act, and report what goes wrong."""
        interaction.extras["taken"] = True
        await guard(interaction, self.access, self.submit)

    async def on_error(  # type: ignore[override] # Modal's own has no item
        self, interaction: Interaction, error: Exception, /
    ) -> None:
        """Report what discord.py itself could not do with the modal."""
        await interaction.client.tree.report(interaction, error)

    async def submit(self, interaction: Interaction) -> None:
        """Do what the modal is for."""
        raise NotImplementedError


async def guard(
    interaction: Interaction, access: Access, action: Callable[[Interaction], Awaitable[None]]
) -> None:
    """Run a component's action behind the same check and error report as commands."""
    tree = interaction.client.tree
    try:
        if await tree.admit(interaction, access, action=custom_id_of(interaction)):
            await action(interaction)
    except Exception as error:  # noqa: BLE001 - the border of all components
        await tree.report(interaction, error)


def services_of(interaction: Interaction) -> "Services":
    """Return the services of the client that an interaction came to."""
    services: Services = interaction.client.services
    return services


def owner_of(interaction: Interaction) -> JobOwner:
    """Return who a job belongs to and where its end is told."""
    user = interaction.user
    return JobOwner(user.id, user.name, interaction.channel_id or 0)


def row_of(*items: discord.ui.Item[Any]) -> discord.ui.View:
    """Return a view of buttons that never time out."""
    view = discord.ui.View(timeout=None)
    for item in items:
        view.add_item(item)
    return view
