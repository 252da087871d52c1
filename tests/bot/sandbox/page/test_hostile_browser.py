import io

import discord
import pytest
from playwright.async_api import expect

pytestmark = pytest.mark.browser

SCRIPT = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
TEXTS = (
    SCRIPT,
    f"**{SCRIPT}** `{SCRIPT}` ||{SCRIPT}||",
    f"```html\n{SCRIPT}\n```",
    f"> {SCRIPT}\n# {SCRIPT}\n- {SCRIPT}",
    "[click](javascript:window.hacked=1) javascript:window.hacked=1",
    "<javascript:window.hacked=1> [x](<javascript:window.hacked=1>)",
    f"[{SCRIPT}](https://example.com/?a='\"><script>window.hacked=1</script>)",
    "<@999> <@&999> <#999> <t:99999999999999:R> <t:8640000000001:f> <:x:1> </a:1>",
)


async def hacked(page):
    return await page.evaluate("() => window.hacked ?? null")


async def test_hostile_texts_stay_texts(open_page, sandbox):
    for text in TEXTS:
        await sandbox.user("viewer").send(text)
    page = await open_page()
    articles = page.get_by_role("article")
    await expect(articles).to_have_count(len(TEXTS))
    await expect(articles.first).to_contain_text(SCRIPT)

    assert await page.locator("#messages script, #messages img, #messages iframe").count() == 0
    targets = await page.locator("#messages a").evaluate_all("links => links.map(l => l.protocol)")
    assert targets
    assert set(targets) == {"https:"}
    assert await hacked(page) is None


async def test_hostile_embeds_files_controls_and_names_stay_texts(open_page, research, sandbox):
    class Form(discord.ui.Modal, title=SCRIPT[:45]):
        field = discord.ui.TextInput(label=SCRIPT[:45], placeholder=SCRIPT, default=SCRIPT)

    class Controls(discord.ui.View):
        @discord.ui.button(label=SCRIPT[:80])
        async def press(self, interaction: discord.Interaction, _: discord.ui.Button) -> None:
            await interaction.response.send_modal(Form())

        @discord.ui.select(placeholder=SCRIPT, options=[discord.SelectOption(label=SCRIPT[:100])])
        async def choose(self, interaction: discord.Interaction, _: discord.ui.Select) -> None:
            """Nothing is chosen here."""

    embed = discord.Embed(title=SCRIPT, description=SCRIPT, url="https://example.com/<script>")
    embed.add_field(name=SCRIPT, value=SCRIPT).set_footer(text=SCRIPT).set_author(name=SCRIPT)
    embed.set_image(url="https://example.com/tracker.png")
    channel = research.get_channel(sandbox.channel_id)
    file = discord.File(io.BytesIO(SCRIPT.encode()), "evil.html")
    await channel.send(SCRIPT, embed=embed, file=file, view=Controls())
    await channel.create_thread(name=SCRIPT[:80], type=discord.ChannelType.public_thread)
    page = await open_page()
    answer = page.get_by_role("article", name="Message from Jesse").first
    await expect(answer).to_contain_text(SCRIPT)
    await expect(answer).to_contain_text("Image from elsewhere (not loaded)")
    await answer.get_by_role("combobox").click()
    await page.keyboard.press("Escape")
    await answer.get_by_role("button", name=SCRIPT[:80]).click()
    await expect(page.get_by_role("dialog").get_by_role("textbox")).to_have_value(SCRIPT)

    assert await page.locator("main img, main iframe, main script").count() == 0
    assert await hacked(page) is None


async def test_an_html_file_is_downloaded_and_never_opened(open_page, research, sandbox):
    channel = research.get_channel(sandbox.channel_id)
    data = b"<script>window.hacked=1</script>"
    await channel.send(file=discord.File(io.BytesIO(data), "chart.html"))
    page = await open_page()
    async with page.expect_download() as downloading:
        await page.get_by_role("link", name="Download chart.html").click()
    download = await downloading.value

    assert download.suggested_filename == "chart.html"
    assert (await download.path()).read_bytes() == data


# Each repeated to 4000 letters; a parser that goes back and forth would take hours over some.
SLOW = ("`", "*", "**a", "_ _", "~~|", "[", "[a](", "> ", "<t:", "http://", "```", "- \n", "\\")

MARKDOWN = {
    "**a** *b* _c_ __d__ ~~e~~": ("<strong>a</strong> <em>b</em> <em>c</em> <u>d</u> <s>e</s>"),
    "***both***": "<strong><em>both</em></strong>",
    r"ma\_cross \*a\*": "ma_cross *a*",
    "*a **b** c*": "<em>a <strong>b</strong> c</em>",
    "ma_crossover_fast 2 * 3 * 4": "ma_crossover_fast 2 * 3 * 4",
    r"\*not\* **open": "*not* **open",
    "`a *b*` ``c ` d``": "<code>a *b*</code> <code>c ` d</code>",
    "<@1>": '<span class="mention">@Ann</span>',
    "<@&2> <#3>": '<span class="mention">@Ops</span> <span class="mention">#lab</span>',
    "</run now:4>": '<span class="mention">/run now</span>',
    "<@9> @everyone": (
        '<span class="mention">@unknown-user</span> <span class="mention">@everyone</span>'
    ),
    "a\nb": "a\nb",
}
DRAW = """async (texts) => {
    const { markdown } = await import("./static/markdown.js");
    const names = { users: { 1: "Ann" }, roles: { 2: "Ops" }, channels: { 3: "lab" } };
    return texts.map((text) => {
        const box = document.createElement("div");
        box.append(...markdown(text, names));
        return box.firstElementChild?.innerHTML ?? "";
    });
}"""


async def test_markdown_becomes_what_discord_shows(open_page):
    page = await open_page()
    drawn = await page.evaluate(DRAW, list(MARKDOWN))

    assert dict(zip(MARKDOWN, drawn, strict=True)) == MARKDOWN


@pytest.mark.timeout(60)
async def test_a_text_made_to_be_slow_is_drawn(open_page):
    page = await open_page()
    drawn = await page.evaluate(DRAW, [(piece * 4000)[:4000] for piece in SLOW])

    assert len(drawn) == len(SLOW)
    assert drawn[SLOW.index("[")] == "[" * 4000
