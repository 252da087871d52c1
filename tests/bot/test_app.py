"""The app as a process: start, sync, restart, shutdown, outages, secrets."""

import asyncio
import gc
import io
import logging
import os
import signal
import time

import pytest
from pydantic import SecretStr

from bot.app import build_app, gate_of, missing_settings, redactor
from bot.client import ClientOptions
from bot.errors import BotError, InvalidSettings
from bot.logs import logging_to
from bot.sandbox.redirect import redirect_discord
from bot.settings import Settings

FAST = {"strategy": "ma_crossover", "params": "fast_period=10 slow_period=30"}


def has_result(message):
    return any(button.get("label") == "Trades CSV" for button in message.buttons)


def syncs(records):
    return sum("commands synced" in record.getMessage() for record in records)


@pytest.fixture(autouse=True)
def info_logs(caplog):
    caplog.set_level(logging.INFO)


async def test_commands_are_synced_once_and_not_again_after_a_restart(running, candles, caplog):
    async with running() as bench:
        ids = dict(bench.app.client.command_ids)
    assert syncs(caplog.records) == 1
    async with running() as bench:
        assert bench.app.client.command_ids == ids
    assert syncs(caplog.records) == 1


async def test_commands_are_synced_again_when_their_definition_changes(running, candles, caplog):
    async with running():
        pass
    async with running(discord_operator_role_id=None):
        pass

    assert syncs(caplog.records) == 2


async def test_the_bot_asks_for_no_more_than_it_needs(bench):
    intents = bench.app.client.intents

    assert [name for name, wanted in intents if wanted] == ["guilds"]
    assert bench.app.client.allowed_mentions.everyone is False


async def test_a_shutdown_interrupts_jobs_and_the_next_start_tells_their_authors(running, candles):
    async with running() as bench:
        bench.pool.gate.clear()
        answer = await bench.user("operator").slash("backtest", start="2024-01-20", **FAST)
        first = await answer.first_response()
        await bench.pool.started.wait()
        started = time.monotonic()
    assert time.monotonic() - started < 10

    async with running() as bench:
        told = await bench.channel.wait_for_message(
            lambda m: "interrupted" in m.text, after=first.id
        )
        assert told.pinged_ids == (bench.user("operator").user.id,)
        assert "/backtest strategy:ma_crossover start:2024-01-20" in told.text
        assert "params:fast_period=10 slow_period=30" in told.text
        mended = await answer.wait_for(lambda m: "interrupted" in m.text)
        assert mended.buttons == []
        outcomes = [entry.outcome for entry in await bench.audit()]
        assert outcomes[:2] == ["interrupted", "queued"]

    async with running() as bench:
        await (await bench.user("viewer").slash("help")).finished()
        said = [m for m in bench.channel.messages if m.id > told.id and "interrupted" in m.text]
        assert said == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signals_end_everything_in_order(sandbox, settings, candles, number):
    options = ClientOptions(guild_ready_timeout_s=0.0)
    with redirect_discord(sandbox):
        async with build_app(settings, options=options) as app:
            serving = asyncio.create_task(app.run())
            await sandbox.wait_until_connected()
            os.kill(os.getpid(), number)
            await asyncio.wait_for(serving, 10)
            assert app.client.is_closed()


async def test_a_wrong_token_says_what_to_do(running, candles, sandbox):
    with pytest.raises(InvalidSettings, match="DISCORD_TOKEN: copy it anew"):
        async with running(discord_token=SecretStr("not-the-token")):
            pass


@pytest.mark.parametrize(
    "path", [r"/users/@me$", r"/applications/@me$", r"/applications/\d+/guilds/\d+/commands$"]
)
async def test_a_start_while_discord_fails_is_tried_again(
    running, candles, sandbox, monkeypatch, caplog, path
):
    monkeypatch.setattr("bot.app._RETRY_S", 0.0)
    # The HTTP library itself repeats a request once.
    sandbox.faults.reset_next(4, path=path)
    async with running() as bench:
        message = await (await bench.user("viewer").slash("help")).finished()

    assert "backtest" in message.text
    assert sum("next try in" in record.getMessage() for record in caplog.records) == 2
    gc.collect()
    assert "Unclosed" not in caplog.text


async def test_missing_settings_are_named_together():
    settings = Settings.load(None, discord_guild_id=1)

    assert missing_settings(settings) == ["DISCORD_TOKEN", "DISCORD_CHANNEL_ID"]
    with pytest.raises(InvalidSettings, match="DISCORD_TOKEN, DISCORD_CHANNEL_ID must be set"):
        gate_of(settings)


async def test_the_gateway_may_drop_while_a_job_runs(bench):
    bench.pool.gate.clear()
    answer = await bench.user("operator").slash("backtest", **FAST)
    await bench.pool.started.wait()
    await bench.sandbox.gateway.drop()
    bench.pool.gate.set()

    await answer.wait_for(has_result)
    await bench.sandbox.wait_until_connected()
    await (await bench.user("viewer").slash("help")).finished()


@pytest.mark.parametrize("fault", ["error", "rate limit", "lost"])
async def test_discord_may_fail_while_a_result_is_posted(bench, fault):
    bench.pool.gate.clear()
    answer = await bench.user("operator").slash("backtest", **FAST)
    await bench.pool.started.wait()
    faults = bench.sandbox.faults
    if fault == "error":
        faults.fail_next(1, status=502, method="PATCH")
    elif fault == "rate limit":
        faults.rate_limit_next(1, retry_after_s=0.1, method="PATCH")
    else:
        faults.lose_answer_next(1, method="PATCH")
    bench.pool.gate.set()

    message = await answer.wait_for(has_result, timeout_s=20)

    assert len(message.attachments) == 2
    assert len([m for m in bench.channel.messages if has_result(m)]) == 1


async def test_a_result_that_cannot_be_edited_in_comes_as_a_message(bench):
    bench.pool.gate.clear()
    answer = await bench.user("operator").slash("backtest", **FAST)
    first = await answer.first_response()
    await bench.pool.started.wait()
    bench.sandbox.faults.fail_next(1, status=403, method="PATCH", path="webhooks")
    bench.pool.gate.set()

    # The refused edit may have been one of progress; then the result is edited in.
    await bench.channel.wait_for_message(has_result, after=first.id - 1)


async def test_dead_background_tasks_are_logged_and_told(bench, caplog):
    async def die() -> None:
        raise ValueError("gone")

    bench.app.background.spawn("candle refresh", die())

    message = await bench.channel.wait_for_message(lambda m: "died" in m.text)
    assert "candle refresh" in message.text
    assert "gone" not in message.text
    assert any(r.exc_info and "candle refresh" in r.getMessage() for r in caplog.records)


async def test_no_command_in_a_storm_is_left_without_an_answer(bench):
    user = bench.user("viewer")
    answers = [await user.slash("help") for _ in range(40)]

    messages = await asyncio.gather(*(answer.finished() for answer in answers))

    assert all("Research strategies" in message.text for message in messages)
    assert all(answer.refusals == [] for answer in answers)


async def test_secrets_are_in_no_message_log_or_traceback(running, candles, sandbox, tmp_path):
    canary = "canary-4f1c_9d*key"
    secrets = {"api_key": SecretStr(canary), "api_secret": SecretStr(canary + "2")}
    hidden = (canary, sandbox.bot_token)
    console = io.StringIO()
    with logging_to(tmp_path / "logs", "DEBUG", secrets=hidden, console=console):
        async with running(**secrets) as bench:
            for error in (BotError(f"signed with {canary}"), ValueError(f"token {hidden[1]}")):
                bench.pool.error = error
                answer = await bench.user("operator").slash("backtest", **FAST)
                await answer.wait_for(lambda m: "failed" in m.text)
            for name in ("help", "status", "strategies", "jobs"):
                await (await bench.user("viewer").slash(name)).finished(timeout_s=15)
            said = "\n".join(m.text for m in bench.sandbox.channel("research").messages)
            stored = repr(await bench.audit())
            stored += repr(await bench.app.client.services.values.list_jobs())

    logged = (tmp_path / "logs" / "jesse.log").read_text() + console.getvalue()
    assert "[secret]" in said.replace("\\", "")
    assert "Traceback" in logged
    for secret in hidden:
        assert secret not in said.replace("\\", "")
        assert secret not in stored
        assert secret not in logged


def test_the_redactor_leaves_other_text_alone(settings):
    redact = redactor(settings)

    assert redact("nothing to hide") == "nothing to hide"
    assert redact(f"a {settings.discord_token.get_secret_value()} b") == "a [secret] b"
