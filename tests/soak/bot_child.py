"""Starts, kills and ends the whole bot in a process of its own; see `whole_bot`."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bot.sandbox.server import SandboxDiscord
from tests.conftest import PROJECT_ROOT
from tests.soak.kills import Nursery
from tests.soak.world import World


class BotProcess:
    """The bot: started, killed, ended; one that ends by itself is noted and started again."""

    def __init__(self, nursery: Nursery, options: dict) -> None:
        self._nursery = nursery
        self._options = options
        self._child = 0
        self._ended: asyncio.Future[int] | None = None
        self.starts = 0
        self.deaths: list[int] = []

    async def start(self) -> None:
        """Start it, unless it runs."""
        if self._ended is None:
            self._child = await self._nursery.start(self._options)
            self._ended = asyncio.ensure_future(self._nursery.ended())
            self.starts += 1

    async def end(self, number: signal.Signals) -> int:
        """Send it a signal and wait for its end; return how it ended."""
        if self._ended is None:
            return 0
        if not self._ended.done():
            os.kill(self._child, number)
            code = await self._ended
        else:
            code = self._ended.result()
            self.deaths.append(code)
        self._ended = None
        return code

    async def revive(self) -> None:
        """Start it again where it ended by itself, as a host does."""
        if self._ended is not None and self._ended.done():
            self.deaths.append(self._ended.result())
            self._ended = None
            await self.start()


@asynccontextmanager
async def open_bot(
    world: World, sandbox: SandboxDiscord, log: Path, *, factor: float
) -> AsyncIterator[BotProcess]:
    """Open a bot that lives between a world and a sandbox; it isn't started yet."""
    settings = world.settings
    options = {
        "factor": factor,
        "addresses": {
            "base_url": sandbox.base_url,
            "api_url": sandbox.api_url,
            "gateway_url": sandbox.gateway_url,
        },
        "settings": {
            "discord_token": sandbox.bot_token,
            "discord_guild_id": sandbox.guild_id,
            "discord_channel_id": [sandbox.channel_id],
            "discord_operator_role_id": sandbox.operator_role_id,
            "exchange": settings.exchange,
            "exchange_rest_url": settings.exchange_rest_url,
            "exchange_ws_url": settings.exchange_ws_url,
            "data_dir": str(settings.data_dir),
            "strategies_dir": str(settings.strategies_dir),
            "slippage_bps": settings.slippage_bps,
            "refresh_cron": "* * * * *",
            "max_jobs": 1,
        },
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.soak.whole_bot", str(log)),
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT_ROOT)},
        cwd=log.parent,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    bot = BotProcess(Nursery(process), options)
    try:
        assert (await process.stdout.readline()).strip() == b"ready"
        yield bot
    finally:
        await bot.end(signal.SIGKILL)
        process.stdin.close()
        await process.wait()
