import re

import discord
import pytest

from bot.sandbox.errors import InvalidInput, NotOffered


class Counter(discord.ui.View):
    """A view that survives a restart."""

    def __init__(self) -> None:
        super().__init__(timeout=None)
        self.add_item(discord.ui.Button(label="Docs", url="https://example.org/docs"))

    @discord.ui.button(label="More", custom_id="counter:more")
    async def more(self, interaction: discord.Interaction, button: discord.ui.Button) -> None:
        count = int(interaction.message.content) + 1
        await interaction.response.edit_message(content=str(count))


class Stop(discord.ui.DynamicItem[discord.ui.Button], template=r"stop:(?P<test_id>\d+)"):
    """A button that keeps a number in its custom_id."""

    def __init__(self, test_id: int) -> None:
        self.test_id = test_id
        super().__init__(discord.ui.Button(label=f"Stop {test_id}", custom_id=f"stop:{test_id}"))

    @classmethod
    async def from_custom_id(cls, interaction, item, match: re.Match[str]):
        return cls(int(match["test_id"]))

    async def callback(self, interaction: discord.Interaction) -> None:
        await interaction.response.defer()
        await interaction.followup.send(f"stopped {self.test_id}", ephemeral=True)


async def test_a_persistent_button_works_for_a_client_that_connects_later(
    sandbox, running, new_bot
):
    first = new_bot()

    @first.tree.command(description="Count")
    async def count(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("1", view=Counter())

    user = sandbox.user("operator")
    async with running(first):
        answer = await user.slash("count")
        message = await answer.first_response()
        await (await user.click(message, "More")).first_response()

    second = new_bot()
    second.add_view(Counter())
    async with running(second):
        updated = await (await user.click(message, "counter:more")).first_response()

    assert updated.id == message.id
    assert updated.content == "3"
    assert updated.links == {"Docs": "https://example.org/docs"}
    with pytest.raises(NotOffered, match="link"):
        await user.click(message, "Docs")


async def test_a_dynamic_item_finds_its_number_in_the_custom_id(sandbox, running, bot):
    bot.add_dynamic_items(Stop)

    @bot.tree.command(description="Show")
    async def show(interaction: discord.Interaction) -> None:
        view = discord.ui.View(timeout=None)
        view.add_item(Stop(42))
        await interaction.response.send_message("running", view=view)

    async with running(bot):
        message = await (await sandbox.user("operator").slash("show")).first_response()
        clicked = await sandbox.user("viewer").click(message, "Stop 42")
        reply = await clicked.wait_for(lambda m: m.content == "stopped 42")

    assert reply.ephemeral
    assert reply.reference_id == message.id


async def test_a_menu_sends_the_chosen_values(sandbox, running, bot):
    class Menu(discord.ui.View):
        @discord.ui.select(
            placeholder="Timeframe",
            max_values=2,
            options=[discord.SelectOption(label=t.upper(), value=t) for t in ("1m", "1h", "4h")],
        )
        async def chosen(self, interaction, select) -> None:
            await interaction.response.send_message(",".join(select.values))

    @bot.tree.command(description="Menu")
    async def menu(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("choose", view=Menu())

    user = sandbox.user("operator")
    async with running(bot):
        message = await (await user.slash("menu")).first_response()
        reply = await (await user.select(message, "Timeframe", ["1H", "4h"])).first_response()
        with pytest.raises(InvalidInput, match="takes 1 to 2"):
            await user.select(message, "Timeframe", ["1m", "1h", "4h"])
        with pytest.raises(InvalidInput, match="1d"):
            await user.select(message, "Timeframe", "1d")

    assert reply.content == "1h,4h"


async def test_a_modal_is_opened_checked_and_submitted(sandbox, running, bot):
    class Form(discord.ui.Modal, title="New test"):
        name = discord.ui.TextInput(label="Name", max_length=10)
        note = discord.ui.Label(
            text="Note", component=discord.ui.TextInput(required=False, default="none")
        )
        side = discord.ui.Label(
            text="Side",
            component=discord.ui.Select(options=[discord.SelectOption(label="Long", value="l")]),
        )

        async def on_submit(self, interaction: discord.Interaction) -> None:
            parts = (self.name.value, self.note.component.value, self.side.component.values)
            await interaction.response.send_message(str(parts))

    @bot.tree.command(description="Form")
    async def form(interaction: discord.Interaction) -> None:
        await interaction.response.send_modal(Form())

    user = sandbox.user("operator")
    async with running(bot):
        modal = await (await user.slash("form")).modal_opened()
        with pytest.raises(InvalidInput, match="1 to 10"):
            await user.submit_modal(modal, {"Name": "x" * 11})
        with pytest.raises(NotOffered, match="somebody else"):
            await sandbox.user("viewer").submit_modal(modal, {"Name": "x"})
        answer = await user.submit_modal(modal, {"Name": "alpha", "Side": "Long"})
        reply = await answer.first_response()

    assert modal.title == "New test"
    assert [item.label for item in modal.inputs] == ["Name", "Note", "Side"]
    assert reply.content == "('alpha', 'none', ['l'])"


async def test_a_modal_opened_from_a_button_can_update_its_message(sandbox, running, bot):
    class Rename(discord.ui.Modal, title="Rename"):
        name = discord.ui.TextInput(label="Name")

        async def on_submit(self, interaction: discord.Interaction) -> None:
            await interaction.response.edit_message(content=f"named {self.name.value}", view=None)

    class Card(discord.ui.View):
        @discord.ui.button(label="Rename")
        async def rename(self, interaction, button) -> None:
            await interaction.response.send_modal(Rename())

    @bot.tree.command(description="Card")
    async def card(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("unnamed", view=Card())

    user = sandbox.user("operator")
    async with running(bot):
        message = await (await user.slash("card")).first_response()
        modal = await (await user.click(message, "Rename")).modal_opened()
        updated = await (await user.submit_modal(modal, {"Name": "beta"})).first_response()

    assert updated.id == message.id
    assert updated.content == "named beta"
    assert updated.buttons == []


async def test_a_disabled_or_hidden_button_can_not_be_pressed(sandbox, running, bot):
    @bot.tree.command(description="Buttons")
    async def buttons(interaction: discord.Interaction) -> None:
        view = discord.ui.View()
        view.add_item(discord.ui.Button(label="Off", disabled=True))
        await interaction.response.send_message("x", view=view, ephemeral=True)

    async with running(bot):
        message = await (await sandbox.user("operator").slash("buttons")).first_response()
        with pytest.raises(NotOffered, match="disabled"):
            await sandbox.user("operator").click(message, "Off")
        with pytest.raises(NotOffered, match="doesn't see"):
            await sandbox.user("viewer").click(message, "Off")
        with pytest.raises(NotOffered, match=r"it has \['Off'\]"):
            await sandbox.user("operator").click(message, "On")


async def test_components_over_the_limits_are_refused(sandbox, running, bot):
    @bot.tree.command(description="Too long")
    async def long(interaction: discord.Interaction) -> None:
        view = discord.ui.View()
        view.add_item(discord.ui.Button(label="x" * 81, custom_id="a"))
        view.add_item(discord.ui.Button(label="ok", custom_id="a"))
        try:
            await interaction.response.send_message("x", view=view)
        except discord.HTTPException as error:
            await interaction.response.send_message(error.text)

    async with running(bot):
        message = await (await sandbox.user("operator").slash("long")).first_response()

    assert "label: Must be 80 or fewer in length." in message.content
    assert "custom id cannot be duplicated" in message.content


async def test_a_layout_of_components_v2_is_shown(sandbox, running, bot):
    @bot.tree.command(description="Layout")
    async def layout(interaction: discord.Interaction) -> None:
        view = discord.ui.LayoutView()
        view.add_item(discord.ui.Container(discord.ui.TextDisplay("## Results")))
        await interaction.response.send_message(view=view)

    async with running(bot):
        message = await (await sandbox.user("operator").slash("layout")).first_response()

    assert message.text == "## Results"
