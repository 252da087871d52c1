"""How results reach people when Discord or the channel is difficult."""

import discord
import pytest

from bot.sandbox.permissions import Permission
from bot.ui.failures import explain

FAST = {"strategy": "ma_crossover", "params": "fast_period=10 slow_period=30"}


def has_result(message):
    return any(button.get("label") == "Trades CSV" for button in message.buttons)


async def started(bench):
    bench.pool.gate.clear()
    answer = await bench.user("operator").slash("backtest", **FAST)
    first = await answer.first_response()
    await bench.pool.started.wait()
    return answer, first


async def test_where_files_are_denied_a_late_result_comes_without_them(bench):
    _, first = await started(bench)
    bench.sandbox.deny_bot("research", Permission.ATTACH_FILES)
    bench.clock.advance(20 * 60)
    bench.pool.gate.set()

    message = await bench.channel.wait_for_message(has_result, after=first.id)

    assert message.attachments == ()
    assert message.broken_images == []
    assert "Return" in message.text


async def test_a_channel_that_takes_nothing_is_logged_and_kills_nothing(bench, log_watch):
    _, _ = await started(bench)
    bench.sandbox.deny_bot("research", Permission.SEND_MESSAGES, Permission.VIEW_CHANNEL)
    bench.clock.advance(20 * 60)
    bench.pool.gate.set()
    await log_watch.wait_for("takes no message")

    assert not any("died" in line for line in log_watch.lines)
    help_page = await (await bench.user("viewer").slash("help")).finished()
    assert "Research strategies" in help_page.text


async def test_within_the_token_s_life_no_permission_is_needed(bench):
    answer, _ = await started(bench)
    bench.sandbox.deny_bot("research", Permission.SEND_MESSAGES, Permission.ATTACH_FILES)
    bench.pool.gate.set()

    message = await answer.wait_for(has_result)

    assert len(message.attachments) == 2


async def test_a_deleted_channel_is_survived(bench, log_watch):
    await started(bench)
    bench.sandbox.delete_channel("research")
    bench.pool.gate.set()

    await log_watch.wait_for("takes no message")
    assert not any("died" in line for line in log_watch.lines)


@pytest.mark.parametrize("fault", ["503", "reset", "lost"])
async def test_a_late_result_is_sent_again_but_only_once(bench, monkeypatch, fault):
    monkeypatch.setattr("bot.cogs.job_messages._RETRY_DELAYS_S", (0.01,) * 5)
    answer, first = await started(bench)
    bench.clock.advance(20 * 60)
    faults = bench.sandbox.faults
    if fault == "503":
        faults.fail_next(3, status=503, method="POST", path="/messages$")
    elif fault == "reset":
        faults.reset_next(2, method="POST", path="/messages$")
    else:
        faults.lose_answer_next(1, method="POST", path="/messages$")
    bench.pool.gate.set()

    message = await bench.channel.wait_for_message(has_result, after=first.id, timeout_s=20)
    await answer.wait_for(lambda m: "see the result" in m.text)

    assert len(message.attachments) == 2
    assert len([m for m in bench.channel.messages if has_result(m)]) == 1


async def test_progress_that_discord_refuses_does_not_lose_the_result(bench, log_watch):
    answer, _ = await started(bench)
    bench.sandbox.faults.fail_next(1, status=400, method="PATCH")
    bench.pool.progress(("running", 1, 50))
    await log_watch.wait_for("not shown")
    bench.pool.progress(("running", 25, 50))
    await answer.wait_for(lambda m: "50 %" in m.text)
    bench.pool.gate.set()

    await bench.channel.wait_for_message(has_result)


async def test_errors_of_discord_itself_are_explained(bench):
    response = type("Response", (), {"status": 403, "reason": "Forbidden"})()
    error = discord.Forbidden(response, {"code": 50013, "message": "Missing Permissions"})

    assert "Attach Files" in explain(error)
