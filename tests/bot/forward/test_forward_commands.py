"""Forward tests from the channel: start, watch, close, pause, stop, compare."""

import csv
import io

import pytest


def titles(messages):
    return [embed.get("title", "") for message in messages for embed in message.embeds]


async def test_a_test_starts_gets_a_thread_and_tells_of_its_trades(floor):
    answer = await floor.start()
    assert answer.ephemeral
    assert "trades from this minute on" in answer.text
    await floor.minutes(3)
    await floor.sent()

    thread = floor.thread("one")
    assert thread.channel.name == "one · BTC/USDT"
    for place in (floor.channel, thread):
        found = titles(place.messages)
        assert any("Long BTC/USDT opened" in title for title in found), found
        assert any("Long BTC/USDT closed: " in title for title in found), found
    assert "Forward test one" in floor.channel.messages[0].text
    assert floor.channel.messages[0].thread_id == thread.id
    [trade, *_] = await floor.trades()
    [closed] = [m for m in thread.messages if "closed:" in m.text]
    assert f"${abs(trade.trade.pnl):,.2f}" in closed.text
    assert "1 trade" in closed.text


async def test_the_status_message_is_pinned_and_follows_the_test(floor):
    await floor.start()
    await floor.minutes(2)
    await floor.sent()
    thread_status = await floor.thread("one").wait_for_message(lambda m: m.pinned)
    assert "Last candle" in thread_status.text
    assert "Next close (1m)" in thread_status.text
    await floor.minutes(1)
    floor.app.forward.board.touch(1)
    await floor.app.forward.board.show_all()

    [shown] = [m for m in floor.thread("one").messages if m.pinned]
    assert shown.id == thread_status.id
    assert "Long BTC/USDT" in shown.text


async def test_wrong_options_are_one_private_message(floor):
    for options, words in (
        ({"strategy": "nobody"}, "nobody"),
        ({"params": "distance=900"}, "distance"),
        ({"symbol": "NOPE/NADA"}, "NOPE"),
        ({"name": "Not Good"}, "can't be a test's name"),
    ):
        message = await floor.start(**{"name": "one", **options})
        assert message.ephemeral
        assert words in message.text
    await floor.start()
    again = await floor.start()
    assert "choose another name" in again.text


async def test_several_tests_keep_books_of_their_own(floor):
    await floor.start("one")
    await floor.start("two", params="hold=true", balance=500)
    await floor.minutes(4)

    message = await (await floor.user("viewer").slash("forward list")).finished()
    assert "**one**" in message.text
    assert "**two**" in message.text
    assert len(await floor.trades("one")) == 2
    assert await floor.trades("two") == []
    choices = await floor.user("viewer").autocomplete("forward status", option="test", typed="tw")
    assert [choice.value for choice in choices] == ["two"]


async def test_positions_show_levels_and_close_after_a_question(floor):
    await floor.start(params="hold=true")
    await floor.minutes(3)

    seen = await (await floor.user("viewer").slash("positions")).finished()
    assert "1 open position" in seen.text
    assert "stop $" in seen.text
    assert "open for" in seen.text
    assert seen.buttons == []
    message = await (await floor.user("operator").slash("positions", test="one")).finished()
    question = await (
        await floor.user("operator").click(message, "Close #1 long BTC/USDT · one")
    ).finished()
    assert question.ephemeral
    assert "Close 🟢 Long BTC/USDT?" in question.text
    assert await floor.trades() == []
    answer = await floor.user("operator").click(question, "Close it at the market")
    await answer.wait_for(lambda m: "Long BTC/USDT closed" in m.text and not m.buttons)
    [trade] = await floor.trades()
    assert trade.trade.exit_reason == "manual"
    again = await (
        await floor.user("operator").click(message, "Close #1 long BTC/USDT · one")
    ).finished()
    assert "is closed already" in again.text
    entries = await floor.bench.audit()
    assert "close position" in [entry.command for entry in entries]


async def test_trades_turn_pages_and_come_as_csv(floor):
    await floor.start()
    await floor.minutes(25)

    message = await (await floor.user("viewer").slash("trades")).finished()
    assert "12 trades" in message.text
    assert "page 1 of 2" in message.text
    answer = await floor.user("viewer").click(message, "Older ▶")
    await answer.finished()
    turned = next(m for m in floor.channel.messages if m.id == message.id)
    assert "page 2 of 2" in turned.text
    reply = await (await floor.user("viewer").click(turned, "Trades CSV")).finished()
    rows = list(csv.DictReader(io.StringIO(reply.attachments[0].data.decode())))
    assert [row["id"] for row in rows] == [str(number) for number in range(1, 13)]
    assert rows[0]["recovered"] == "False"


async def test_a_paused_test_opens_nothing_even_after_a_restart(trading):
    async with trading() as floor:
        await floor.start()
        await floor.minutes(3)
        message = await (await floor.user("operator").slash("forward pause")).finished()
        assert "opens nothing new" in message.text
        before = len(await floor.trades())
    async with trading() as floor:
        await floor.minutes(6)
        [runner] = floor.desk.runners()
        assert runner.session.test.status == "paused"
        assert not runner.session.engine.portfolio.has_position
        assert len(await floor.trades()) <= before + 1
        await (await floor.user("operator").slash("forward resume")).finished()
        await floor.minutes(3)
        assert len(await floor.trades()) > before


@pytest.mark.parametrize("close", [True, False])
async def test_stopping_shows_what_it_does_and_asks(floor, close):
    await floor.start(params="hold=true")
    await floor.minutes(3)

    slash = floor.user("operator").slash("forward stop", test="one", close_positions=close)
    question = await (await slash).finished()
    assert "Stop one?" in question.text
    assert ("will be closed at the market" if close else "left as they are") in question.text
    assert "unrealised" in question.text if close else True
    left = await floor.user("operator").click(question, "Leave it")
    await left.finished()
    assert len(floor.desk.runners()) == 1
    question = await (
        await floor.user("operator").slash("forward stop", test="one", close_positions=close)
    ).finished()
    answer = await floor.user("operator").click(question, "Stop it for good")
    await answer.wait_for(lambda m: "is stopped for good" in m.text and not m.buttons)
    await floor.sent()

    assert floor.desk.runners() == []
    assert len(await floor.trades()) == (1 if close else 0)
    stopped = await floor.channel.wait_for_message(lambda m: "one stopped" in m.text)
    assert ("1 position left open" in stopped.text) is not close
    again = await (await floor.user("operator").slash("forward stop", test="one")).finished()
    assert "stopped already" in again.text
    assert "/forward stop" in [entry.command for entry in await floor.bench.audit()]


async def test_a_viewer_may_look_and_not_touch(floor):
    await floor.start()
    for command in ("forward pause", "forward resume", "forward stop"):
        message = await (await floor.user("viewer").slash(command)).finished()
        assert "⛔" in message.text
    message = await (await floor.user("viewer").slash("forward status")).finished()
    assert "eager" in message.text
    assert len(floor.desk.runners()) == 1


async def test_the_report_finds_the_same_trades_in_the_backtest(floor):
    await floor.start()
    await floor.minutes(30)
    await floor.sent()

    message = await (await floor.user("viewer").slash("forward report", test="one")).finished(
        timeout_s=30
    )
    assert "every trade matches the backtest" in message.text, message.text
    assert "**15** of 15 trades" in message.text, message.text
    rows = list(csv.DictReader(io.StringIO(message.attachments[0].data.decode())))
    assert {row["matches"] for row in rows[:15]} == {"True"}


async def test_equity_is_drawn_beside_the_backtest(floor):
    await floor.start()
    await floor.minutes(10)

    message = await (await floor.user("viewer").slash("equity", test="one")).finished(timeout_s=30)
    assert [file.filename for file in message.attachments] == ["equity.png"]
    assert message.broken_images == []
    assert "Backtest" in message.text
    figure = floor.bench.pictures.drawn[-1]
    assert "Forward test" in figure
    assert "Backtest" in figure


async def test_the_status_page_shows_tests_and_their_candles(floor):
    await floor.start()
    await floor.minutes(2)
    await floor.sent()

    message = await (await floor.user("viewer").slash("status")).finished()
    assert "▶️ one (BTC/USDT): candle" in message.text


async def test_an_exchange_that_comes_later_is_waited_for(trading, exchange, floor):
    await floor.start()
    [runner] = floor.desk.runners()
    await floor.desk.service.detach("one")
    assert floor.desk.runners() == []
    await floor.look_after_tests()

    assert [again.session.test.id for again in floor.desk.runners()] == [runner.session.test.id]


async def test_a_result_can_be_taken_into_a_forward_test(floor):
    options = {"strategy": "eager", "symbol": "BTC/USDT", "start": "1d", "params": "distance=7"}
    answer = await floor.user("operator").slash("backtest", balance=2500.0, **options)
    result = await answer.wait_for(lambda message: message.attachments, timeout_s=60)

    refused = await (await floor.user("viewer").click(result, "Forward test")).finished()
    assert "may do this" in refused.text
    reply = await (await floor.user("operator").click(result, "Forward test")).finished()
    assert reply.ephemeral
    assert "trades from this minute on" in reply.text
    test = await floor.desk.database.find_forward_test("eager")
    assert (test.symbol, test.params["distance"]) == ("BTC/USDT", 7.0)
    assert test.config["initial_balance"] == 2500.0


async def test_a_result_with_a_parameter_that_is_none_becomes_a_forward_test_too(floor):
    path = floor.app.client.services.library.folder / "eager.py"
    line = "        limit: int | None = Field(None, ge=1)\n        hold: bool"
    path.write_text(path.read_text().replace("        hold: bool", line))
    options = {"strategy": "eager", "symbol": "BTC/USDT", "start": "1d", "params": "distance=7"}
    answer = await floor.user("operator").slash("backtest", **options)
    result = await answer.wait_for(lambda message: message.attachments, timeout_s=60)

    reply = await (await floor.user("operator").click(result, "Forward test")).finished()

    assert "trades from this minute on" in reply.text
    test = await floor.desk.database.find_forward_test("eager")
    assert (test.params["distance"], test.params["limit"]) == (7.0, None)
