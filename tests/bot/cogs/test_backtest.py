"""/backtest from the first answer to the last button, as a researcher uses it."""

import asyncio
import csv
import io

import pytest

from bot.charts.errors import ChartUnavailable
from bot.sandbox.errors import NotOffered

FAST = {"strategy": "ma_crossover", "params": "fast_period=10 slow_period=30"}


def has_result(message):
    return any(button.get("label") == "Trades CSV" for button in message.buttons)


async def backtest(bench, user="operator", **options):
    return await bench.user(user).slash("backtest", **(options or FAST))


async def result_of(bench, **options):
    answer = await backtest(bench, **options)
    return await answer.wait_for(has_result)


async def test_a_backtest_ends_in_one_rich_reply(bench):
    answer = await backtest(bench)
    first = await answer.first_response()
    message = await answer.wait_for(has_result)

    assert not first.ephemeral
    assert "ma\\_crossover on BTC/USDT" in first.text
    assert [button["label"] for button in first.buttons] == ["Cancel"]
    assert answer.acknowledged_after_s < 1
    assert len(answer.messages) == 1
    assert [file.filename for file in message.attachments] == ["equity.png", "trades.png"]
    assert message.broken_images == []
    for word in (
        "Return", "buy and hold", "Max drawdown", "Sharpe", "Sortino", "won", "Profit factor",
        "In the market", "Costs", "fees $", "slippage $", "Exits", "fast_period=10",
        "60 missing (0.10 %) in 1 gap", "simulated prices", "<t:1704067200:D>",
    ):  # fmt: skip
        assert word in message.text, word
    labels = [button["label"] for button in message.buttons]
    assert labels == [
        "Trades CSV",
        "Interactive charts",
        "Monthly returns",
        "Run again…",
        "Forward test",
    ]


async def test_the_colour_says_how_it_ended(bench):
    lost = await result_of(bench)
    idle = await result_of(
        bench, strategy="ma_crossover", params="fast_period=500 slow_period=2000"
    )

    assert lost.embeds[0]["color"] == 0xD64550
    assert idle.embeds[0]["color"] == 0x8A8F98
    assert "No trades" in idle.text


async def test_progress_shows_stage_bar_and_remaining_time(bench):
    bench.pool.gate.clear()
    answer = await backtest(bench)
    await bench.pool.started.wait()
    bench.pool.progress(("running", 25, 100))
    seen = await answer.wait_for(lambda m: "25 %" in m.text)
    bench.pool.gate.set()
    await answer.wait_for(has_result)

    assert "**running**" in seen.text
    assert "▰▰▰▰▱" in seen.text
    assert "25 of 100 candles" in seen.text


async def test_edits_keep_their_distance(bench):
    bench.app.client.options = type(bench.app.client.options)(bench.clock.now, edit_interval_s=60.0)
    bench.pool.gate.clear()
    answer = await backtest(bench)
    await bench.pool.started.wait()
    for done in range(1, 100):
        bench.pool.progress(("running", done, 100))
        await asyncio.sleep(0)
    bench.pool.gate.set()
    await answer.wait_for(has_result)

    # The first, at most one while it ran, and the result; a minute is not waited for.
    assert len(answer.versions) <= 3


async def test_the_trades_come_as_csv(bench):
    message = await result_of(bench)

    reply = await (await bench.user("viewer").click(message, "Trades CSV")).finished()

    assert reply.ephemeral
    rows = list(csv.DictReader(io.StringIO(reply.attachments[0].data.decode())))
    assert len(rows) == 36
    assert {"entry_time", "exit_reason", "pnl"} <= rows[0].keys()


async def test_the_charts_come_as_pages(bench):
    message = await result_of(bench)

    reply = await (await bench.user("viewer").click(message, "Interactive charts")).finished()

    assert [file.filename.split("-")[0] for file in reply.attachments] == ["equity", "trades"]
    assert all(file.data.startswith(b"<!") for file in reply.attachments)


async def test_pages_over_the_limit_are_zipped_and_it_says_so(bench, monkeypatch):
    message = await result_of(bench)
    monkeypatch.setattr("bot.ui.buttons.file_limit", lambda interaction: 3_000_000)

    reply = await (await bench.user("viewer").click(message, "Interactive charts")).finished()

    assert [file.filename[-4:] for file in reply.attachments] == [".zip", ".zip"]
    assert "over this server's limit of 2.9 MiB: here it is zipped." in reply.text


async def test_pages_that_no_zip_makes_fit_are_left_out_with_a_word(bench, monkeypatch):
    message = await result_of(bench)
    monkeypatch.setattr("bot.ui.buttons.file_limit", lambda interaction: 10_000)

    reply = await (await bench.user("viewer").click(message, "Interactive charts")).finished()

    assert reply.attachments == ()
    assert "Press Trades CSV" in reply.text


async def test_the_months_come_as_a_picture(bench):
    message = await result_of(bench)

    reply = await (await bench.user("viewer").click(message, "Monthly returns")).finished()

    assert reply.attachments[0].filename.endswith(".png")
    assert len(bench.pictures.drawn) == 3


async def test_without_a_browser_the_result_comes_and_says_what_is_missing(bench):
    bench.pictures.error = ChartUnavailable("no browser: set CHROMIUM_PATH")

    message = await result_of(bench)

    assert message.attachments == ()
    assert message.broken_images == []
    assert "No pictures: no browser: set CHROMIUM\\_PATH" in message.text
    reply = await (await bench.user("viewer").click(message, "Monthly returns")).finished()
    assert reply.ephemeral
    assert "no browser" in reply.text


async def test_pictures_over_the_limit_are_left_out(bench):
    bench.pictures.data = b"\0" * (11 * 1024 * 1024)

    message = await result_of(bench)

    assert message.attachments == ()
    assert message.broken_images == []


async def test_run_again_opens_a_form_with_the_run_s_parameters(bench):
    message = await result_of(bench)

    modal = await (await bench.user("operator").click(message, "Run again…")).modal_opened()

    values = {item.label: item.value for item in modal.inputs}
    assert len(modal.inputs) == 5
    assert values["fast_period"] == "10"
    assert modal.inputs[4].value == "take_profit_percent=12.0\nallow_short=True"


async def test_a_submitted_form_is_a_backtest_of_its_own(bench):
    message = await result_of(bench)
    user = bench.user("operator")
    modal = await (await user.click(message, "Run again…")).modal_opened()

    rest = "take_profit_percent=20\nallow_short=False"
    fields = {"fast_period": "12", "slow_period": "", "rest": rest}
    answer = await user.submit_modal(modal, fields)
    again = await answer.wait_for(has_result)

    for word in ("fast_period=12", "slow_period=200", "take_profit_percent=20", "short=False"):
        assert word in again.text
    assert again.id != message.id


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"fast_period": "1"}, "greater than or equal to 2"),
        ({"fast_period": "many"}, "fast\\_period"),
        ({"rest": "nonsense"}, "is not name=value"),
        ({"rest": "no_such=1"}, "unknown parameter no\\_such"),
    ],
)
async def test_a_wrong_form_is_answered_privately(bench, fields, words):
    message = await result_of(bench)
    user = bench.user("operator")
    modal = await (await user.click(message, "Run again…")).modal_opened()

    reply = await (await user.submit_modal(modal, fields)).finished()

    assert reply.ephemeral
    assert words in reply.text


async def test_viewers_may_not_run_again_or_cancel(bench):
    message = await result_of(bench)
    reply = await (await bench.user("viewer").click(message, "Run again…")).finished()
    assert "⛔" in reply.text

    bench.pool.gate.clear()
    answer = await backtest(bench)
    running = await answer.first_response()
    reply = await (await bench.user("viewer").click(running, "Cancel")).finished()
    assert reply.ephemeral
    assert "⛔" in reply.text
    outcomes = [entry.outcome for entry in await bench.audit()]
    assert outcomes.count("refused") == 2


async def test_a_running_backtest_can_be_cancelled(bench):
    bench.pool.gate.clear()
    answer = await backtest(bench)
    await bench.pool.started.wait()

    reply = await (
        await bench.user("admin").click(await answer.first_response(), "Cancel")
    ).finished()
    ended = await answer.wait_for(lambda m: "cancelled" in m.text)

    assert reply.ephemeral
    assert ended.buttons == []
    entries = [(e.user_name, e.command, e.outcome) for e in await bench.audit()]
    assert ("admin", "cancel", "done") in entries
    assert ("operator", "backtest", "cancelled") in entries


async def test_cancelling_twice_says_that_it_has_ended(bench):
    bench.pool.gate.clear()
    answer = await backtest(bench)
    message = await answer.first_response()
    user = bench.user("operator")
    first, second = await user.click(message, "Cancel"), await user.click(message, "Cancel")

    texts = [(await first.finished()).text, (await second.finished()).text]

    assert sum("is cancelled" in text for text in texts) >= 1
    assert all("cancelled" in text for text in texts)


async def test_with_one_slot_jobs_queue_and_say_where(bench):
    bench.pool.gate.clear()
    first = await backtest(bench)
    await bench.pool.started.wait()
    second = await backtest(bench)
    await second.wait_for(lambda m: "Next in the queue" in m.text)
    third = await backtest(bench)
    await third.wait_for(lambda m: "Number 2 in the queue" in m.text)
    jobs = await (await bench.user("operator").slash("jobs")).finished()
    assert len(jobs.buttons) == 3
    assert "number 2 in the queue" in jobs.text

    await (await bench.user("operator").click(second.message, "Cancel")).finished()
    await third.wait_for(lambda m: "Next in the queue" in m.text)
    bench.pool.gate.set()
    await first.wait_for(has_result)
    await third.wait_for(has_result)


async def test_jobs_can_be_cancelled_from_their_list(bench):
    bench.pool.gate.clear()
    answer = await backtest(bench)
    await bench.pool.started.wait()

    viewers = await (await bench.user("viewer").slash("jobs")).finished()
    assert viewers.buttons == []
    listed = await (await bench.user("operator").slash("jobs")).finished()
    label = listed.buttons[0]["label"]
    await (await bench.user("operator").click(listed, label)).finished()
    await answer.wait_for(lambda m: "cancelled" in m.text)

    listed = await (await bench.user("operator").slash("jobs")).finished()
    assert "Recent" in listed.text
    assert "cancelled <t:" in listed.text


async def test_a_backtest_that_outlives_the_token_ends_with_a_mention(bench):
    bench.pool.gate.clear()
    answer = await backtest(bench)
    first = await answer.first_response()
    await bench.pool.started.wait()
    bench.clock.advance(20 * 60)
    bench.pool.progress(("running", 50, 100))
    await answer.wait_for(lambda m: "50 %" in m.text)

    bench.pool.gate.set()
    end = await bench.channel.wait_for_message(has_result, after=first.id)

    assert end.content == f"<@{bench.user('operator').user.id}>"
    assert end.pinged_ids == (bench.user("operator").user.id,)
    assert len(end.attachments) == 2
    moved = await answer.wait_for(lambda m: "see the result" in m.text)
    assert moved.buttons == []
    assert str(end.id) in moved.text


async def test_a_deleted_progress_message_does_not_lose_the_result(bench):
    bench.pool.gate.clear()
    answer = await backtest(bench)
    first = await answer.first_response()
    await bench.pool.started.wait()
    bench.sandbox.state.remove_message(bench.sandbox.state.messages[first.id])

    bench.pool.gate.set()
    end = await bench.channel.wait_for_message(has_result, after=first.id)

    assert "<@" in end.content


async def test_an_unexpected_error_is_named_by_an_id_that_the_log_has(bench, caplog):
    bench.pool.error = ZeroDivisionError("a secret detail")
    answer = await backtest(bench)

    ended = await answer.wait_for(lambda m: "failed" in m.text)

    job_id = ended.embeds[0]["footer"]["text"].removeprefix("job ")
    assert f"`{job_id}`" in ended.text
    assert "a secret detail" not in ended.text
    record = next(r for r in caplog.records if job_id in r.getMessage() and r.exc_info)
    assert isinstance(record.exc_info[1], ZeroDivisionError)


async def test_old_buttons_work_after_a_restart(running, candles, sandbox):
    async with running() as bench:
        message = await result_of(bench)
    async with running() as bench:
        reply = await (await bench.user("viewer").click(message, "Trades CSV")).finished()
        assert len(reply.attachments) == 1
        modal = await (await bench.user("operator").click(message, "Run again…")).modal_opened()
        answer = await bench.user("operator").submit_modal(modal, {"fast_period": "11"})
        await answer.wait_for(has_result)


async def test_a_form_that_was_open_over_a_restart_says_so(running, candles):
    async with running() as bench:
        message = await result_of(bench)
        modal = await (await bench.user("operator").click(message, "Run again…")).modal_opened()
    async with running() as bench:
        answer = await bench.user("operator").submit_modal(modal, {"fast_period": "11"})
        reply = await answer.finished()

    assert reply.ephemeral
    assert "press the button again" in reply.text


async def test_buttons_of_a_run_whose_files_are_gone_say_so(bench):
    message = await result_of(bench)
    assert bench.app.client.services.runs.prune(0) == 1

    for label in ("Trades CSV", "Interactive charts", "Monthly returns", "Run again…"):
        reply = await (await bench.user("operator").click(message, label)).finished()
        assert reply.ephemeral
        assert "are gone: run the backtest again" in reply.text


async def test_a_thread_of_the_channel_works_too(bench):
    async def start_thread():
        channel = await bench.app.client.fetch_channel(bench.sandbox.channel_id)
        message = await channel.send("hello")
        return await message.create_thread(name="ideas")

    thread = await start_thread()
    answer = await bench.user("operator").at(thread.id).slash("backtest", **FAST)

    await answer.wait_for(has_result)


async def test_symbols_are_taken_as_people_type_them(bench):
    message = await result_of(bench, symbol="btcusdt", **FAST)

    assert "BTC/USDT" in message.text


async def test_a_part_of_the_candles_is_run(bench):
    message = await result_of(
        bench, start="2024-01-20", end="2024-02", balance=500, fill="next_open", **FAST
    )

    assert "<t:1705708800:D> to <t:1706745600:D>" in message.text
    assert "$500.00" in message.text
    assert "filled at the next open" in message.text


async def test_disabled_things_are_not_offered(bench):
    message = await result_of(bench)

    with pytest.raises(NotOffered):
        await bench.user("operator").click(message, "Start forward test")
