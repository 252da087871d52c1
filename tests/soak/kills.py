"""Kill -9 at random instants while a test trades in a process of its own, and what is left then."""

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.services.forward.service import ForwardAsk
from data.database import Database
from tests.conftest import PROJECT_ROOT
from tests.soak.world import MINUTE_MS, World, open_world

NAME = "killed"
_SPARED = 900.0  # seconds that one start may take before it counts as stuck


@dataclass(frozen=True)
class Outcome:
    """All that a test leaves behind, but for what says how it came there."""

    trades: list[Any]
    curve: tuple[list[int], list[float]]
    positions: list[Any]
    state: Any
    balance: float
    alerts: list[dict[str, Any]]
    keys: list[str]
    recovered: int


class Nursery:
    """Starts `jesse` and kills it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def start(self, arguments: list[str]) -> int:
        """Start a process and return its id."""
        self._process.stdin.write(json.dumps(arguments).encode() + b"\n")
        await self._process.stdin.drain()
        return int(await self._line())

    async def ended(self) -> int:
        """Wait for its end and return how it ended: a signal's number is negative."""
        return int(await self._line())

    async def _line(self) -> str:
        async with asyncio.timeout(_SPARED):
            return (await self._process.stdout.readline()).decode().strip()


@asynccontextmanager
async def open_nursery(world: World, log: Path) -> AsyncIterator[Nursery]:
    """Open a nursery whose children live in a world."""
    settings = world.settings
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PROJECT_ROOT),
        "EXCHANGE": "simulated",
        "EXCHANGE_REST_URL": settings.exchange_rest_url,
        "EXCHANGE_WS_URL": settings.exchange_ws_url,
        "DATA_DIR": str(settings.data_dir),
        "STRATEGIES_DIR": str(settings.strategies_dir),
        "SLIPPAGE_BPS": str(settings.slippage_bps),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.soak.nursery", str(log)),
        env=environment,
        cwd=log.parent,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert (await process.stdout.readline()).strip() == b"ready"
        yield Nursery(process)
    finally:
        process.stdin.close()
        await process.wait()


async def trade_under_fire(folder: Path, *, kills: int, hours: int, seed: int) -> Outcome:
    """Trade until the end, killed again and again, and return what is left."""
    chance = random.Random(seed)
    log = folder / "jesse.log"
    async with open_world(folder) as world, open_nursery(world, log) as nursery:
        end = world.clock.now_ms() // MINUTE_MS * MINUTE_MS + hours * 60 * MINUTE_MS
        arguments = _arguments(end)
        survived = 0
        while survived < kills:
            sockets = world.exchange.faults.counters["sockets"]
            child = await nursery.start(arguments)
            ended = asyncio.ensure_future(nursery.ended())
            await _let_live(world, chance, ended, sockets=sockets, end=end, left=kills - survived)
            if not ended.done():
                os.kill(child, signal.SIGKILL)
            assert await ended in (-signal.SIGKILL, 0), log.read_text()
            survived += 1
        await nursery.start(arguments)
        ended = asyncio.ensure_future(nursery.ended())
        await world.clock.advance_to(end + 2_000)
        assert await ended == 0, log.read_text()
        return await _outcome(world)


async def trade_in_peace(folder: Path, *, hours: int) -> Outcome:
    """Trade the same time without any disturbance."""
    async with open_world(folder) as world:
        async with world.process() as (service, _):
            begun = world.clock.now_ms() // MINUTE_MS * MINUTE_MS
            await service.start(ForwardAsk("busy", symbol="BTC/USDT", name=NAME, ticks=False))
            await world.until_subscribed(service)
            await world.advance(service, begun + hours * 60 * MINUTE_MS)
        return await _outcome(world)


def _arguments(end: int) -> list[str]:
    until = f"{datetime.fromtimestamp(end / 1000, UTC):%Y-%m-%dT%H:%M}"
    return [
        *("forward-test", "--strategy", "busy", "--symbol", "BTC/USDT", "--candles-only"),
        *("--name", NAME, "--until", until),
    ]


async def _let_live(
    world: World,
    chance: random.Random,
    ended: "asyncio.Future[int]",
    *,
    sockets: int,
    end: int,
    left: int,
) -> None:
    """Let a process live for a random while: into its start, its recovery, or its trading."""
    if chance.random() < 0.4:
        # A moment of its start or recovery; which one it is, chance and the machine decide.
        await asyncio.wait({ended}, timeout=chance.uniform(0.0, 0.6))
        return
    while world.exchange.faults.counters["sockets"] == sockets and not ended.done():  # noqa: ASYNC110
        await asyncio.sleep(0.002)
    now = world.clock.now_ms()
    share = max(1, (end - now) // MINUTE_MS // left)
    step = chance.randint(0, 2 * share) * MINUTE_MS + chance.randint(0, 59_999)
    await world.clock.advance_to(max(now, min(now + step, end - MINUTE_MS)))
    await asyncio.wait({ended}, timeout=chance.uniform(0.0, 0.05))


async def _outcome(world: World) -> Outcome:
    async with Database.open(world.settings.data_dir / "jesse.db") as database:
        test = await database.find_forward_test(NAME)
        stored = await database.get_trades(test.id)
        curve = await database.get_equity_curve(test.id)
        messages = await database.take_due_messages(100_000)
        return Outcome(
            trades=[item.trade for item in stored],
            curve=(curve.time.tolist(), curve.equity.tolist()),
            positions=await database.get_open_positions(test.id),
            state=await database.get_strategy_state(test.id),
            balance=(await database.get_portfolio(test.id)).balance,
            alerts=[
                {"kind": message.kind, **message.payload, "recovered": None} for message in messages
            ],
            keys=[message.dedupe_key for message in messages],
            recovered=sum(item.recovered for item in stored),
        )
