"""`jesse demo`: everything with no account: simulated exchange, loopback Discord, the real bot."""

import argparse
import asyncio
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from bot.app import App, build_app
from bot.console.common import settings_from
from bot.logs import logging_to
from bot.sandbox.answers import Answer
from bot.sandbox.page import SandboxPage
from bot.sandbox.redirect import redirect_discord
from bot.sandbox.server import SandboxDiscord
from bot.sandbox.views import SeenMessage
from bot.services.runs import RunStore
from bot.settings import Settings
from data.simulator.server import SimulatedExchange

STRATEGY: Final = "ma_crossover"
PERIOD: Final = "1y"
SEED: Final = 1
FIRST_LOOK_TIMEOUT_S: Final = 300.0
SUMMARY: Final = "summary.txt"
PAGES: Final = ("equity.html", "trades.html")
FAILURE_MARK: Final = "⚠️"
_RUN_ID: Final = re.compile(r"run ([0-9a-f]{16})")


@dataclass(frozen=True, slots=True)
class Demo:
    """What runs while the demo does."""

    sandbox: SandboxDiscord
    page: SandboxPage
    app: App


def run(arguments: argparse.Namespace) -> int:
    """Serve the demo until Ctrl-C; with `--once`, take a first look, save it and end."""
    settings = settings_from(arguments)
    with logging_to(settings.data_dir / "logs", "WARNING"):
        return asyncio.run(_run(settings, once=arguments.once))


async def _run(settings: Settings, *, once: bool) -> int:
    print("Jesse's demo. Exchange and Discord are simulated on this machine: no price is real.")
    async with open_demo(settings) as demo:
        print(f"The channel: {demo.page.url}\n")
        print(f"First look: /backtest strategy:{STRATEGY} start:{PERIOD} ...")
        message = await first_look(demo)
        paths = await asyncio.to_thread(save_message, message, settings.data_dir)
        print(f"\nWhat the channel shows:\n\n{message.text}\n")
        for path in paths:
            print(path.read_text(encoding="utf-8") if path.name == SUMMARY else f"saved: {path}")
        if not once:
            print(f"\nOpen {demo.page.url} and type / in its command box. Ctrl-C ends the demo.")
            await _until_stopped()
        return 1 if FAILURE_MARK in message.text else 0


@asynccontextmanager
async def open_demo(settings: Settings) -> AsyncIterator[Demo]:
    """Start exchange, Discord, page and bot; all end with the block, the bot first."""
    async with SimulatedExchange(seed=SEED, rate_limit=False) as exchange:
        sandbox = SandboxDiscord()
        page = SandboxPage(sandbox)
        async with sandbox:
            demo_settings = settings.model_copy(update=demo_values(sandbox, exchange))
            with redirect_discord(sandbox):
                async with build_app(demo_settings) as app:
                    serving = asyncio.create_task(app.run(), name="demo bot")
                    try:
                        await sandbox.wait_until_connected(timeout_s=60)
                        yield Demo(sandbox, page, app)
                    finally:
                        app.stop()
                        await serving


def demo_values(sandbox: SandboxDiscord, exchange: SimulatedExchange) -> dict[str, object]:
    """Return the settings that point the bot at the sandbox and the simulated exchange."""
    return {
        "discord_token": SecretStr(sandbox.bot_token),
        "discord_guild_id": sandbox.guild_id,
        "discord_channel_id": (sandbox.channel_id,),
        "discord_operator_role_id": sandbox.operator_role_id,
        "exchange": "simulated",
        "exchange_rest_url": exchange.rest_url,
        "exchange_ws_url": exchange.ws_url,
        "slippage_bps": 1.0,
    }


async def first_look(demo: Demo) -> SeenMessage:
    """Run the first backtest as the operator would; return the message that shows it."""
    user = demo.sandbox.user("operator")
    answer: Answer = await user.slash("backtest", strategy=STRATEGY, start=PERIOD)
    return await answer.wait_for(_is_final, timeout_s=FIRST_LOOK_TIMEOUT_S)


def save_message(message: SeenMessage, data_dir: Path) -> list[Path]:
    """Write a result's text, pictures and pages into the demo's folder; return their paths."""
    folder = data_dir / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    text = folder / "channel.txt"
    text.write_text(message.text + "\n", encoding="utf-8")
    paths = [text]
    for file in message.attachments:
        path = folder / Path(file.filename).name
        path.write_bytes(file.data)
        paths.append(path)
    found = _RUN_ID.search(message.text)
    return [*_save_run(RunStore(data_dir / "runs"), found[1], folder), *paths] if found else paths


def _save_run(runs: RunStore, run_id: str, folder: Path) -> list[Path]:
    """Write a run's summary and its interactive charts into a folder."""
    for name in (SUMMARY, *PAGES):
        (folder / name).write_bytes(runs.file(run_id, name))
    return [folder / name for name in (SUMMARY, *PAGES)]


def _is_final(message: SeenMessage) -> bool:
    return _RUN_ID.search(message.text) is not None or FAILURE_MARK in message.text


async def _until_stopped() -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    await stopped.wait()
