"""`jesse run`: what it says when something is missing, and its end on SIGTERM as a process."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from bot.cli import main
from bot.console.run import end_in_time, explain_missing
from bot.sandbox.server import SandboxDiscord

ROOT = Path(__file__).resolve().parents[3]

SCRIPT = """
import sys
from bot.cli import main
from bot.sandbox.redirect import redirect_discord

class Addresses:
    base_url, api_url, gateway_url = sys.argv[1:4]

if __name__ == "__main__":
    with redirect_discord(Addresses):
        sys.exit(main(["run"]))
"""


def test_all_that_is_missing_is_named_with_steps(capsys):
    assert main(["run"]) == 2

    said = capsys.readouterr().err
    for word in (
        "DISCORD_TOKEN, DISCORD_GUILD_ID, DISCORD_CHANNEL_ID are not set",
        "discord.com/developers/applications",
        "scope=bot+applications.commands&permissions=2252109051448320",
        "Copy Server ID",
        "Copy Channel ID",
        "DISCORD_OPERATOR_ROLE_ID",
        "jesse demo",
    ):
        assert word in said
    assert "Traceback" not in said


def test_only_what_is_missing_is_named(capsys, monkeypatch):
    monkeypatch.setenv("DISCORD_TOKEN", "canary-token")
    monkeypatch.setenv("DISCORD_GUILD_ID", "1")

    assert main(["run"]) == 2

    said = capsys.readouterr().err
    assert "DISCORD_CHANNEL_ID is not set" in said
    assert "developers/applications" not in said
    assert "canary-token" not in said


def test_a_wrong_id_is_named(capsys, monkeypatch):
    monkeypatch.setenv("DISCORD_GUILD_ID", "my server")

    assert main(["run"]) == 2
    assert "DISCORD_GUILD_ID" in capsys.readouterr().err


def test_one_missing_setting_reads_as_one():
    assert "DISCORD_TOKEN is not set" in explain_missing(["DISCORD_TOKEN"])


def test_a_process_that_does_not_end_is_ended():
    codes: list[int] = []
    timer = end_in_time(0.0, codes.append)
    timer.join()

    assert codes == [1]


@pytest.mark.slow
async def test_sigterm_ends_the_process_in_order(tmp_path):
    script = tmp_path / "serve.py"
    await asyncio.to_thread(script.write_text, SCRIPT)
    async with SandboxDiscord() as sandbox:
        environment = dict(
            os.environ,
            PYTHONPATH=str(ROOT),
            DISCORD_TOKEN=sandbox.bot_token,
            DISCORD_GUILD_ID=str(sandbox.guild_id),
            DISCORD_CHANNEL_ID=str(sandbox.channel_id),
            EXCHANGE="simulated",
            EXCHANGE_REST_URL="http://127.0.0.1:9",
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(script), sandbox.base_url, sandbox.api_url, sandbox.gateway_url,
            env=environment, cwd=tmp_path, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        await sandbox.wait_until_connected(timeout_s=60)
        answer = await sandbox.user("viewer").slash("help")
        await answer.finished()
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            _, said = await process.communicate()

    assert process.returncode == 0
    assert b"Traceback" not in said
    logged = await asyncio.to_thread((tmp_path / "var" / "logs" / "jesse.log").read_text)
    assert "stopping" in logged
    assert sandbox.bot_token not in logged
