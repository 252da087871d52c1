"""Alerts of forward tests as operators set them: silent, muted, counted; in the whole bot."""

import asyncio

import pytest
from pydantic import SecretStr

from bot.console.forward_alerts import shell_alerts
from bot.sandbox.models import MessageFlag
from bot.sandbox.permissions import Permission
from bot.sandbox.redirect import redirect_discord
from bot.services.alert_settings import AlertSettings, AlertState
from bot.services.forward.compose import open_forward
from bot.services.forward.service import ForwardAsk
from bot.times import now_ms
from data.database import Database
from engine.errors import StrategyFailed

from .conftest import until
from .test_alerts_arrive import CLOSED, OPENED, count, expected_alerts
from .test_webhook import Table, trade


async def set_alerts(floor, kind, state):
    user = floor.user("operator")
    await (await user.slash("alerts set", kind=kind, state=state)).finished()


def silent(floor, place, words):
    """Whether each message with a title came silently."""
    titled = [m for m in place.messages if any(words in (e.get("title") or "") for e in m.embeds)]
    flags = [floor.sandbox.state.messages[m.id].flags for m in titled]
    return {bool(flag & MessageFlag.SUPPRESS_NOTIFICATIONS) for flag in flags}


async def test_opened_off_and_closed_silent_in_channel_and_thread_also_after_a_restart(trading):
    async with trading() as floor:
        await set_alerts(floor, "trade_opened", "off")
        await set_alerts(floor, "trade_closed", "silent")
        await floor.start()
        await floor.minutes(4)
        await floor.sent()
    async with trading() as floor:
        await floor.minutes(4)
        await floor.sent()

        closed, _ = await expected_alerts(floor)
        assert closed >= 3
        for place in (floor.channel, floor.thread("one")):
            assert count(place, OPENED) == 0
            assert count(place, CLOSED) == closed
            assert silent(floor, place, CLOSED) == {True}
        await set_alerts(floor, "trade_opened", "on")
        await floor.minutes(2)
        await floor.sent()
        assert count(floor.channel, OPENED) == 1
        assert silent(floor, floor.channel, OPENED) == {False}


async def test_what_waits_goes_as_it_is_set_when_it_can_be_sent(floor):
    await floor.start()
    await floor.minutes(1)
    await floor.sent()
    before = count(floor.channel, OPENED)
    floor.sandbox.deny_bot("research", Permission.SEND_MESSAGES)
    await floor.minutes(4)
    await until(lambda: between_two_tries(floor))
    await AlertSettings(floor.desk.database).set("trade_opened", AlertState.OFF)
    await AlertSettings(floor.desk.database).set("trade_closed", AlertState.SILENT)
    floor.sandbox.allow_bot("research", Permission.PIN_MESSAGES)
    await floor.sent()

    closed, opened = await expected_alerts(floor)
    assert count(floor.channel, CLOSED) == closed
    assert count(floor.channel, OPENED) == before < opened
    assert True in silent(floor, floor.channel, CLOSED)


async def between_two_tries(floor):
    """Whether the sender waits: nothing that it sends now was chosen before."""
    due = await floor.desk.database.next_message_due_at()
    return due is not None and due > now_ms() + 500


async def test_with_starts_off_the_test_still_has_its_thread_and_status(floor):
    await set_alerts(floor, "start_stop", "off")
    await floor.start()
    await floor.minutes(2)
    await floor.sent()
    await (await floor.user("operator").slash("forward pause")).finished()
    await floor.sent()

    thread = floor.thread("one")
    await thread.wait_for_message(lambda m: m.pinned)
    closed, _ = await expected_alerts(floor)
    assert count(thread, CLOSED) == closed
    assert silent(floor, floor.channel, "Forward test one") == {True}
    assert count(floor.channel, "paused") == 0


async def test_a_webhook_obeys_the_same_settings(settings, sandbox, market_clock):
    hooked = settings.model_copy(update={"discord_webhook_url": SecretStr(sandbox.webhook_url)})
    async with Database.open(settings.data_dir / "jesse.db") as database:
        await AlertSettings(database).set("trade_opened", AlertState.OFF)
        await AlertSettings(database).set("trade_closed", AlertState.SILENT)

    closed = await trade(hooked, sandbox, market_clock, minutes=6)

    channel = sandbox.channel("research")
    assert (count(channel, CLOSED), count(channel, OPENED)) == (closed, 0)
    assert closed >= 2
    for message in channel.messages:
        is_closed = CLOSED in message.embeds[0]["title"]
        flags = sandbox.state.messages[message.id].flags
        assert bool(flags & MessageFlag.SUPPRESS_NOTIFICATIONS) == is_closed


async def test_a_bot_that_restarts_every_few_minutes_tells_its_recovery_once(trading, market_clock):
    async with trading() as floor:
        await floor.start(params="hold=true")
        await floor.minutes(2)
    for _ in range(3):
        await market_clock.advance_to(market_clock.now_ms() + 3 * 60_000)
        async with trading() as floor:
            await floor.channel.wait_for_message(lambda m: "Back after a restart" in m.text)
            await until(lambda: told_of_recovery(floor))
            await floor.sent()
            stored = await all_messages(floor)

    assert count(floor.channel, "Back after a restart") == 1
    counted = [m for m in stored if m.kind == "recovery" and m.muted_at is not None]
    assert len(counted) == 2
    assert all("counted" in m.last_error for m in counted)


async def told_of_recovery(floor):
    """Whether this process, too, has noted what it made up for."""
    test = await floor.desk.database.find_forward_test("one")
    stored = [m for m in await all_messages(floor) if m.kind == "recovery"]
    last = (await floor.desk.database.get_portfolio(test.id)).last_candle_time
    return bool(stored) and any(t["last"] == last for t in stored[-1].payload["tests"])


async def test_a_fault_after_each_resumption_is_counted(floor):
    await floor.start(params="fails=true")
    for _ in range(3):
        await floor.minutes(5)
        await floor.sent()
        await (await floor.user("operator").slash("forward resume")).finished(timeout_s=30)
    await floor.minutes(5)
    await floor.sent()

    texts = [m.text for m in floor.channel.messages if "is faulted" in m.text]
    assert len(texts) == 4
    assert "🔁" not in texts[0]
    assert all(f"**×{n}** since" in text for n, text in enumerate(texts[1:], start=2))


async def test_under_a_supervisor_a_test_that_faults_at_every_start_is_told_once(
    settings, sandbox, market_clock
):
    hooked = settings.model_copy(update={"discord_webhook_url": SecretStr(sandbox.webhook_url)})
    for _ in range(4):
        with redirect_discord(sandbox):
            await run_until_fault(hooked, market_clock)
        await market_clock.advance_to(market_clock.now_ms() + 3 * 60_000)

    faults = [m for m in sandbox.channel("research").messages if "is faulted" in m.text]
    assert len(faults) == 1
    async with Database.open(settings.data_dir / "jesse.db") as database:
        stored = [await database.get_message(number) for number in range(1, 60)]
        counted = [m for m in stored if m and m.kind == "fault" and m.muted_at is not None]
        assert counted


async def run_until_fault(settings, market_clock):
    """Do what `jesse forward-test` does: resume what is faulted, trade until it is again."""
    ask = ForwardAsk("eager", "BTC/USDT", name="one", params={"fails": True})
    async with (
        Database.open(settings.data_dir / "jesse.db") as database,
        shell_alerts(settings, database, Table()) as alerts,
        open_forward(settings, database, alerts) as service,
    ):
        if await database.find_forward_test("one"):
            # It faults already over the candles that it missed.
            with pytest.raises(StrategyFailed):
                await service.resume("one")
            return
        test = await service.start(ask)
        runner = await service.attach(test)
        await alerts.begin(runner)
        await market_clock.advance_to(market_clock.now_ms() + 4 * 60_000)
        async with asyncio.timeout(60):
            await runner.faulted.wait()


async def all_messages(floor):
    database = floor.desk.database
    found = [await database.get_message(number) for number in range(1, 60)]
    return [message for message in found if message is not None]
