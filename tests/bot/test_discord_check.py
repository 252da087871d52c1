"""What the doctor finds in Discord, asked of the sandbox."""

import json
from dataclasses import dataclass

import pytest
from aiohttp import web
from pydantic import SecretStr

from bot.discord_check import check_discord, describe_format, invite_permissions
from bot.sandbox.permissions import Permission
from bot.sandbox.redirect import redirect_discord
from bot.services.health import Verdict
from bot.settings import Settings

# Made up: of the form of a token, and of nobody's bot.
TOKEN = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcdE.abcdefghijklmnopqrstuvwxyz0123456789AB"


@pytest.fixture(autouse=True)
def pins_allowed(sandbox):
    sandbox.allow_bot("research", Permission.PIN_MESSAGES)


@pytest.fixture
def findings(sandbox, settings):
    """Ask Discord; return what was found, by name."""

    async def ask(**changes):
        with redirect_discord(sandbox):
            own = settings.model_copy(update=changes)
            return {finding.name: finding async for finding in check_discord(own)}

    return ask


async def test_a_bot_that_is_set_up_well_has_no_problem(findings, sandbox):
    found = await findings()
    assert "the token is valid" in found["discord"].text
    assert "it needs no privileged intent" in found["discord"].text
    assert "the bot is in Jesse Lab; operators have the role Operator" in found["server"].text
    channel = found[f"channel {sandbox.channel_id}"]
    assert (channel.verdict, channel.text) == (
        Verdict.OK, "#research: all permissions are there"
    )  # fmt: skip
    assert all(f.verdict is Verdict.OK for f in found.values() if f.name != "token")


async def test_without_a_token_only_the_bot_is_missing(findings):
    found = await findings(discord_token=None)
    assert list(found) == ["discord"]
    assert found["discord"].verdict is Verdict.WARNING
    assert "docs/getting-started.md" in found["discord"].mend


async def test_a_token_that_discord_refuses_is_a_problem_and_never_shown(findings):
    found = await findings(discord_token=SecretStr(TOKEN))
    assert list(found) == ["discord"]
    assert found["discord"].verdict is Verdict.PROBLEM
    assert "Reset Token" in found["discord"].mend
    assert "Gabcd" not in repr(found)


async def test_a_token_of_odd_form_is_told_before_discord_is_asked(findings, sandbox):
    sandbox.faults.network_down = True
    found = await findings(discord_token=SecretStr(f"Bot {TOKEN}"))
    assert "the word Bot around it" in found["token"].text
    assert found["discord"].text.startswith("no answer")
    assert "Gabcd" not in repr(found)


@pytest.mark.parametrize(
    ("token", "oddity"),
    [
        (TOKEN, ""),
        (f'"{TOKEN}"', "quotes"),
        (f" {TOKEN}", "blanks"),
        (f"Bot {TOKEN}", "Bot"),
        ("12345678901234567", "three parts"),
        (TOKEN.replace(".", "-"), "three parts"),
        ("aGVsbG8gd29ybGQgaGVsbG8." + TOKEN.partition(".")[2], "no bot's id"),
    ],
)
def test_the_form_of_a_token_is_described_without_any_of_it(token, oddity):
    said = describe_format(token)
    assert oddity in said
    assert bool(said) == bool(oddity)
    assert "MTIz" not in said


async def test_a_bot_that_was_not_invited_gets_its_invitation(findings, sandbox):
    sandbox.kick_bot()
    found = await findings()
    assert found["server"].verdict is Verdict.PROBLEM
    assert f"permissions={invite_permissions()}" in found["server"].mend
    assert f"client_id={sandbox.state.application_id}" in found["server"].mend
    assert not any(name.startswith("channel") for name in found)


async def test_a_role_that_is_not_there_is_a_problem(findings):
    found = await findings(discord_operator_role_id=4711)
    assert found["server"].verdict is Verdict.PROBLEM
    assert "has no role 4711" in found["server"].text


async def test_without_a_role_it_says_who_may_change_things(findings):
    found = await findings(discord_operator_role_id=None)
    assert "only members with Manage Server" in found["server"].text


async def test_a_missing_permission_is_named_with_its_channel(findings, sandbox):
    sandbox.deny_bot("research", Permission.ATTACH_FILES, Permission.EMBED_LINKS)
    channel = (await findings())[f"channel {sandbox.channel_id}"]
    assert channel.verdict is Verdict.PROBLEM
    assert channel.text == "#research: Embed Links, Attach Files missing"
    assert channel.mend == "allow the bot Embed Links, Attach Files in #research"


async def test_a_permission_that_is_merely_welcome_is_a_warning(findings, sandbox):
    sandbox.deny_bot("research", Permission.PIN_MESSAGES)
    channel = (await findings())[f"channel {sandbox.channel_id}"]
    assert channel.verdict is Verdict.WARNING
    assert "Pin Messages missing" in channel.text


async def test_a_hidden_channel_is_a_problem(findings, sandbox):
    sandbox.deny_bot("research", Permission.VIEW_CHANNEL)
    channel = (await findings())[f"channel {sandbox.channel_id}"]
    assert channel.verdict is Verdict.PROBLEM


async def test_a_channel_that_is_not_there_or_elsewhere_is_a_problem(findings, sandbox):
    elsewhere = sandbox.ids.other_channel_id
    found = await findings(discord_channel_id=(4711, elsewhere))
    for channel_id in (4711, elsewhere):
        assert found[f"channel {channel_id}"].verdict is Verdict.PROBLEM


async def test_ids_that_are_not_set_are_problems(findings):
    assert "DISCORD_GUILD_ID is not set" in (await findings(discord_guild_id=None))["server"].text
    assert "DISCORD_CHANNEL_ID" in (await findings(discord_channel_id=()))["channel"].text


async def test_discord_that_fails_is_a_problem_and_no_error(findings, sandbox):
    sandbox.faults.fail_next(20, status=503, method="GET", path="users/@me")
    found = await findings()
    assert found["discord"].text == "Discord answers 503"


@dataclass
class Webhooks:
    """A Discord that knows one webhook and nothing else."""

    base_url: str = ""
    api_url: str = ""
    gateway_url: str = ""


@pytest.fixture
async def webhooks():
    async def answer(request):
        known = request.path.endswith("x" * 68)
        body = {"id": "1", "type": 1, "name": "Alerts", "token": "x" * 68, "channel_id": "2"}
        missing = {"message": "Unknown Webhook", "code": 10015}
        text, status = json.dumps(body if known else missing), 200 if known else 404
        # discord.py parses only what has this bare content type.
        headers = {"Content-Type": "application/json"}
        return web.Response(body=text.encode(), status=status, headers=headers)

    app = web.Application()
    app.router.add_get("/webhooks/{id}/{token}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield Webhooks(api_url=f"http://127.0.0.1:{runner.addresses[0][1]}")
    await runner.cleanup()


@pytest.mark.parametrize(
    ("url", "verdict"),
    [
        (f"https://discord.com/api/webhooks/123456789012345678/{'x' * 68}", Verdict.OK),
        (f"https://discord.com/api/webhooks/123456789012345678/{'y' * 68}", Verdict.PROBLEM),
        ("https://example.org/hook", Verdict.PROBLEM),
    ],
)
async def test_a_webhook_is_looked_up(webhooks, url, verdict):
    settings = Settings.load(None, discord_webhook_url=url)
    with redirect_discord(webhooks):
        found = {finding.name: finding async for finding in check_discord(settings)}
    assert found["webhook"].verdict is verdict
    assert "xxx" not in repr(found)
    assert "yyy" not in repr(found)
