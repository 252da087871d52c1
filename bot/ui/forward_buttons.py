"""Buttons of forward tests. What changes something asks first, and shows what it would do."""

from collections.abc import Coroutine
from typing import Any, ClassVar, Final

import discord
from discord import ButtonStyle
from discord.ui import Button, DynamicItem

from bot.permissions import Access
from bot.services.forward.overview import ForwardView
from bot.ui.components import Interaction, Pressable, row_of, services_of
from bot.ui.files import pack
from bot.ui.formats import plural
from bot.ui.forward import done_embed
from bot.ui.forward_positions import (
    PAGE_TRADES,
    close_preview,
    closed_embed,
    page_count,
    shown_positions,
    trades_csv,
    trades_page,
)
from bot.ui.limits import BUTTON_LABEL, Markup, plain
from bot.ui.replies import respond, settle
from data.storage.records import ForwardTest

_FORM: Final = r"jesse:forward:(?P<key>[0-9]+-[0-9]+):"
_ONE: Final = r"jesse:forward:(?P<key>[0-9]+):"


class ClosePosition(Pressable, DynamicItem[Button[Any]], template=_FORM + "close$"):
    """Shows what closing a position would do, and asks."""

    access: ClassVar[Access] = Access.OPERATE
    form: ClassVar[str] = "jesse:forward:{key}:close"
    label: ClassVar[str] = "Close"
    style: ClassVar[ButtonStyle] = ButtonStyle.danger

    async def press(self, interaction: Interaction) -> None:
        """Ask for a confirmation."""
        actions = services_of(interaction).forward
        test_id, position_id = _numbers(self.key)
        test = await actions.find_by_id(test_id)
        view, position = await actions.find_position(test, position_id)
        buttons = row_of(ConfirmClose(self.key), KeepAsIs("0"))
        await respond(
            interaction, embeds=[close_preview(view, position)], view=buttons, ephemeral=True
        )


class ConfirmClose(Pressable, DynamicItem[Button[Any]], template=_FORM + "close-yes$"):
    """Closes a position at the market."""

    access: ClassVar[Access] = Access.OPERATE
    form: ClassVar[str] = "jesse:forward:{key}:close-yes"
    label: ClassVar[str] = "Close it at the market"
    style: ClassVar[ButtonStyle] = ButtonStyle.danger

    async def press(self, interaction: Interaction) -> None:
        """Close, and show the trade in place of the question."""
        actions = services_of(interaction).forward
        test_id, position_id = _numbers(self.key)

        async def close() -> discord.Embed:
            test, trade = await actions.close_position(test_id, position_id, interaction.user)
            return closed_embed(test, trade)

        await _replace(interaction, close())


class ConfirmStop(Pressable, DynamicItem[Button[Any]], template=_FORM + "stop-yes$"):
    """Ends a test for good; the key's second number says whether positions are closed."""

    access: ClassVar[Access] = Access.OPERATE
    form: ClassVar[str] = "jesse:forward:{key}:stop-yes"
    label: ClassVar[str] = "Stop it for good"
    style: ClassVar[ButtonStyle] = ButtonStyle.danger

    async def press(self, interaction: Interaction) -> None:
        """Stop, and show how it ended in place of the question."""
        actions = services_of(interaction).forward
        test_id, closing = _numbers(self.key)

        async def stop() -> discord.Embed:
            view = await actions.stop(test_id, interaction.user, close_positions=bool(closing))
            return done_embed(_stopped_text(view), view)

        await _replace(interaction, stop())


class KeepAsIs(Pressable, DynamicItem[Button[Any]], template=_ONE + "keep$"):
    """Takes a question back."""

    access: ClassVar[Access] = Access.READ
    form: ClassVar[str] = "jesse:forward:{key}:keep"
    label: ClassVar[str] = "Leave it"

    async def press(self, interaction: Interaction) -> None:
        """Say that nothing was done."""
        await interaction.response.edit_message(
            content="Nothing was changed.", embed=None, view=None
        )
        interaction.extras["answered"] = True


class TradesPage(Pressable, DynamicItem[Button[Any]], template=_FORM + "page$"):
    """Turns to a page of a test's trades; the key's second number is the page, from 0."""

    access: ClassVar[Access] = Access.READ
    form: ClassVar[str] = "jesse:forward:{key}:page"
    label: ClassVar[str] = "Page"

    async def press(self, interaction: Interaction) -> None:
        """Show the page in place of the one before."""
        test_id, page = _numbers(self.key)
        test = await services_of(interaction).forward.find_by_id(test_id)
        embed, view = await trades_message(interaction, test, page)
        await interaction.response.edit_message(embed=embed, view=view)
        interaction.extras["answered"] = True


class ForwardTradesCsv(Pressable, DynamicItem[Button[Any]], template=_ONE + "csv$"):
    """Sends a test's trades as CSV."""

    access: ClassVar[Access] = Access.READ
    form: ClassVar[str] = "jesse:forward:{key}:csv"
    label: ClassVar[str] = "Trades CSV"
    emoji: ClassVar[str | None] = "📄"

    async def press(self, interaction: Interaction) -> None:
        """Send the file to the person who pressed."""
        actions = services_of(interaction).forward
        test = await actions.find_by_id(int(self.key))

        async def load() -> bytes:
            return trades_csv(await actions.desk.database.get_trades(test.id))

        data = await settle(interaction, load(), ephemeral=True)
        parcel = pack({f"trades-{test.name}.csv": data}, interaction.filesize_limit)
        await respond(
            interaction,
            content="\n".join(parcel.notices) or None,
            files=parcel.attachments(),
            ephemeral=True,
        )


FORWARD_BUTTONS: Final = (
    ClosePosition,
    ConfirmClose,
    ConfirmStop,
    KeepAsIs,
    TradesPage,
    ForwardTradesCsv,
)


def close_buttons(views: list[ForwardView]) -> discord.ui.View | None:
    """Return a button for each position shown that can be closed, None where there is none."""
    buttons = []
    for view, held in shown_positions(views):
        position = held.position
        if view.is_live:
            name = f"Close #{position.id} {position.side} {view.test.symbol} · {view.test.name}"
            label = plain(name, BUTTON_LABEL)
            buttons.append(ClosePosition(f"{view.test.id}-{position.id}", label=label))
    return row_of(*buttons) if buttons else None


def stop_buttons(test: ForwardTest, *, close_positions: bool) -> discord.ui.View:
    """Return what a question about stopping offers."""
    return row_of(ConfirmStop(f"{test.id}-{int(close_positions)}"), KeepAsIs("0"))


async def trades_message(
    interaction: Interaction, test: ForwardTest, page: int
) -> tuple[discord.Embed, discord.ui.View]:
    """Return a page of a test's trades, the newest first, with its buttons."""
    database = services_of(interaction).forward.desk.database
    total = await database.count_trades(test.id)
    page = min(max(page, 0), page_count(total) - 1)
    trades = await database.get_trades(test.id, PAGE_TRADES, page * PAGE_TRADES, newest_first=True)
    embed = trades_page(test, trades, page=page, total=total)
    buttons: list[discord.ui.Item[Any]] = []
    if page > 0:
        buttons.append(TradesPage(f"{test.id}-{page - 1}", label="◀ Newer"))
    if page < page_count(total) - 1:
        buttons.append(TradesPage(f"{test.id}-{page + 1}", label="Older ▶"))
    if total:
        buttons.append(ForwardTradesCsv(str(test.id)))
    return embed, row_of(*buttons)


def _stopped_text(view: ForwardView) -> Markup:
    left = len(view.positions)
    if not left:
        return Markup("It is stopped for good.")
    return Markup(f"It is stopped for good; {plural(left, 'position')} left as they were.")


def _numbers(key: str) -> tuple[int, int]:
    first, _, second = key.partition("-")
    return int(first), int(second)


async def _replace(interaction: Interaction, work: Coroutine[Any, Any, discord.Embed]) -> None:
    """Take a question's buttons away, do the work, and show its result in the question's place."""
    await interaction.response.edit_message(view=None)
    embed = await work
    await interaction.edit_original_response(embeds=[embed], view=None)
    interaction.extras["answered"] = True
