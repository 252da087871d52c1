"""Alerts of closed positions come with a picture, and without one where none can be drawn."""

import json
import struct

import pytest
from pydantic import SecretStr

from bot.charts.chromium import find_chromium
from bot.charts.errors import ChartUnavailable
from bot.charts.renderer import PngRenderer
from bot.sandbox.permissions import Permission

from .test_webhook import trade as trade_in_a_shell

CLOSED = "Long BTC/USDT closed: "


def closes(place):
    """The embeds of closed positions in a place, each with its message."""
    return [
        (message, embed)
        for message in place.messages
        for embed in message.embeds
        if CLOSED in (embed.get("title") or "")
    ]


def picture_of(message, embed):
    """The file that an embed shows, None where it shows none."""
    url = (embed.get("image") or {}).get("url")
    return next((file for file in message.attachments if url and file.url == url), None)


async def test_every_close_has_its_own_picture_in_channel_and_thread(floor):
    await floor.start()
    await floor.minutes(9)
    await floor.sent()

    trades = await floor.trades()
    for place in (floor.channel, floor.thread("one")):
        told = closes(place)
        assert len(told) == len(trades) >= 4
        assert all(picture_of(*each) is not None for each in told)
        assert not any(message.broken_images for message in place.messages)
        assert all(len(message.attachments) <= 10 for message in place.messages)


async def test_a_picture_shows_the_trade_with_its_candles_and_levels(floor):
    await floor.start()
    await floor.minutes(3)
    await floor.sent()

    [stored] = await floor.trades()
    # Drawn once: the thread's alert has the channel's picture.
    [figure] = [json.loads(text) for text in floor.bench.pictures.drawn]
    candles, _, entry, leaving = figure["data"]
    assert candles["type"] == "candlestick"
    assert len(candles["x"]) > 20
    assert entry["y"] == [stored.trade.entry_price]
    assert leaving["y"] == [stored.trade.exit_price]
    texts = " ".join(note["text"] for note in figure["layout"]["annotations"])
    assert "Stop" in texts
    assert "Target" in texts
    assert "simulated" in texts


async def test_where_none_can_be_drawn_the_alerts_come_without_and_it_is_said_once(
    floor, log_watch
):
    floor.bench.pictures.error = ChartUnavailable("no browser here")
    await floor.start()
    await floor.minutes(9)
    await floor.sent()

    assert len(closes(floor.channel)) == len(await floor.trades()) >= 4
    assert not any(message.attachments for message in floor.channel.messages)
    assert sum("no browser here" in line for line in log_watch.lines) == 1


async def test_where_files_are_denied_the_alerts_come_without(floor, log_watch):
    floor.sandbox.deny_bot("research", Permission.ATTACH_FILES)
    await floor.start()
    await floor.minutes(7)
    await floor.sent()

    told = closes(floor.channel)
    assert len(told) == len(await floor.trades()) >= 3
    assert not any(message.attachments for message, _ in told)
    refusals = [line for line in log_watch.lines if "without pictures, refused" in line]
    assert len(refusals) == len({line.split()[2] for line in refusals}) <= 2


async def test_with_pictures_lost_answers_still_show_nothing_twice(floor):
    await floor.start()
    await floor.minutes(1)
    await floor.sent()
    faults = floor.sandbox.faults
    for _ in range(3):
        faults.lose_answer_next(1, method="POST", path=r"/messages$")
        faults.fail_next(1, status=503, method="POST", path=r"/messages$")
        await floor.minutes(2)
    await floor.sent()

    trades = await floor.trades()
    for place in (floor.channel, floor.thread("one")):
        assert len(closes(place)) == len(trades)
        assert all(picture_of(*each) for each in closes(place))


async def test_a_digest_has_no_pictures(trading, market_clock):
    async with trading() as floor:
        await floor.start()
        await floor.minutes(2)
        await floor.sent()
    await market_clock.advance_to(market_clock.now_ms() + 60 * 60_000)
    async with trading() as floor:
        await floor.sent()
        digests = [m for m in floor.channel.messages if "alerts at once" in m.text]
        assert digests
        assert [file.filename for m in digests for file in m.attachments] == ["alerts.csv"] * len(
            digests
        )


async def test_a_browser_draws_what_a_phone_can_show(floor):
    browser = find_chromium()
    if browser is None:
        pytest.skip("no Chromium is installed here")
    async with PngRenderer(browser) as renderer:
        # Else the start of the browser counts against the time that a picture may take.
        await renderer.warm_up()
        floor.bench.pictures.render = renderer.render
        await floor.start()
        await floor.minutes(3)
        await floor.sent()

        [(message, embed)] = closes(floor.channel)
        data = picture_of(message, embed).data
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", data[16:24]) == (1200, 750)
    assert 20_000 < len(data) < 400_000


async def test_a_webhook_gets_pictures_where_there_is_a_browser(
    settings, sandbox, market_clock, monkeypatch
):
    if find_chromium() is None:
        pytest.skip("no Chromium is installed here")
    # Else a slow start of the browser would decide.
    monkeypatch.setattr("bot.console.forward_alerts._PICTURES_S", 120.0)
    monkeypatch.setattr("bot.console.forward_alerts._LAST_WORDS_S", 240.0)
    hooked = settings.model_copy(update={"discord_webhook_url": SecretStr(sandbox.webhook_url)})

    await trade_in_a_shell(hooked, sandbox, market_clock, minutes=5)

    told = closes(sandbox.channel("research"))
    assert len(told) >= 2
    assert all(picture_of(*each).data[:8] == b"\x89PNG\r\n\x1a\n" for each in told)


async def test_a_webhook_without_a_browser_is_told_all_the_same(
    settings, sandbox, market_clock, monkeypatch
):
    monkeypatch.setattr("bot.charts.chromium.find_chromium", lambda given: None)
    hooked = settings.model_copy(update={"discord_webhook_url": SecretStr(sandbox.webhook_url)})

    await trade_in_a_shell(hooked, sandbox, market_clock)

    told = closes(sandbox.channel("research"))
    assert told
    assert not any(message.attachments for message, _ in told)
