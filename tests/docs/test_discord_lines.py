"""Every command of Discord that the documentation names is one, with these options and values."""

import asyncio
import re
from pathlib import Path

import pytest
from discord.app_commands import Command as SlashCommand
from discord.app_commands import Group

from bot.alerts import DiscordAlerter
from bot.app import build_app
from bot.cogs import add_cogs
from bot.permissions import Access, access_of
from bot.services.scheduled.jobs import make_jobs
from bot.settings import Settings
from tests.docs.pages import FILES, Code, inline, read

# Inline code that begins with a slash and is no command.
PATHS = {"/data": "the volume", "/healthz": "the address that tells of health"}


class NotNeeded:
    """Stands for browser and worker processes, which no command is run to use."""


async def _commands(folder: Path):
    settings = Settings.load(
        None,
        discord_token="none",
        discord_guild_id=1,
        discord_channel_id=(2,),
        data_dir=folder,
        exchange="simulated",
        exchange_rest_url="http://127.0.0.1:9",
    )
    async with build_app(settings, pictures=NotNeeded(), pool=NotNeeded()) as app:
        await add_cogs(app.client)
        return {found.qualified_name: found for found in app.client.tree.walk_commands()}


@pytest.fixture(scope="module")
def commands(tmp_path_factory) -> dict[str, SlashCommand | Group]:
    """Return the bot's real commands and groups by name; nothing is asked of Discord."""
    return asyncio.run(_commands(tmp_path_factory.mktemp("var")))


def slash_lines(page: str) -> list[Code]:
    """Return inline code that looks like a command; paths with two parts never do."""
    found = [code for code in inline(page) if re.match(r"/[a-z]+(?![\w/.-])", code.text)]
    return [code for code in found if code.text not in PATHS]


def split(code: Code, commands) -> tuple[SlashCommand | Group, str]:
    """Return the command that a line names, and what stands behind its name."""
    words = code.text.removeprefix("/").split()
    names = [" ".join(words[:count]) for count in (2, 1)]
    name = next((name for name in names if name in commands), None)
    assert name is not None, f"{code}: there is no such command"
    return commands[name], " ".join(words[len(name.split()) :])


@pytest.mark.parametrize("page", FILES)
def test_every_command_that_is_named_exists_with_its_options(page, commands):
    for code in slash_lines(page):
        command, rest = split(code, commands)
        options = {} if isinstance(command, Group) else {p.name: p for p in command.parameters}
        said = re.findall(r"(\w+):", rest) + re.sub(r"[^\[]*\[|\].*|\w+:.*", "", rest).split()
        assert set(said) <= options.keys(), code
        if rest:
            assert said, f"{code}: what stands behind the command is no option"


def test_there_are_commands_on_many_pages():
    assert len([page for page in FILES if slash_lines(page)]) > 6


def rows() -> list[list[Code]]:
    """Return the commands of each row of the README's table, written out in full."""
    found = []
    for line in re.findall(r"^\| (`/.+?) \|", read("README.md"), re.M):
        codes = re.findall(r"`([^`]+)`", line)
        group = codes[0].split()[0]
        full = [text if text.startswith("/") else f"{group} {text}" for text in codes]
        found.append([Code("README.md", read("README.md").index(line), text) for text in full])
    return found


def test_the_readme_lists_every_command(commands):
    listed = {split(code, commands)[0].qualified_name for row in rows() for code in row}
    single = {name for name, found in commands.items() if isinstance(found, SlashCommand)}
    assert listed == single


def test_the_readme_tells_required_options_from_others(commands):
    for code in (code for row in rows() for code in row):
        command, rest = split(code, commands)
        if rest:
            before, _, within = rest.partition("[")
            required = {name.removesuffix(":") for name in before.split()}
            assert required == {p.name for p in command.parameters if p.required}, code
            others = {p.name for p in command.parameters if not p.required}
            assert set(within.removesuffix("]").split()) == others, code


def test_the_jobs_that_are_named_exist():
    alerts = DiscordAlerter(None, wake=list)
    names = {job.name for job in make_jobs(Settings.load(None), None, None, list, alerts)}
    said = [
        code.text.partition("job:")[2]
        for page in FILES
        for code in slash_lines(page)
        if "job:" in code.text
    ]
    assert said
    assert set(said) <= names


def test_options_that_are_mentioned_alone_exist(commands):
    known = {
        parameter.name
        for found in commands.values()
        if isinstance(found, SlashCommand)
        for parameter in found.parameters
    }
    for page in FILES:
        for code in inline(page):
            if match := re.match(r"([a-z]+):(?=[A-Z\d]|$)", code.text):
                assert match[1] in known, code


def test_security_says_who_may_what(commands):
    said = {}
    for verb in ("look", "change"):
        [row] = re.findall(rf"^\| {verb}: (.*?) \|", read("security.md"), re.M)
        said[verb] = {text.removeprefix("/") for text in re.findall(r"`([^`]+)`", row)}
    single = {n: found for n, found in commands.items() if isinstance(found, SlashCommand)}
    reading = {name for name, found in single.items() if access_of(found) is Access.READ}
    assert said["look"] == reading
    assert said["change"] <= single.keys() - reading
