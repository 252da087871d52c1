import aiohttp
import discord
import pytest

from bot.sandbox.faults import Faults
from bot.sandbox.ratelimits import Limit, RateLimiter, RateLimits
from bot.sandbox.redirect import redirect_discord
from bot.sandbox.server import SandboxDiscord


async def test_a_429_is_waited_out_and_retried(sandbox, running, bot):
    async with running(bot):
        channel = await bot.fetch_channel(sandbox.channel_id)
        sandbox.faults.rate_limit_next(2, retry_after_s=0.01, method="POST")
        await channel.send("patient")
        sandbox.faults.rate_limit_next(retry_after_s=0.01, is_global=True)
        await channel.send("more patient")

    texts = [message.content for message in sandbox.channel("research").messages]
    assert texts == ["patient", "more patient"]


async def test_a_500_is_retried_and_a_503_is_raised_at_once(sandbox, running, bot):
    async with running(bot):
        channel = await bot.fetch_channel(sandbox.channel_id)
        sandbox.faults.fail_next(status=500, path="/messages$")
        await channel.send("after a retry")
        sandbox.faults.fail_next(status=503, path="/messages$")
        with pytest.raises(discord.DiscordServerError):
            await channel.send("never")

    assert len(sandbox.channel("research").messages) == 1


async def test_a_reset_connection_reaches_the_bot_as_an_os_error(sandbox, running, bot):
    async with running(bot):
        channel = await bot.fetch_channel(sandbox.channel_id)
        sandbox.faults.reset_next()
        with pytest.raises((OSError, aiohttp.ClientError)):
            await channel.send("never")

    assert sandbox.channel("research").messages == []


async def test_an_outage_cuts_all_and_the_bot_comes_back(sandbox, running, bot, monkeypatch):
    class Impatient:
        def delay(self) -> float:
            return 0.01

    monkeypatch.setattr("discord.client.ExponentialBackoff", Impatient)
    async with running(bot):
        channel = await bot.fetch_channel(sandbox.channel_id)
        async with sandbox.outage():
            with pytest.raises((OSError, aiohttp.ClientError)):
                await channel.send("never")
        await sandbox.wait_until_connected()
        await channel.send("back")

    assert [message.content for message in sandbox.channel("research").messages] == ["back"]


async def test_the_gateway_can_be_refused_while_rest_works(sandbox):
    sandbox.faults.refuses_gateway = True
    async with aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect(sandbox.gateway_url)

    assert refused.value.status == 503


async def test_answers_carry_rate_limit_headers_and_end_in_a_429():
    limits = RateLimits(default=Limit(2, 60.0))
    async with SandboxDiscord(rate_limits=limits) as sandbox, aiohttp.ClientSession() as http:
        headers = {"Authorization": f"Bot {sandbox.bot_token}"}
        answers = []
        for _ in range(3):
            async with http.get(f"{sandbox.api_url}/users/@me", headers=headers) as response:
                answers.append((response.status, response.headers, await response.json()))

    assert [status for status, _, _ in answers] == [200, 200, 429]
    assert [h["X-RateLimit-Remaining"] for _, h, _ in answers] == ["1", "0", "0"]
    assert answers[0][1]["Content-Type"] == "application/json"
    assert answers[2][1]["Via"] == "1.1 sandbox"
    assert 59 < answers[2][2]["retry_after"] <= 60


async def test_requests_without_the_token_are_unauthorised(sandbox):
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{sandbox.api_url}/users/@me") as response:
            assert (response.status, (await response.json())["code"]) == (401, 0)
        headers = {"Authorization": f"Bot {sandbox.bot_token}"}
        async with http.get(f"{sandbox.api_url}/nowhere", headers=headers) as response:
            assert await response.json() == {"message": "404: Not Found", "code": 0}


async def test_a_wrong_token_is_a_login_failure(sandbox, bot):
    with redirect_discord(sandbox):
        with pytest.raises(discord.LoginFailure):
            await bot.login("wrong")
        await bot.close()


def test_windows_of_a_limit_start_anew_and_buckets_are_apart():
    now = 0.0
    limits = RateLimits(default=Limit(1, 5.0), routes={})
    limiter = RateLimiter(limits, lambda: now)

    assert limiter.take("GET /a", "1", counts_overall=False).allowed
    assert not limiter.take("GET /a", "1", counts_overall=False).allowed
    assert limiter.take("GET /a", "2", counts_overall=False).allowed
    assert limiter.take("GET /b", "1", counts_overall=False).allowed
    now = 5.0
    assert limiter.take("GET /a", "1", counts_overall=False).allowed


def test_the_overall_limit_is_marked_global_and_spares_interactions():
    limiter = RateLimiter(RateLimits(overall=Limit(1, 1.0)), lambda: 0.0)

    limiter.take("GET /a", "", counts_overall=True)
    refused = limiter.take("GET /b", "", counts_overall=True)

    assert not refused.allowed
    assert refused.headers(0.0)["X-RateLimit-Scope"] == "global"
    assert limiter.take("GET /b", "", counts_overall=False).allowed


def test_a_fault_hits_only_the_requests_it_was_asked_for():
    faults = Faults()
    faults.fail_next(2, status=502, method="POST", path="/messages$")

    assert faults.take("GET", "/channels/1/messages") is None
    assert faults.take("POST", "/channels/1/messages/2") is None
    hits = [faults.take("POST", "/channels/1/messages") for _ in range(3)]
    assert [fault is not None for fault in hits] == [True, True, False]


def test_the_library_is_pointed_back_when_the_block_ends(sandbox):
    before = discord.http.Route.BASE
    with redirect_discord(sandbox):
        assert sandbox.base_url in discord.http.Route.BASE
    assert before == discord.http.Route.BASE
    assert discord.asset.Asset.BASE == "https://cdn.discordapp.com"
