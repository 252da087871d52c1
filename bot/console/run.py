"""`jesse run`: start the Discord bot, or say what is missing and how to get it."""

import argparse
import asyncio
import logging
import os
import sys
import threading
from collections.abc import Callable
from typing import Final

from bot.console.common import settings_from
from bot.logs import logging_to
from bot.settings import Settings

log = logging.getLogger(__name__)

# Closing the client takes 5 s at most; together they stay within the 10 s that hosts allow.
_GRACE_S: Final = 4.5
_STEPS: Final = {
    "DISCORD_TOKEN": (
        "DISCORD_TOKEN, the bot's token:\n"
        "  1. open https://discord.com/developers/applications and press New Application\n"
        "  2. under Bot, press Reset Token and copy it into .env as DISCORD_TOKEN=...\n"
        "     (no privileged intent is needed)\n"
        "  3. invite it with this link, the application's id (under General Information) in place"
        " of ID:\n"
        "     https://discord.com/oauth2/authorize?client_id=ID&scope=bot+applications.commands"
        "&permissions={permissions}\n"
        "     (View Channels, Send Messages, Send Messages in Threads, Create Public Threads,"
        " Embed Links, Attach Files, Read Message History, Pin Messages)"
    ),
    "DISCORD_GUILD_ID": (
        "DISCORD_GUILD_ID, the server that it serves:\n"
        "  switch on Developer Mode in Discord (Settings, Advanced), right-click the server,"
        " Copy Server ID"
    ),
    "DISCORD_CHANNEL_ID": (
        "DISCORD_CHANNEL_ID, the channel or channels (by comma) that it listens in:\n"
        "  with Developer Mode on, right-click the channel, Copy Channel ID"
    ),
}


def run(arguments: argparse.Namespace) -> int:
    """Run until SIGTERM or Ctrl-C; 0 after an ordered end, 2 where a setting is missing."""
    from bot.app import missing_settings

    settings = settings_from(arguments)
    missing = missing_settings(settings)
    if missing:
        print(explain_missing(missing), file=sys.stderr)
        return 2
    with logging_to(settings.data_dir / "logs", settings.log_level, secrets=settings.secret_values):
        asyncio.run(_run(settings))
    return 0


def explain_missing(missing: list[str]) -> str:
    """Return what isn't set and how to get each."""
    from bot.discord_check import invite_permissions

    steps = [_STEPS[name].replace("{permissions}", str(invite_permissions())) for name in missing]
    verb = "is" if len(missing) == 1 else "are"
    head = f"error: {', '.join(missing)} {verb} not set (environment or .env)"
    tail = (
        "Optional: DISCORD_OPERATOR_ROLE_ID, the role that may run backtests; without it only"
        " members with Manage Server may.\nTo look around without an account: jesse demo"
    )
    return "\n\n".join([head, *steps, tail])


async def _run(settings: Settings) -> None:
    from bot.app import build_app

    async with build_app(settings) as app:
        await app.run()
        end_in_time(_GRACE_S)


def end_in_time(seconds: float, give_up: Callable[[int], None] = os._exit) -> threading.Timer:
    """End the process after so many seconds, should a thread or browser refuse to."""

    def end() -> None:
        log.error("not ended within %g s: giving up what is left", seconds)
        give_up(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    return timer
