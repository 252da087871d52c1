"""A day that nobody watches: the whole bot between a faulty exchange and a faulty Discord.

What is left is compared with a day of the same seed in which nothing happened.
"""

import asyncio
import json
import random
import signal
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from bot.sandbox.server import SandboxDiscord
from bot.services.alert_kinds import FAULT
from bot.services.forward.alerts import TEST_CHANNEL
from bot.services.forward.service import ForwardAsk, ForwardService
from data.database import Database
from tests.soak.blows import Blow, Scene, all_blows, long_outage
from tests.soak.bot_child import open_bot
from tests.soak.witness import TRADES, Told, compare, seen_alerts
from tests.soak.world import MINUTE_MS, World, open_world, shipped_and_busy

TESTS = (("busy", "BTC/USDT"), ("busy", "ETH/USDT"), ("busy", "SOL/USDT"), ("breakout", "BTC/USDT"))
CALM_S = 180.0
FACTOR = 60.0
MINUTE_S = 0.1


@dataclass(frozen=True)
class Books:
    """What one test leaves behind, but for what says how it came there."""

    status: str
    trades: list[Any]
    curve: tuple[list[int], list[float]]
    positions: list[Any]
    state: Any
    balance: float
    alerts: list[dict[str, Any]]


@dataclass(frozen=True)
class Endured:
    """A day under fire: the books by test, what was told where, and what happened meanwhile."""

    books: dict[str, Books]
    channel: Told
    threads: Told
    blows: dict[str, int]
    starts: int
    deaths: list[int]
    faults_told: int
    took_s: float


async def spend_in_peace(folder: Path, *, hours: float) -> dict[str, Books]:
    """Trade the same time without any disturbance."""
    async with open_world(folder, strategies=shipped_and_busy(folder)) as world:
        async with world.process() as (service, _):
            end = await _start_tests(world, service) + _minutes(hours)
            await world.until_subscribed(service)
            await world.advance(service, end)
        return await _books(world)


async def spend_under_fire(
    folder: Path, *, hours: float, seed: int, minute_s: float = MINUTE_S
) -> Endured:
    """Trade with everything going wrong that can; the last half hour, or third, is calm.

    A minute of the market takes `minute_s` at least: Discord's limits and pauses are real.
    """
    begun = time.perf_counter()
    chance = random.Random(seed)
    async with (
        open_world(folder, strategies=shipped_and_busy(folder), speed_up=FACTOR) as world,
        SandboxDiscord() as sandbox,
    ):
        async with world.process() as (service, _):
            end = await _start_tests(world, service) + _minutes(hours)
        async with open_bot(world, sandbox, folder / "bot.log", factor=FACTOR) as bot:
            scene = Scene(world, sandbox, bot, chance, minute_s)
            quiet_from = end - min(_minutes(0.5), _minutes(hours) // 3)
            await bot.start()
            await _calm(scene, quiet_from)
            await _fight(scene, quiet_from, _rounds(chance, hours))
            await _calm(scene, end - 5 * MINUTE_MS)
            await _advance(scene, end + 2_000)
            await _calm(scene, scene.now, everything=True)
            if code := await bot.end(signal.SIGTERM):
                bot.deaths.append(code)
        books = await _books(world)
        rows = _rows(world)
        seen = seen_alerts(sandbox)
        return Endured(
            books=books,
            channel=compare(rows, seen, is_thread=False),
            threads=compare(rows, seen, is_thread=True),
            blows=scene.struck,
            starts=bot.starts,
            deaths=bot.deaths,
            faults_told=sum(row["kind"] == FAULT for row in rows),
            took_s=time.perf_counter() - begun,
        )


def differences(peace: dict[str, Books], fire: dict[str, Books]) -> list[str]:
    """Return what differs between two days, as test and part."""
    return [
        f"{name}'s {part.name}"
        for name, books in peace.items()
        for part in fields(Books)
        if getattr(books, part.name) != getattr(fire[name], part.name)
    ]


def _minutes(hours: float) -> int:
    return round(60 * hours) * MINUTE_MS


async def _start_tests(world: World, service: ForwardService) -> int:
    """Start all tests; return the minute in which they began."""
    for strategy, symbol in TESTS:
        name = f"{strategy}-{symbol[:3].lower()}"
        await service.start(ForwardAsk(strategy, symbol=symbol, name=name, ticks=False))
    return world.clock.now_ms() // MINUTE_MS * MINUTE_MS


@dataclass(frozen=True)
class Round:
    """Blows that come together; `before` and `under` are shares of a round's time, 0 to 1."""

    blows: tuple[Blow, ...]
    before: float
    under: float
    waits_for: str


def _rounds(chance: random.Random, hours: float) -> list[Round]:
    """Return a day's blows in a random order: each kind every six hours, and one long outage."""
    deck = [blow for _ in range(max(1, round(hours / 6))) for blow in all_blows()]
    deck.append(long_outage(round(hours * 8)))
    chance.shuffle(deck)
    rounds = []
    while deck:
        blows = [deck.pop()]
        others = [blow for blow in deck if blow.side != blows[0].side]
        if others and chance.random() < 0.6:
            blows.append(others[-1])
            deck.remove(others[-1])
        waits_for = chance.choice(("nothing", "nothing", "candles", "candles", "alerts"))
        rounds.append(Round(tuple(blows), chance.random() / 2, chance.random(), waits_for))
    return rounds


async def _fight(scene: Scene, until: int, rounds: list[Round]) -> None:
    """Deal blows, the bot between them sometimes well again, until then at most."""
    for number, each in enumerate(rounds):
        if scene.now >= until:
            return
        share = (until - scene.now) / (len(rounds) - number)
        await _advance(scene, min(until, scene.now + round(each.before * share)))
        await _deal(scene, each, until, longest=share / MINUTE_MS)
        if each.waits_for != "nothing":
            await _calm(scene, until, everything=each.waits_for == "alerts")
    await _advance(scene, max(until, scene.now))


async def _deal(scene: Scene, each: Round, until: int, *, longest: float) -> None:
    for blow in each.blows:
        await blow.strike(scene)
        scene.struck[blow.name] = scene.struck.get(blow.name, 0) + 1
    least = max(blow.minutes[0] for blow in each.blows)
    most = max(least, min(longest, max(blow.minutes[1] for blow in each.blows)))
    minutes = least + each.under * (most - least)
    await _advance(scene, min(until, scene.now + round(minutes * MINUTE_MS)))
    for blow in reversed(each.blows):
        if blow.heal is not None:
            await blow.heal(scene)


async def _advance(scene: Scene, until: int) -> None:
    """Let the market go on, minute by minute, so that the bot keeps up if it can."""
    while scene.now < until:
        await scene.world.clock.advance_to(min(until, scene.now + MINUTE_MS))
        await asyncio.sleep(scene.minute_s)


async def _calm(scene: Scene, until: int, *, everything: bool = False) -> None:
    """Wait until the bot has seen all candles; the market goes on meanwhile, until then at most.

    With `everything` it waits for the alerts as well.
    """
    scene.world.exchange.faults.clear()
    waited_from = nudged_at = time.monotonic()
    while not _is_well(scene, everything=everything):
        await scene.bot.revive()
        now = time.monotonic()
        assert now - waited_from < CALM_S, "the bot does not come back: see bot.log"
        if now - nudged_at > 1.0 and scene.now < until:
            nudged_at = now
            await _advance(scene, min(until, scene.now + MINUTE_MS))
        await asyncio.sleep(0.05)


def _is_well(scene: Scene, *, everything: bool) -> bool:
    wanted = (scene.now - 2_000) // MINUTE_MS * MINUTE_MS - MINUTE_MS
    behind = (
        "SELECT count(*) FROM forward_tests LEFT JOIN portfolios ON test_id = id"
        " WHERE coalesce(last_candle_time, 0) < ?"
    )
    pending = "SELECT count(*) FROM outbox WHERE coalesce(sent_at, abandoned_at, muted_at) IS NULL"
    with closing(_open(scene.world)) as connection:
        if connection.execute(behind, (wanted,)).fetchone()[0]:
            return False
        return not everything or not connection.execute(pending).fetchone()[0]


def _open(world: World) -> sqlite3.Connection:
    path = world.settings.data_dir / "jesse.db"
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    connection.row_factory = sqlite3.Row
    return connection


def _rows(world: World) -> list[sqlite3.Row]:
    with closing(_open(world)) as connection:
        return connection.execute("SELECT * FROM outbox ORDER BY id").fetchall()


async def _books(world: World) -> dict[str, Books]:
    rows = _rows(world)
    async with Database.open(world.settings.data_dir / "jesse.db") as database:
        found = {}
        for test in await database.list_forward_tests():
            stored = await database.get_trades(test.id)
            curve = await database.get_equity_curve(test.id)
            found[test.name] = Books(
                status=str(test.status),
                trades=[item.trade for item in stored],
                curve=(curve.time.tolist(), curve.equity.tolist()),
                positions=await database.get_open_positions(test.id),
                state=await database.get_strategy_state(test.id),
                balance=(await database.get_portfolio(test.id)).balance,
                alerts=[_facts(row) for row in rows if _is_of(row, test.id)],
            )
        return found


def _is_of(row: sqlite3.Row, test_id: int) -> bool:
    return row["test_id"] == test_id and row["channel"] == TEST_CHANNEL and row["kind"] in TRADES


def _facts(row: sqlite3.Row) -> dict[str, Any]:
    return {"kind": row["kind"], **json.loads(row["payload"]), "recovered": None}
