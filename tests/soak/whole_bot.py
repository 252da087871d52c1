"""A process that runs the whole bot in children of its own, against a loopback Discord.

It reads what a bot needs as JSON per line, forks, prints the child's process id and, when the child
has ended, how. Run it as `python -m tests.soak.whole_bot LOG`. Waits that are made for outages of
minutes are shortened as much as the market's time runs faster.
"""

import asyncio
import functools
import importlib
import json
import logging
import os
import sys
import time
from dataclasses import dataclass

from tests.soak.nursery import PRELOADED
from tests.soak.world import fast_timing

_MORE = ("bot.app", "bot.cogs.forward", "bot.alert_pictures", "discord.ext.commands", "apscheduler")
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 64


@dataclass(frozen=True)
class Addresses:
    """Where the loopback Discord listens."""

    base_url: str
    api_url: str
    gateway_url: str


class Still:
    """Draws the same picture of everything: no browser is started."""

    async def render(self, figure: str) -> bytes:
        """Return a picture."""
        return PNG


def main() -> None:
    """Serve until the input ends."""
    for name in (*PRELOADED, *_MORE):
        importlib.import_module(name)
    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            run_child(json.loads(line))
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def run_child(options: dict) -> None:
    """Run the bot with its words in the log, and end like a process of its own."""
    log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    log_of_it, code = logging.getLogger("soak"), 1
    try:
        form = "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"
        logging.basicConfig(level=logging.INFO, format=form)
        for name in ("apscheduler", "bot.services.forward.desk"):
            logging.getLogger(name).setLevel(logging.WARNING)
        hasten(options["factor"])
        asyncio.run(serve(options))
        code = 0
    except BaseException:
        log_of_it.exception("the bot died")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


async def serve(options: dict) -> None:
    """Run the bot until it is told to end."""
    from bot.app import build_app
    from bot.sandbox.redirect import redirect_discord
    from bot.settings import Settings

    settings = Settings.load(None, **options["settings"])
    with redirect_discord(Addresses(**options["addresses"])):
        async with build_app(settings, pictures=Still()) as app:
            await app.run()


def hasten(factor: float) -> None:
    """Let the bot wait so many times less for the exchange, and not for minutes for Discord."""
    from bot import app, forward_parts, forward_threads, outbox
    from bot.services.forward import compose, desk

    timing = fast_timing(factor)
    compose.open_forward = functools.partial(compose.open_forward, timing=timing)
    forward_parts.monotonic = lambda: time.monotonic() * factor
    desk.ForwardDesk.__init__.__kwdefaults__["attend_s"] = desk.ATTEND_S / 15
    outbox._LONGEST_RETRY_MS = 2_000
    desk._OPEN_AGAIN_S = forward_threads._ASK_AGAIN_S = app._RETRY_S = 1.0


if __name__ == "__main__":
    main()
