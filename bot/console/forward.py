"""`jesse forward-test` and `jesse trades`: paper trading in the terminal, and what it traded."""

import argparse
import asyncio
import signal
import sys
from typing import Final

from bot.console.common import key_values, settings_from, write_json
from bot.console.forward_table import LiveTable
from bot.errors import InvalidInput
from bot.services.forward.compose import open_forward
from bot.services.forward.results import end_of, forward_json, stored_trade_json
from bot.services.forward.runner import ForwardRunner
from bot.services.forward.service import ForwardAsk, ForwardService
from bot.settings import Settings
from bot.times import parse_time
from data.cache import CandleStore, SeriesKey
from data.database import Database
from data.storage.records import ForwardTest, ForwardTestStatus
from engine.candles import FloatArray

DATABASE: Final = "jesse.db"


def run(arguments: argparse.Namespace) -> int:
    """Trade on paper until `--until`, a fault or Ctrl-C; the same name resumes."""
    return asyncio.run(_forward(arguments, settings_from(arguments)))


def trades(arguments: argparse.Namespace) -> int:
    """Print or write the trades of a test."""
    return asyncio.run(_trades(arguments, settings_from(arguments)))


async def _forward(arguments: argparse.Namespace, settings: Settings) -> int:
    async with Database.open(settings.data_dir / DATABASE) as database:
        with LiveTable() as table:
            async with open_forward(settings, database, table) as service:
                until = (
                    parse_time(arguments.until, name="until", end=0) if arguments.until else None
                )
                test = await _find_or_start(arguments, database, service, until)
                runner = await service.attach(test, until=until)
                table.show(runner)
                await _wait(runner)
                await service.detach(test.name)
        return await _report(arguments, settings, database, runner)


async def _find_or_start(
    arguments: argparse.Namespace, database: Database, service: ForwardService, until: int | None
) -> ForwardTest:
    name = arguments.name
    known = await database.find_forward_test(name) if name else None
    if known is None:
        ask = ForwardAsk(
            strategy=arguments.strategy,
            symbol=arguments.symbol,
            initial_balance=arguments.initial_balance,
            params=key_values(arguments.param),
            name=name,
            ticks=not arguments.candles_only,
        )
        return await service.start(ask, until=until)
    if known.strategy != arguments.strategy:
        raise InvalidInput(
            f"forward test {name} runs {known.strategy}, not {arguments.strategy}: "
            f"choose another --name"
        )
    if known.status is ForwardTestStatus.STOPPED:
        raise InvalidInput(f"forward test {name} was stopped: choose another --name")
    if known.status is ForwardTestStatus.FAULTED:
        return await service.resume(known.name)
    return known


async def _wait(runner: ForwardRunner) -> None:
    """Wait for the end, a fault, SIGTERM or Ctrl-C."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    ends = (stopped, runner.reached_end, runner.faulted)
    tasks = [asyncio.create_task(event.wait()) for event in ends]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _report(
    arguments: argparse.Namespace, settings: Settings, database: Database, runner: ForwardRunner
) -> int:
    test, config = runner.session.test, runner.session.config
    stored = await database.get_trades(test.id)
    curve = await database.get_equity_curve(test.id)
    print(f"forward test {test.name}: {len(stored)} trades, resumes with --name {test.name}")
    if arguments.json:
        closes = _closes(
            settings, test, config.started_at, int(curve.time[-1]) if len(curve.time) else 0
        )
        result = forward_json(test, stored, end_of(runner.session), curve, closes)
        write_json(arguments.json, result)
        print(f"JSON: {arguments.json}")
    if runner.fault:
        print(f"error: {runner.fault}", file=sys.stderr)
        return 1
    return 0


def _closes(settings: Settings, test: ForwardTest, start: int, end: int) -> FloatArray:
    """Return the closes of the test's period as far as they are cached, for buy-and-hold."""
    store = CandleStore(settings.candles_dir)
    return store.read(SeriesKey(test.exchange, test.symbol, "1m"), start, end).close


async def _trades(arguments: argparse.Namespace, settings: Settings) -> int:
    async with Database.open(settings.data_dir / DATABASE, read_only=True) as database:
        test = await database.find_forward_test(arguments.test)
        if test is None:
            names = ", ".join(known.name for known in await database.list_forward_tests())
            raise InvalidInput(f"there is no test {arguments.test!r}: there are {names or 'none'}")
        found = [stored_trade_json(stored) for stored in await database.get_trades(test.id)]
    if arguments.json:
        write_json(arguments.json, found)
        print(f"JSON: {arguments.json}")
        return 0
    for trade in found:
        entry = f"{trade['entry_time']} {trade['entry_price']:>12g}"
        leaving = f"{trade['exit_time']} {trade['exit_price']:>12g} {trade['pnl']:>+10.2f}"
        mark = " recovered" if trade["recovered"] else ""
        print(f"{trade['id']:>4} {trade['side']:<5} {entry} {leaving} {trade['exit_reason']}{mark}")
    print(f"{len(found)} trades")
    return 0
