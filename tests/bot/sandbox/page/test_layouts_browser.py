import asyncio
import io

import discord
import pytest
from playwright.async_api import expect

pytestmark = pytest.mark.browser


@pytest.fixture
def chosen() -> asyncio.Queue:
    """What the bot heard of menus and options."""
    return asyncio.Queue()


async def test_several_options_are_sent_once_the_menu_closes(open_page, research, sandbox, chosen):
    class Several(discord.ui.View):
        @discord.ui.select(
            placeholder="Strategies",
            min_values=1,
            max_values=2,
            options=[discord.SelectOption(label=name) for name in ("one", "two", "three")],
        )
        async def choose(self, interaction: discord.Interaction, menu: discord.ui.Select) -> None:
            chosen.put_nowait(menu.values)
            await interaction.response.edit_message(content=f"Chosen: {', '.join(menu.values)}")

    await research.get_channel(sandbox.channel_id).send("Which?", view=Several())
    page = await open_page()
    answer = page.get_by_role("article", name="Message from Jesse")
    menu = answer.get_by_role("combobox", name="Strategies")
    await menu.click()
    for name in ("three", "one", "two"):
        await answer.get_by_role("option", name=name).click()
    await expect(answer.get_by_role("option", selected=True)).to_have_text(["one", "three"])
    assert chosen.empty()
    await page.keyboard.press("Escape")

    await expect(answer).to_contain_text("Chosen: three, one")
    assert chosen.qsize() == 1


async def test_a_layout_is_drawn_and_its_buttons_work(open_page, research, sandbox):
    class Press(discord.ui.Button):
        async def callback(self, interaction: discord.Interaction) -> None:
            await interaction.response.send_message("pressed")

    class Layout(discord.ui.LayoutView):
        box = discord.ui.Container(
            discord.ui.TextDisplay("## Report\nwith **bold** words"),
            discord.ui.Separator(),
            discord.ui.Section("A line", accessory=Press(label="Press me")),
            discord.ui.MediaGallery(discord.MediaGalleryItem("attachment://a.png")),
            discord.ui.File("attachment://data.csv"),
            accent_colour=0xFF0000,
        )

    files = [
        discord.File(io.BytesIO(b"1,2"), "data.csv"),
        discord.File(io.BytesIO(b"no picture"), "a.png"),
    ]
    await research.get_channel(sandbox.channel_id).send(view=Layout(), files=files)
    page = await open_page()
    answer = page.get_by_role("article", name="Message from Jesse").first
    await expect(answer.get_by_role("heading", name="Report")).to_be_visible()
    await expect(answer.locator("hr")).to_have_count(1)
    await expect(answer.get_by_role("group", name="File data.csv")).to_be_visible()
    await answer.get_by_role("button", name="Press me").click()

    await expect(page.get_by_text("pressed")).to_be_visible()
    color = "box => getComputedStyle(box).borderLeftColor"
    assert await answer.locator(".container").evaluate(color) == "rgb(255, 0, 0)"


async def test_a_file_is_given_to_a_command_and_a_pasted_command_is_read(
    open_page, bot, running, chosen
):
    @bot.tree.command(description="Take a file")
    async def load(
        interaction: discord.Interaction, data: discord.Attachment, symbol: str, rows: int
    ) -> None:
        await interaction.response.send_message(f"{data.filename}, {symbol}, {rows}")
        chosen.put_nowait(await data.read())

    async with running(bot):
        page = await open_page()
        await page.locator("#composer-input").fill("/load symbol: BTC/USDT rows: 5")
        file = {"name": "a.csv", "mimeType": "text/csv", "buffer": b"1,2"}
        await page.locator("#option-data").set_input_files(file)
        await expect(page.locator("#option-symbol")).to_have_value("BTC/USDT")
        await page.get_by_role("button", name="Send").click()

        answer = page.get_by_role("article", name="Message from Jesse")
        await expect(answer).to_contain_text("a.csv, BTC/USDT, 5")
        assert await chosen.get() == b"1,2"


async def test_pictures_open_large_and_missing_ones_are_named(open_page, research, sandbox):
    page = await open_page()
    channel = research.get_channel(sandbox.channel_id)
    shot = discord.File(io.BytesIO(await page.screenshot()), "equity.png", description="Equity")
    await channel.send(file=shot)
    embed = discord.Embed(title="t").set_image(url="attachment://gone.png")
    await channel.send(embed=embed)
    await expect(page.get_by_text("Image gone.png is missing")).to_be_visible()
    await page.get_by_role("button", name="Open Equity").click()
    large = page.get_by_role("dialog", name="Image")
    await expect(large.get_by_role("img", name="Equity")).to_be_visible()
    await page.keyboard.press("Escape")

    await expect(large).to_have_count(0)
