"""A reader's folder and shell, and a simulated exchange beside it."""

import asyncio
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.cli import main
from data.cache import CandleStore, SeriesKey
from tests.docs.pages import ROOT
from tests.soak.world import MINUTE_MS, World, open_world
from tests.strategies.golden_runs import simulated_candles

ENOUGH_S = 60
HOUR_MS = 60 * MINUTE_MS
EXCHANGE = ("EXCHANGE", "EXCHANGE_REST_URL", "EXCHANGE_WS_URL")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str


class Market:
    """A simulated exchange in a thread of its own; its time moves when it is told to."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._ready, self._over = folder, threading.Event(), asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()))
        self.world: World

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(ENOUGH_S)
        return self

    def __exit__(self, *error):
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(ENOUGH_S)
        self._loop.close()

    async def _serve(self):
        async with open_world(self._folder) as self.world:
            self._ready.set()
            await self._over.wait()

    def in_an_hour(self) -> int:
        return self.world.clock.now_ms() // MINUTE_MS * MINUTE_MS + HOUR_MS

    def advance_when_heard(self, until: int):
        """Move time to `until` as soon as somebody listens to the exchange's stream."""
        sockets = self.world.exchange.faults.counters["sockets"]
        work = self._advance_when_heard(until, sockets)
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _advance_when_heard(self, until: int, sockets: int):
        while self.world.exchange.faults.counters["sockets"] == sockets:  # noqa: ASYNC110
            await asyncio.sleep(0.002)
        await self.world.clock.advance_to(until + 2_000)


class Shell:
    """A reader's shell in a folder that looks as the project's after `make setup`."""

    def __init__(self, folder: Path, market: Market, capsys) -> None:
        self.folder, self._market, self._capsys = folder, market, capsys

    def run(self, line: str) -> Outcome:
        """Run a line of `jesse`; SOON in it is an hour from now."""
        words = shlex.split(line)[1:]
        if words[0] == "simulate":
            return self._simulate(words)
        if "SOON" not in words:
            return self._jesse(words)
        until = self._market.in_an_hour()
        text = f"{datetime.fromtimestamp(until / 1000, UTC):%Y-%m-%dT%H:%M}"
        moving = self._market.advance_when_heard(until)
        outcome = self._jesse([text if word == "SOON" else word for word in words])
        moving.cancel()
        return outcome

    def run_without_exchange(self, line: str) -> Outcome:
        """Run a line as one does who has set nothing: the exchange is Binance, without a key."""
        with pytest.MonkeyPatch.context() as patch:
            for name in EXCHANGE:
                patch.delenv(name)
            return self.run(line)

    def _jesse(self, words: list[str]) -> Outcome:
        try:
            code = main(words)
        except SystemExit as stopped:
            code = int(stopped.code or 0)
        out, err = self._capsys.readouterr()
        return Outcome(code, out, err)

    def _simulate(self, words: list[str]) -> Outcome:
        """Have the simulated exchange answer, then press Ctrl-C."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-m", "bot", *words]
        pipe = subprocess.PIPE
        with subprocess.Popen(
            command, env=environment, stdout=pipe, stderr=pipe, text=True
        ) as process:
            said = [process.stdout.readline() for _ in range(3)]
            address = said[1].removeprefix("REST").strip()
            with urllib.request.urlopen(f"{address}/fapi/v1/time", timeout=ENOUGH_S) as answer:
                assert b"serverTime" in answer.read()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=ENOUGH_S)
        return Outcome(process.returncode, "".join(said) + out, err)


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> Iterator[Shell]:
    """Give a shell in a folder with the project's strategies, an exchange, and a CSV file."""
    shutil.copytree(ROOT / "strategies", tmp_path / "strategies", ignore=_caches)
    (tmp_path / "candles.csv").write_text(_csv(days=30), encoding="utf-8")
    with Market(tmp_path) as market:
        for name in EXCHANGE:
            monkeypatch.setenv(name, str(getattr(market.world.settings, name.lower())))
        yield Shell(tmp_path, market, capsys)


@pytest.fixture
def cached_candles(tmp_path: Path) -> None:
    """Fill the cache with the 60 days before the exchange's time."""
    store = CandleStore(tmp_path / "var" / "candles")
    key = SeriesKey("simulated", "BTC/USDT", "1m")
    store.write(key, simulated_candles(60), volume_delta_source="taker")


def _csv(days: int) -> str:
    candles = simulated_candles(days)
    names = ("timestamp", "open", "high", "low", "close", "volume")
    rows = zip(*(getattr(candles, name).tolist() for name in names), strict=True)
    return "\n".join([",".join(names), *(",".join(map(str, row)) for row in rows)])


_caches = shutil.ignore_patterns("__pycache__")
