"""`make soak`: what forward tests must survive, at full length; prints a table of figures.

python -m tests.soak [month kills load week unattended] [--quick]: all, or those that are named.
"""

import asyncio
import logging
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bot.services.forward.service import ForwardAsk
from tests.soak.kills import trade_in_peace, trade_under_fire
from tests.soak.load import memory_over_days, under_load
from tests.soak.unattended import differences, spend_in_peace, spend_under_fire
from tests.soak.world import DAY_MS, MINUTE_MS, open_world, shipped_and_busy

STRATEGIES = ("busy", "breakout", "ma_crossover", "multi_timeframe", "rsi_reversal")


@dataclass(frozen=True)
class Figure:
    """A measured figure, what it must be, and whether it is."""

    what: str
    value: str
    wanted: str
    is_met: bool


async def month(folder: Path, quick: bool) -> list[Figure]:
    """Trade thirty simulated days with every strategy and compare with the backtest, bit by bit."""
    days = 3 if quick else 30
    async with (
        open_world(folder, strategies=shipped_and_busy(folder)) as world,
        world.process() as (service, database),
    ):
        midnight = world.clock.now_ms() // DAY_MS * DAY_MS
        for name in STRATEGIES:
            await service.start(ForwardAsk(name, symbol="BTC/USDT", ticks=False))
        await world.until_subscribed(service)
        for day in range(1, days + 1):
            await world.advance(service, midnight + day * DAY_MS + 30 * MINUTE_MS)
        tests = await service.tests()
        trades = [await world.assert_equals_backtest(service, database, t) for t in tests]
    what = f"{len(STRATEGIES)} strategies over {days} days: trades equal to the backtest's"
    return [Figure(what, str(sum(trades)), "all, to the bit", sum(trades) > 0)]


async def kills(folder: Path, quick: bool) -> list[Figure]:
    """Kill a trading process again and again and compare with one that was left in peace."""
    rounds, each, hours = (1, 10, 4) if quick else (6, 50, 16)
    figures = []
    for seed in range(rounds):
        for name in ("peace", "fire"):
            (folder / f"{name}-{seed}").mkdir()
        peace = await trade_in_peace(folder / f"peace-{seed}", hours=hours)
        fire = await trade_under_fire(folder / f"fire-{seed}", kills=each, hours=hours, seed=seed)
        parts = ("trades", "curve", "positions", "state", "balance", "alerts")
        wrong = [part for part in parts if getattr(fire, part) != getattr(peace, part)]
        wrong += ["keys"] * (len(fire.keys) != len(set(fire.keys)))
        told = f"{len(fire.trades)} trades, {len(fire.keys)} alerts; differ: {wrong or 'none'}"
        figures.append(Figure(f"{each} kills (seed {seed})", told, "none", not wrong))
    return figures


async def load(folder: Path, quick: bool) -> list[Figure]:
    """Trade fifty tests on twenty symbols under five thousand trades a second."""
    minutes = 2.2 if quick else 10.2
    found = await under_load(folder, tests=50, symbols=20, ticks_per_s=5_000, minutes=minutes)
    return [
        Figure(
            "trades per second", f"{found.ticks_per_s:,.0f}", "5,000", found.ticks_per_s > 4_500
        ),
        Figure("fills measured", str(found.fills), "> 0", found.fills > 0),
        Figure("close to stored fill, median", f"{found.p50_ms:.1f} ms", "", True),
        Figure("close to stored fill, p99", f"{found.p99_ms:.1f} ms", "50 ms", found.p99_ms < 50),
        Figure("close to stored fill, worst", f"{found.worst_ms:.1f} ms", "", True),
        Figure("largest backlog, events", str(found.largest_backlog), "", True),
        Figure("backlog at the end", str(found.last_backlog), "< 100", found.last_backlog < 100),
        Figure("event loop late, p99", f"{found.lag_p99_ms:.1f} ms", "", True),
        Figure("load of the machine, others' too", f"{found.machine_load:.1f}", "", True),
        Figure("cores used", f"{found.cpu_share:.2f}", "< 1", found.cpu_share < 1),
    ]


async def week(folder: Path, quick: bool) -> list[Figure]:
    """Trade a simulated week with ticks and look at the memory day by day."""
    days = 2 if quick else 7
    used = await memory_over_days(folder, days)
    growth = used[-1] - used[len(used) // 2]
    told = ", ".join(f"{value:.0f}" for value in used)
    return [
        Figure("memory after each day, MB", told, "", True),
        Figure("growth over the second half, MB", f"{growth:.1f}", "< 5", growth < 5),
    ]


async def unattended(folder: Path, quick: bool) -> list[Figure]:
    """Leave the whole bot alone for a day with random faults on all sides; look what it told."""
    hours, seed = (3, 2) if quick else (24, 1)
    for name in ("peace", "fire"):
        (folder / name).mkdir()
    peace = await spend_in_peace(folder / "peace", hours=hours)
    fire = await spend_under_fire(folder / "fire", hours=hours, seed=seed)
    wrong, trades = differences(peace, fire.books), sum(len(b.trades) for b in peace.values())
    marks = sum(len(b.curve[0]) for b in peace.values())
    blows, told = fire.blows, sorted(f"{name} {count}" for name, count in fire.blows.items())
    alive = sum(books.status == "running" for books in fire.books.values())
    figures = [
        Figure("simulated hours", f"{hours} (in {fire.took_s:.0f} s)", "", True),
        Figure(f"faults of {len(blows)} kinds", str(sum(blows.values())), "", True),
        Figure("which", ", ".join(told), "", True),
        Figure("starts of the bot", str(fire.starts), "", True),
        Figure("ends that nobody asked for", str(len(fire.deaths)), "0", not fire.deaths),
        Figure("tests that still trade", f"{alive} of {len(peace)}", "all", alive == len(peace)),
        Figure("faults of tests told", str(fire.faults_told), "0", not fire.faults_told),
        Figure(
            f"{trades} trades, {marks} marks of equity: differ from a day in peace",
            ", ".join(wrong) or "none",
            "none",
            not wrong and trades > 0,
        ),
    ]
    for place, seen in (("the channel", fire.channel), ("threads", fire.threads)):
        what = f"{seen.wanted} alerts of trades in {place}"
        sent = f"in {seen.messages} messages, {seen.digests} of them digests"
        lost, doubled, order = len(seen.lost), len(seen.doubled), len(seen.disordered)
        found = f"{lost} lost, {doubled} doubled, {order} out of order"
        is_met = seen.wanted > 0 and not (lost or doubled or order)
        figures += [Figure(what, sent, "", True), Figure(what, found, "0, 0, 0", is_met)]
    return figures


SOAKS: dict[str, Callable[[Path, bool], Awaitable[list[Figure]]]] = {
    "month": month,
    "kills": kills,
    "load": load,
    "week": week,
    "unattended": unattended,
}


def main() -> int:
    """Run the soaks that were named, or all; return 1 if a figure isn't what it must be."""
    # A process that is killed while it connects is no error of the exchange.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    names = [name for name in sys.argv[1:] if not name.startswith("-")] or list(SOAKS)
    quick = "--quick" in sys.argv
    table = Table("", "figure", "measured", "wanted", "")
    is_met = True
    for name in names:
        begun = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix=f"jesse-soak-{name}-") as folder:
            figures = asyncio.run(SOAKS[name](Path(folder), quick))
        took = f"{time.perf_counter() - begun:.0f} s"
        for figure in [*figures, Figure("took", took, "", True)]:
            verdict = "" if not figure.wanted else "ok" if figure.is_met else "MISSED"
            table.add_row(name, figure.what, figure.value, figure.wanted, verdict)
            is_met = is_met and figure.is_met
    Console(width=120).print(table)
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
