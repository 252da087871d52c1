"""Checks of the machine and the settings, each with a way to mend what it finds; no Discord."""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from bot.charts.chromium import find_chromium
from bot.charts.errors import ChartError
from bot.errors import BotError
from bot.services.strategies import StrategyLibrary
from bot.services.volume import volume_warning
from bot.settings import Settings
from bot.times import now_ms
from data.cache import CandleStore
from data.database import Database
from data.errors import DatabaseInUse, DataError, StoreError
from data.exchange import open_exchange
from data.storage.process_lock import ProcessLock

_LOW_DISK_BYTES: Final = 1_000_000_000
_LARGE_CLOCK_OFFSET_MS: Final = 2_000
_EXCHANGE_TIMEOUT_S: Final = 15


class Verdict(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found, and how to mend it where it isn't well."""

    name: str
    verdict: Verdict
    text: str
    mend: str = ""


Check = Callable[[Settings], Awaitable[Finding]]


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Run all checks, one after another."""
    checks = (_folder, _disk, _database, _strategies, _candles, _browser, _exchange)
    for check in checks:
        yield await check(settings)


async def _folder(settings: Settings) -> Finding:
    name, folder = "data folder", settings.data_dir.resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        mend = "set DATA_DIR to a folder that this user may write to"
        return Finding(name, Verdict.PROBLEM, f"{folder}: {error.strerror}", mend)
    if warning := volume_warning(settings):
        return Finding(name, Verdict.PROBLEM, warning, "docs/deployment.md shows each step")
    return Finding(name, Verdict.OK, str(folder))


async def _database(settings: Settings) -> Finding:
    name, path = "database", settings.data_dir / "jesse.db"
    if not path.exists():
        return Finding(name, Verdict.OK, f"{path.name} is made at the first start")
    if not os.access(path, os.W_OK):
        mend = "let this user write to it, or set DATA_DIR to another folder"
        return Finding(name, Verdict.PROBLEM, f"{path} can't be written", mend)
    try:
        with tempfile.TemporaryDirectory() as folder:
            async with Database.open(path, read_only=True) as database:
                await database.backup(Path(folder) / "copy.db")
    except StoreError as error:
        mend = "docs/operations.md says how to restore a backup"
        return Finding(name, Verdict.PROBLEM, str(error), mend)
    lock = ProcessLock(path)
    try:
        lock.acquire()
    except DatabaseInUse:
        return Finding(name, Verdict.OK, "whole, and in use: a bot or forward test runs on it")
    lock.release()
    return Finding(name, Verdict.OK, "whole, writable, and in use by nobody")


async def _disk(settings: Settings) -> Finding:
    folder = settings.data_dir if settings.data_dir.exists() else settings.data_dir.parent
    free = shutil.disk_usage(folder.resolve()).free
    text = f"{free / 1e9:,.1f} GB free"
    if free < _LOW_DISK_BYTES:
        mend = "make room: 4 years of 1m candles take about 0.1 GB per symbol"
        return Finding("disk", Verdict.WARNING, text, mend)
    return Finding("disk", Verdict.OK, text)


async def _strategies(settings: Settings) -> Finding:
    library = StrategyLibrary(settings.strategies_folder)
    loaded, broken = library.load_all()
    text = f"{len(loaded)} in {library.folder}"
    if broken:
        return Finding("strategies", Verdict.WARNING, text, "; ".join(broken))
    if not loaded:
        mend = "set STRATEGIES_DIR to the folder of your strategy files"
        return Finding("strategies", Verdict.WARNING, text, mend)
    return Finding("strategies", Verdict.OK, text)


async def _candles(settings: Settings) -> Finding:
    keys = CandleStore(settings.candles_dir).series()
    text = ", ".join(f"{key.exchange} {key.symbol} {key.timeframe}" for key in keys[:8])
    return Finding("candles", Verdict.OK, text or "none cached yet: jesse fetch-data")


async def _browser(settings: Settings) -> Finding:
    # Imported here: drawing takes a while to import, which settings and disk needn't wait for.
    from bot.charts.proof import prove_drawing

    browser = find_chromium(settings.chromium_path)
    if browser is None:
        mend = "PNG charts need one: apt-get install chromium, or set CHROMIUM_PATH"
        return Finding("browser", Verdict.WARNING, "none found", mend)
    try:
        proof = await prove_drawing(browser)
    except ChartError as error:
        mend = "charts come as HTML only: apt-get install chromium, or set CHROMIUM_PATH"
        return Finding("browser", Verdict.WARNING, str(error), mend)
    return Finding("browser", Verdict.OK, f"{browser} drew a chart in {proof.took_s:.1f} s")


async def _exchange(settings: Settings) -> Finding:
    name = f"exchange {settings.exchange}"
    started = time.monotonic()
    try:
        async with asyncio.timeout(_EXCHANGE_TIMEOUT_S):
            async with open_exchange(settings.exchange_settings) as exchange:
                offset_ms = await exchange.now() - now_ms()
    except TimeoutError:
        text = f"no answer within {_EXCHANGE_TIMEOUT_S} s"
        return Finding(name, Verdict.PROBLEM, text, "check the network, or EXCHANGE_REST_URL")
    except (BotError, DataError) as error:
        return Finding(name, Verdict.PROBLEM, str(error))
    text = f"reached in {time.monotonic() - started:.1f} s, clock offset {offset_ms / 1000:+.1f} s"
    if abs(offset_ms) > _LARGE_CLOCK_OFFSET_MS:
        mend = "this machine's clock is off; candles follow the exchange's time all the same"
        return Finding(name, Verdict.WARNING, text, mend)
    return Finding(name, Verdict.OK, text)
