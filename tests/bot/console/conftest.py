"""The shell as a user has it: `jesse(...)` gives exit code, output and errors."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.cli import main
from data.cache import CandleStore, SeriesKey
from data.simulator.clock import SteppedClock
from data.simulator.server import SimulatedExchange
from tests.strategies.golden_runs import START, simulated_candles

DAY_MS = 86_400_000


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str


@pytest.fixture
def jesse(capsys) -> Callable[..., Outcome]:
    """Run a command of the shell in this process."""

    def run(*arguments: object) -> Outcome:
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stopped:
            code = int(stopped.code or 0)
        out, err = capsys.readouterr()
        return Outcome(code, out, err)

    return run


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Fill the cache of this folder with 60 days of simulated candles."""
    monkeypatch.setenv("EXCHANGE", "simulated")
    store = CandleStore(tmp_path / "var" / "candles")
    key = SeriesKey("simulated", "BTC/USDT", "1m")
    store.write(key, simulated_candles(60), volume_delta_source="taker")
    return tmp_path


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedExchange]:
    """Serve a simulated exchange from a thread; its time stands still on 2024-01-31."""
    started, stop = threading.Event(), asyncio.Event()
    box: list[SimulatedExchange] = []
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        clock = SteppedClock(START + 30 * DAY_MS)
        async with SimulatedExchange(seed=7, clock=clock, rate_limit=False) as simulated:
            box.append(simulated)
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert started.wait(30)
    monkeypatch.setenv("EXCHANGE", "simulated")
    monkeypatch.setenv("EXCHANGE_REST_URL", box[0].rest_url)
    yield box[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join(30)
    loop.close()
