"""`jesse forward-test` and `jesse trades`: paper trading in the terminal, and what it traded."""

import argparse
import asyncio
import signal
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from bot.console.common import key_values, settings_from, write_json
from bot.console.forward_alerts import shell_alerts
from bot.console.forward_table import LiveTable
from bot.errors import InvalidInput
from bot.logs import logging_to
from bot.services.forward.compose import open_forward
from bot.services.forward.results import end_of, forward_json, stored_trade_json
from bot.services.forward.runner import ForwardRunner
from bot.services.forward.service import ForwardAsk, ForwardService
from bot.settings import Settings
from bot.times import parse_time
from data.database import Database
from data.errors import DataError
from data.storage.records import ForwardTest, ForwardTestStatus

DATABASE: Final = "jesse.db"
_MOST_EVENTS: Final = 1_000_000


def run(arguments: argparse.Namespace) -> int:
    """Trade on paper until `--until`, a fault or Ctrl-C; the same name resumes."""
    return asyncio.run(_forward(arguments, settings_from(arguments)))


def trades(arguments: argparse.Namespace) -> int:
    """Print or write the trades of a test."""
    return asyncio.run(_trades(arguments, settings_from(arguments)))


async def _forward(arguments: argparse.Namespace, settings: Settings) -> int:
    until = parse_time(arguments.until, name="until", end=0) if arguments.until else None
    async with Database.open(settings.data_dir / DATABASE) as database:
        with LiveTable() as table, _logging(settings):
            async with (
                shell_alerts(settings, database, table) as alerts,
                open_forward(settings, database, alerts, on_alert=alerts.on_connection) as service,
            ):
                test = await _find_or_start(arguments, database, service, until)
                runner = await service.attach(test, until=until)
                table.show(runner)
                await alerts.begin(runner)
                async with alerts.watching(runner, 60 * settings.stale_data_minutes):
                    await _wait(runner)
                await runner.stop()
                if arguments.json:
                    await _write_json(arguments.json, database, service, runner)
        return await _report(arguments, database, runner)


def _logging(settings: Settings) -> AbstractContextManager[None]:
    """Log to the file as the bot does; above the table only what went wrong."""
    folder, secrets = settings.data_dir / "logs", settings.secret_values
    return logging_to(folder, settings.log_level, secrets=secrets, console_level="WARNING")


async def _find_or_start(
    arguments: argparse.Namespace, database: Database, service: ForwardService, until: int | None
) -> ForwardTest:
    name = arguments.name
    ask = ForwardAsk(
        strategy=arguments.strategy,
        symbol=arguments.symbol,
        initial_balance=arguments.initial_balance,
        params=key_values(arguments.param),
        name=name,
        ticks=not arguments.candles_only,
    )
    known = await database.find_forward_test(name) if name else None
    if known is None:
        return await service.start(ask, until=until)
    service.check_same(known, ask)
    if known.status is ForwardTestStatus.STOPPED:
        raise InvalidInput(f"forward test {name} was stopped: choose another --name")
    if known.status is ForwardTestStatus.FAULTED:
        return await service.resume(known.name, until=until)
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


async def _write_json(
    path: Path, database: Database, service: ForwardService, runner: ForwardRunner
) -> None:
    test = await service.find(runner.session.test.name)
    curve = await database.get_equity_curve(test.id)
    candles = None
    if len(curve.time):
        try:
            candles = await service.candles(test, int(curve.time[-1]))
        except DataError as error:
            print(f"the JSON lacks what is computed from candles: {error}", file=sys.stderr)
    stored = await database.get_trades(test.id)
    events = await database.get_events(test.id, kind="signal_rejected", limit=_MOST_EVENTS)
    ending = end_of(runner.session)
    write_json(path, forward_json(test, stored, ending, curve, candles, events))


async def _report(arguments: argparse.Namespace, database: Database, runner: ForwardRunner) -> int:
    test = runner.session.test
    count = await database.count_trades(test.id)
    print(f"forward test {test.name}: {count} trades, resumes with --name {test.name}")
    if arguments.json:
        print(f"JSON: {arguments.json}")
    if runner.fault:
        print(f"error: {runner.fault}", file=sys.stderr)
        return 1
    return 0


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
