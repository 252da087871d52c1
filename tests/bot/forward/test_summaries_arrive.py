"""Summaries come to the channel with their picture, once; snapshots can be gone back to."""

import json
import shutil
import struct
from functools import partial

import pytest

from bot.charts.chromium import find_chromium
from bot.charts.errors import ChartUnavailable
from bot.charts.renderer import PngRenderer
from bot.services.scheduled.snapshots import LATEST
from bot.services.scheduled.summary import SummaryPlan, tell_due_summary
from bot.services.summaries import Summaries

DAY_MS = 86_400_000


async def tell_day(floor):
    """Let the summary of the market's last day be told, as its job does each hour."""
    alerter = floor.app.forward.alerter
    plan = SummaryPlan(DAY_MS, "0 * * * *", alerter.on_daily_summary)
    summaries = Summaries(floor.desk.database, floor.desk.find_runner)
    told = await tell_due_summary(summaries, plan, now=floor.clock.now_ms())
    await floor.sent()
    return told


def summaries_in(place):
    return [m for m in place.messages if "Daily summary" in m.text]


async def trade_over_an_hour(floor, names=("one",)):
    """Trade on both sides of a full hour, so that some of it lies in a period."""
    for name in names:
        await floor.start(name)
    await floor.minutes(62)
    await floor.sent()


async def test_a_day_is_told_in_the_channel_with_its_picture_and_once(trading):
    async with trading() as floor:
        await trade_over_an_hour(floor, ("one", "two"))
        floor.bench.pictures.drawn.clear()
        assert "on its way" in await tell_day(floor)

        [message] = summaries_in(floor.channel)
        assert [file.filename for file in message.attachments] == [
            f"alert-{message.text.rsplit(' ', 1)[-1]}.png"
        ]
        assert message.broken_images == []
        assert summaries_in(floor.thread("one")) == []
        for words in ("one · eager on BTC/USDT", "two · eager on BTC/USDT", "2 tests, equity"):
            assert words in message.text
        end = floor.clock.now_ms() // 3_600_000 * 3_600_000
        closed = [t for t in await floor.trades() if t.trade.exit_time <= end]
        assert 20 < len(closed) < len(await floor.trades())
        assert f"{len(closed)} trades" in message.text

        [figure] = [json.loads(text) for text in floor.bench.pictures.drawn]
        assert [line["name"] for line in figure["data"]] == ["one", "two", "All"]
        assert "told before" in await tell_day(floor)
    async with trading() as floor:
        assert "told before" in await tell_day(floor)
        assert len(summaries_in(floor.channel)) == 1


async def test_without_a_browser_a_summary_comes_without_its_picture(floor):
    floor.bench.pictures.error = ChartUnavailable("no browser here")
    await trade_over_an_hour(floor)
    await tell_day(floor)

    [message] = summaries_in(floor.channel)
    assert message.attachments == ()


async def test_a_browser_draws_a_summary(floor):
    browser = find_chromium()
    if browser is None:
        pytest.skip("no Chromium is installed here")
    await trade_over_an_hour(floor)
    async with PngRenderer(browser) as renderer:
        await renderer.warm_up()
        floor.bench.pictures.render = renderer.render
        await tell_day(floor)
    [message] = summaries_in(floor.channel)
    data = message.attachments[0].data
    assert struct.unpack(">II", data[16:24]) == (1200, 750)


async def run_job(floor, name):
    record = await floor.app.client.services.scheduler.run_now(name)
    assert record.failures == 0, record.text
    return record.text


@pytest.mark.parametrize("command", ["schedule list", "status"])
async def test_snapshots_and_summaries_are_listed(floor, command):
    message = await (await floor.user("viewer").slash(command)).finished()

    for job in ("state snapshot", "daily summary", "weekly summary"):
        assert job in message.text


async def test_a_snapshot_saves_each_test_and_disturbs_none(floor):
    await floor.start("one")
    await floor.start("two")
    await floor.minutes(3)
    database = floor.desk.database
    tests = await database.list_forward_tests()
    before = {test.id: (await database.get_portfolio(test.id)).step for test in tests}

    assert "2 forward tests saved" in await run_job(floor, "state snapshot")

    for test in tests:
        assert (await database.get_portfolio(test.id)).step == before[test.id] + 1
    await floor.minutes(4)
    await floor.sent()
    assert [stored.trade.id for stored in await floor.trades()] == [1, 2, 3]
    alerts = [
        e["title"] for m in floor.channel.messages for e in m.embeds if "closed:" in e["title"]
    ]
    assert len(alerts) == 2 * 3


async def test_a_database_that_is_lost_goes_on_from_the_last_snapshot(trading):
    async with trading() as floor:
        await floor.start()
        await floor.minutes(4)
        await run_job(floor, "state snapshot")
        saved = await floor.trades()
        await floor.minutes(5)
        await floor.sent()
        known = await floor.trades()
        folder = floor.bench.settings.data_dir
    for path in folder.glob("jesse.db*"):
        path.unlink()
    shutil.copy(folder / "backups" / LATEST, folder / "jesse.db")
    async with trading() as floor:
        await floor.caught_up(known[-1].trade.exit_time - 60_000)
        again = await floor.trades()

    assert 0 < len(saved) < len(known) <= len(again)
    assert again[: len(saved)] == saved
    # What came after is traded anew, at the closes instead of the ticks there were.
    times = [(t.trade.entry_time, t.trade.exit_time) for t in known]
    assert [(t.trade.entry_time, t.trade.exit_time) for t in again[: len(known)]] == times
    assert all(stored.recovered for stored in again[len(saved) + 1 : len(known)])


async def test_a_snapshot_between_ticks_changes_no_trade(floor):
    await floor.start(params="hold=true")
    await floor.minutes(2)
    session = floor.desk.runners()[0].session
    price = session.engine.portfolio.positions[0].entry_price
    session.see_price(price * 1.01, floor.clock.now_ms())

    await run_job(floor, "state snapshot")

    [position] = await floor.desk.database.get_open_positions(session.test.id)
    assert position == session.engine.portfolio.positions[0]
    state = partial(floor.desk.database.get_strategy_state, session.test.id)
    assert (await state())["strategy_state"] == {"calls": 2}
