"""`jesse forward-test` tells a webhook what it does, and nobody where there is none."""

import pytest
from pydantic import SecretStr

from bot.console.forward_alerts import shell_alerts
from bot.errors import InvalidSettings
from bot.sandbox.redirect import redirect_discord
from bot.services.forward.compose import open_forward
from bot.services.forward.service import ForwardAsk
from data.database import Database

from .conftest import until


class Table:
    """Shows nothing."""

    def __init__(self):
        self.steps = 0

    def on_step(self, runner, record):
        self.steps += 1

    def on_fault(self, runner, reason): ...

    def on_recovered(self, runner, away): ...


async def trade(settings, sandbox, market_clock, minutes=4):
    with redirect_discord(sandbox):
        async with (
            Database.open(settings.data_dir / "jesse.db") as database,
            shell_alerts(settings, database, Table()) as alerts,
            open_forward(settings, database, alerts) as service,
        ):
            known = await database.find_forward_test("one")
            test = known or await service.start(ForwardAsk("eager", "BTC/USDT", name="one"))
            runner = await service.attach(test)
            await alerts.begin(runner)
            async with alerts.watching(runner, 300.0):
                end = (market_clock.now_ms() // 60_000 + minutes) * 60_000
                await market_clock.advance_to(end + 2_000)

                async def stored():
                    portfolio = await database.get_portfolio(test.id)
                    return (portfolio.last_candle_time or 0) >= end - 60_000 if portfolio else False

                await until(stored)
            return await database.count_trades(test.id)


async def test_a_webhook_is_told_of_everything(settings, sandbox, market_clock):
    hooked = settings.model_copy(update={"discord_webhook_url": SecretStr(sandbox.webhook_url)})

    await trade(hooked, sandbox, market_clock)
    count = await trade(hooked, sandbox, market_clock)

    titles = [e["title"] for m in sandbox.channel("research").messages for e in m.embeds]
    assert sum("Forward test one started" in title for title in titles) == 1
    assert sum("Long BTC/USDT closed" in title for title in titles) == count >= 3
    assert sandbox.channel("research").messages[0].author == "Jesse alerts"


async def test_a_webhook_that_fails_for_a_while_gets_it_later(settings, sandbox, market_clock):
    hooked = settings.model_copy(update={"discord_webhook_url": SecretStr(sandbox.webhook_url)})
    sandbox.faults.reset_next(2, method="POST", path="webhooks")

    count = await trade(hooked, sandbox, market_clock)

    titles = [e["title"] for m in sandbox.channel("research").messages for e in m.embeds]
    assert sum("Long BTC/USDT closed" in title for title in titles) == count >= 1


async def test_without_a_webhook_nothing_is_sent_and_everything_kept(
    settings, sandbox, market_clock
):
    await trade(settings, sandbox, market_clock)

    assert sandbox.channel("research").messages == []
    async with Database.open(settings.data_dir / "jesse.db") as database:
        assert await database.count_pending_messages() >= 3


async def test_an_address_that_is_none_is_named(settings, tmp_path):
    wrong = settings.model_copy(update={"discord_webhook_url": SecretStr("https://example.com")})
    async with Database.open(tmp_path / "x.db") as database:
        with pytest.raises(InvalidSettings, match="DISCORD_WEBHOOK_URL"):
            async with shell_alerts(wrong, database, Table()):
                pass
