"""A day that nobody watches: the whole bot between a faulty exchange and a faulty Discord.

What is left is compared with a day of the same seed in which nothing happened.
"""

import asyncio
import csv
import io
import json
import random
import re
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from bot.sandbox.server import SandboxDiscord
from bot.services.forward.service import ForwardAsk, ForwardService
from bot.ui.alerts import DIGEST_CSV
from data.database import Database
from tests.soak.blows import Blow, Scene, all_blows, long_outage, open_bot
from tests.soak.world import MINUTE_MS, World, open_world, shipped_and_busy

TESTS = (("busy", "BTC/USDT"), ("busy", "ETH/USDT"), ("busy", "SOL/USDT"), ("breakout", "BTC/USDT"))
CALM_S = 180.0
FACTOR = 60.0
MINUTE_S = 0.1
_MARK = re.compile(r"alert (\d+)$")
_PLAIN_MARK = re.compile(r"\(alert (\d+)\)")
_TRADES = ("trade_open", "trade_close")


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


@dataclass
class Told:
    """What was to be told of trades, and what was seen of it."""

    wanted: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    messages: int = 0
    digests: int = 0


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
            await _fight(scene, quiet_from, _deck(chance, hours))
            await _calm(scene, end - 5 * MINUTE_MS)
            await _advance(scene, end + 2_000)
            await _calm(scene, scene.now, everything=True)
            scene.struck["orderly end"] = await bot.end(signal.SIGTERM)
        books = await _books(world)
        rows = _rows(world)
        seen = _seen(sandbox)
        return Endured(
            books=books,
            channel=_compare(rows, seen, is_thread=False),
            threads=_compare(rows, seen, is_thread=True),
            blows=scene.struck,
            starts=bot.starts,
            deaths=bot.deaths + [code for code in [scene.struck.pop("orderly end")] if code],
            faults_told=sum(row["kind"] == "fault" for row in rows),
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


def _deck(chance: random.Random, hours: float) -> list[Blow]:
    """Return blows in a random order, each kind at least once, one of them a long outage."""
    deck = [*all_blows(), long_outage(round(hours * 8))]
    chance.shuffle(deck)
    return deck


async def _fight(scene: Scene, until: int, deck: list[Blow]) -> None:
    """Deal blows, one or two at once, the bot between them sometimes well again, until then."""
    chance, left = scene.chance, list(deck)
    while scene.now < until:
        rounds_left = max(1, len(left) / 1.6)
        share = max(1, int((until - scene.now) / MINUTE_MS / rounds_left))
        await _advance(scene, min(until, scene.now + _some_minutes(chance, 0, share // 2)))
        blows = [left.pop()]
        other = [blow for blow in left if blow.side != blows[0].side]
        if other and chance.random() < 0.6:
            blows.append(other[-1])
            left.remove(other[-1])
        await _deal(scene, blows, until, longest=max(2, share))
        if chance.random() < 0.6:
            await _calm(scene, until, everything=chance.random() < 0.3)
        left = left or _reshuffled(chance)


async def _deal(scene: Scene, blows: list[Blow], until: int, *, longest: int) -> None:
    for blow in blows:
        await blow.strike(scene)
        scene.struck[blow.name] = scene.struck.get(blow.name, 0) + 1
    least = max(blow.minutes[0] for blow in blows)
    most = max(least, min(longest, max(blow.minutes[1] for blow in blows)))
    minutes = _some_minutes(scene.chance, least, most)
    await _advance(scene, min(until, scene.now + minutes))
    for blow in reversed(blows):
        if blow.heal is not None:
            await blow.heal(scene)


def _reshuffled(chance: random.Random) -> list[Blow]:
    deck = all_blows()
    chance.shuffle(deck)
    return deck


def _some_minutes(chance: random.Random, least: int, most: int) -> int:
    return chance.randint(least, max(least, most)) * MINUTE_MS + chance.randint(0, 59_999)


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
    return row["test_id"] == test_id and row["channel"] == "test" and row["kind"] in _TRADES


def _facts(row: sqlite3.Row) -> dict[str, Any]:
    return {"kind": row["kind"], **json.loads(row["payload"]), "recovered": None}


def _seen(sandbox: SandboxDiscord) -> dict[bool, list[list[int]]]:
    """Return the alerts that each message tells of, in the channel (False) and elsewhere (True).

    What stood in a thread that was deleted since was seen, too.
    """
    found: dict[bool, list[list[int]]] = {False: [], True: []}
    for number in sorted(sandbox.state.versions):
        message = sandbox.state.versions[number][0]
        if message.author.id == sandbox.state.bot.id and (marks := _marks(message)):
            found[message.channel_id != sandbox.channel_id].append(marks)
    return found


def _marks(message: Any) -> list[int]:
    for file in message.attachments:
        if file.filename == DIGEST_CSV:
            lines = csv.DictReader(io.StringIO(file.data.decode()))
            return [int(line["alert"]) for line in lines]
    footers = [(embed.get("footer") or {}).get("text") or "" for embed in message.embeds]
    marks = [int(mark[1]) for text in footers if (mark := _MARK.search(text))]
    return marks + [int(mark) for mark in _PLAIN_MARK.findall(message.content)]


def _compare(
    rows: list[sqlite3.Row], seen: dict[bool, list[list[int]]], *, is_thread: bool
) -> Told:
    """Compare what was to be told with what was seen, in the channel or in threads.

    The channel must have an alert for each that a step stored; threads what was sent to them.
    """
    told = Told(messages=len(seen[is_thread]))
    told.digests = sum(len(marks) > 10 for marks in seen[is_thread])
    copies = {row["dedupe_key"]: row for row in rows if row["channel"] != "test"}
    by_place: dict[str, list[int]] = {}
    counts = Counter(mark for marks in seen[is_thread] for mark in marks)
    for row in rows:
        if row["channel"] != "test" or row["kind"] not in _TRADES:
            continue
        place = f"thread:{row['test_id']}" if is_thread else "channel"
        copy = copies.get(f"{row['dedupe_key']}@{place}")
        if is_thread and (copy is None or copy["sent_at"] is None):
            continue
        told.wanted += 1
        if copy is None or not counts[copy["id"]]:
            told.lost.append(row["dedupe_key"])
    told.doubled = [str(mark) for mark, count in counts.items() if count > 1]
    place_of = {row["id"]: row["channel"] for row in rows}
    for marks in seen[is_thread]:
        for mark in marks:
            by_place.setdefault(place_of.get(mark, "?"), []).append(mark)
    for place, marks in by_place.items():
        firsts = list(dict.fromkeys(marks))
        told.disordered += [place] * (firsts != sorted(firsts))
    return told
