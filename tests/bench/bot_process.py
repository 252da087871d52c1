"""Jesse's bot, unmodified, in a process of its own: `python -m tests.bench.bot_process JSON`.

It is connected to a sandbox in another process. Each line on standard input is answered with how
late its event loop woke since the last time (seconds) and its peak memory, as a line of JSON.
"""

import asyncio
import contextlib
import io
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bot.app import build_app
from bot.logs import logging_to
from bot.sandbox.redirect import redirect_discord
from bot.settings import Settings
from tests.bench.measuring import EXCHANGE, ROOT, own_peak

_EVERY_S: Final = 0.01
NOBODY: Final = "http://127.0.0.1:9"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the sandbox listens."""

    base_url: str
    api_url: str
    gateway_url: str


class LagProbe:
    """Wakes a hundred times a second and remembers how late it was."""

    def __init__(self) -> None:
        self._lags: list[float] = []

    async def run(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _EVERY_S
            await asyncio.sleep(_EVERY_S)
            self._lags.append(max(0.0, loop.time() - due))

    def take(self) -> list[float]:
        """Return what was measured since the last time."""
        lags, self._lags = self._lags, []
        return lags


async def main(options: dict[str, Any]) -> None:
    """Serve the bot and answer questions until standard input ends."""
    data_dir = Path(options["data_dir"])
    settings = Settings.load(
        None,
        **options["settings"],
        exchange=EXCHANGE,
        exchange_rest_url=NOBODY,
        data_dir=data_dir,
        strategies_dir=ROOT / "strategies",
        max_jobs=2,
    )
    addresses = Addresses(**options["addresses"])
    with (
        logging_to(data_dir / "logs", "INFO", console=io.StringIO()),
        redirect_discord(addresses),
    ):
        async with build_app(settings) as app:
            serving = asyncio.create_task(app.run())
            async with _probing() as probe:
                await _answer_questions(probe)
            app.stop()
            await serving


@asynccontextmanager
async def _probing() -> AsyncIterator[LagProbe]:
    probe = LagProbe()
    task = asyncio.create_task(probe.run())
    try:
        yield probe
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _answer_questions(probe: LagProbe) -> None:
    while await asyncio.to_thread(sys.stdin.readline):
        answer = {"lags": probe.take(), "peak_bytes": own_peak()}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
