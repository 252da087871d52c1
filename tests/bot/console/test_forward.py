"""`jesse forward-test` and `jesse trades`, end to end against a simulated exchange."""

import asyncio
import json
import os
import signal
import sys
import threading
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from tests.conftest import PROJECT_ROOT
from tests.soak.world import MINUTE_MS, STRATEGIES, open_world, shipped_and_busy

HOUR_MS = 60 * MINUTE_MS
TRADE = ("forward-test", "--strategy", "busy", "--symbol", "BTC/USDT", "--name", "t")
ENOUGH_S = 60


@pytest.fixture
def live(tmp_path, monkeypatch):
    """An exchange in a thread of its own; `advance` moves its time when somebody listens."""
    box, ready, over = SimpleNamespace(), threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve():
        async with open_world(tmp_path, strategies=shipped_and_busy(tmp_path)) as world:
            box.world = world
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(ENOUGH_S)
    settings = box.world.settings
    for name in ("exchange", "exchange_rest_url", "exchange_ws_url", "data_dir", "slippage_bps"):
        monkeypatch.setenv(name.upper(), str(getattr(settings, name)))
    monkeypatch.setenv("STRATEGIES_DIR", str(settings.strategies_dir))
    box.begun = box.world.clock.now_ms() // MINUTE_MS * MINUTE_MS
    box.run = lambda work: asyncio.run_coroutine_threadsafe(work, loop)
    yield box
    loop.call_soon_threadsafe(over.set)
    thread.join(ENOUGH_S)
    loop.close()


async def _advance_when_heard(world, until, sockets):
    while world.exchange.faults.counters["sockets"] == sockets:  # noqa: ASYNC110 - no event
        await asyncio.sleep(0.002)
    await world.clock.advance_to(until + 2_000)


@pytest.fixture
def jesse_until(live, jesse, tmp_path):
    """Run `jesse forward-test` until so many hours after the beginning."""

    def run(hours, *more):
        until = live.begun + int(hours * HOUR_MS)
        sockets = live.world.exchange.faults.counters["sockets"]
        moving = live.run(_advance_when_heard(live.world, until, sockets))
        out = tmp_path / "out.json"
        outcome = jesse(*TRADE, "--until", text_of(until), "--json", out, *more)
        moving.cancel()
        return outcome, json.loads(out.read_text()) if outcome.code == 0 else None

    return run


def text_of(time_ms):
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M")


def test_on_candles_alone_the_json_is_that_of_the_backtest(live, jesse, jesse_until, tmp_path):
    outcome, first = jesse_until(1.5, "--candles-only")
    assert (outcome.code, outcome.err.count("Traceback")) == (0, 0)
    assert "resumes with --name t" in outcome.out
    outcome, forward = jesse_until(9.25, "--candles-only")
    assert outcome.code == 0
    assert first["start"] == forward["start"] == text_of(live.begun) + ":00Z"
    assert len(first["trades"]) < len(forward["trades"])
    # Time goes on, so that all of the period is settled at the exchange.
    live.run(live.world.clock.advance_to(live.begun + 10 * HOUR_MS)).result(ENOUGH_S)
    out = tmp_path / "backtest.json"
    period = ("--start", forward["start"], "--end", forward["end"])
    done = jesse("backtest", "--strategy", "busy", "--symbol", "BTC/USDT", *period, "--json", out)
    assert done.code == 0
    backtest = json.loads(out.read_text())
    trades = [{k: v for k, v in t.items() if k != "recovered"} for t in forward["trades"]]
    assert trades == backtest["trades"]
    assert len(trades) > 15
    for name in (
        "final_equity",
        "metrics",
        "costs",
        "strategy",
        "params",
        "symbol",
        "start",
        "end",
    ):
        assert forward[name] == backtest[name], name
    assert forward["data"]["candles"] == backtest["data"]["candles"] == 555
    assert {r["reason"]: r["count"] for r in forward["rejected"]} == {
        r["reason"]: r["count"] for r in backtest["rejected"]
    }


def test_what_is_open_at_the_end_is_shown_closed_and_stays_open(live, jesse, jesse_until):
    for hours in (1.2, 1.3, 1.4, 1.5, 1.6):
        outcome, result = jesse_until(hours)
        assert outcome.code == 0
        if result["trades"] and result["trades"][-1]["exit_reason"] == "end":
            break
    else:
        pytest.fail("no position was open at any of these ends")
    listed = jesse("trades", "--test", "t", "--json", "trades.json")
    assert listed.code == 0
    with open("trades.json") as file:
        stored = json.load(file)
    assert stored == [t for t in result["trades"] if t["exit_reason"] != "end"]


def test_trades_are_listed(live, jesse, jesse_until):
    jesse_until(3)
    outcome = jesse("trades", "--test", "t")
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[-1] == f"{len(lines) - 1} trades"
    assert len(lines) > 4
    missing = jesse("trades", "--test", "nobody")
    assert missing.code == 2
    assert "there is no test 'nobody': there are t" in missing.err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--strategy", "nobody"), "no strategy 'nobody'"),
        (("--strategy", "busy", "--name", "No Name"), "can't be a test's name"),
        (("--strategy", "busy", "--until", "soon"), "until 'soon' is no time"),
        (("--strategy", "busy", "--until", "2024-01-01"), "has passed"),
        (("--strategy", "busy", "--symbol", "NOPE/USDT"), "NOPE/USDT"),
        (("--strategy", "busy", "--param", "x=1"), "unknown parameter x"),
        (("--strategy", "busy", "--param", "x"), "write it as name=value"),
        (("--strategy", "busy", "--initial-balance", "0"), "greater than 0"),
    ],
)
def test_bad_input_is_said_in_a_line_and_leaves_no_test(live, jesse, arguments, text):
    outcome = jesse("forward-test", *arguments)
    assert outcome.code == 2
    assert text in outcome.err
    assert len(outcome.err.strip().splitlines()) <= 2
    listed = jesse("trades", "--test", "any")
    assert "there are none" in listed.err or "no database" in listed.err or listed.code != 0


def test_a_name_belongs_to_one_test_for_ever(live, jesse, jesse_until):
    jesse_until(0.5)
    other = jesse("forward-test", "--strategy", "breakout", "--name", "t")
    assert (other.code, other.out) == (2, "")
    assert "has strategy busy, not breakout" in other.err
    other = jesse(*TRADE[:3], "--symbol", "ETH/USDT", "--name", "t")
    assert other.code == 2
    assert "has symbol BTC/USDT, not ETH/USDT" in other.err

    async def stop():
        async with live.world.process() as (service, _):
            await service.stop("t", close_positions=False)

    live.run(stop()).result(ENOUGH_S)
    stopped = jesse(*TRADE)
    assert stopped.code == 2
    assert "was stopped: choose another --name" in stopped.err


def test_a_strategy_that_breaks_ends_it_and_a_mended_one_resumes(live, jesse_until):
    path = live.world.settings.strategies_dir / "busy.py"
    sound = path.read_text()
    path.write_text(sound.replace("self.seen += 1", "self.seen += 1\n        1 / (9 - self.seen)"))
    outcome, _ = jesse_until(2)
    assert outcome.code == 1
    assert "ZeroDivisionError" in outcome.err
    assert "busy.py, line" in outcome.err
    logged = (live.world.settings.data_dir / "logs" / "jesse.log").read_text().splitlines()
    assert any("ZeroDivisionError" in json.loads(line)["message"] for line in logged)
    path.write_text(sound)
    outcome, result = jesse_until(3)
    assert outcome.code == 0
    assert result["status"] == "running"
    assert result["end"] == text_of(live.begun + 3 * HOUR_MS) + ":00Z"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_stops_it_cleanly_and_it_resumes(tmp_path, number):
    async with open_world(tmp_path, strategies=STRATEGIES) as world:
        settings = world.settings
        environment = {
            **os.environ,
            "PYTHONPATH": str(PROJECT_ROOT),
            "EXCHANGE": "simulated",
            "EXCHANGE_REST_URL": settings.exchange_rest_url,
            "EXCHANGE_WS_URL": settings.exchange_ws_url,
            "DATA_DIR": str(settings.data_dir),
            "STRATEGIES_DIR": str(STRATEGIES),
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "bot", *TRADE, "--candles-only"),
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        begun = world.clock.now_ms() // MINUTE_MS * MINUTE_MS
        await _advance_when_heard(world, begun + 2 * HOUR_MS, 0)
        # Its first trade is told when it has been stored: the process is in the middle of trading.
        told = await process.stderr.readline()
        process.send_signal(number)
        out, err = await process.communicate()
        assert process.returncode == 0, err
        assert b" closed " in told
        assert b"resumes with --name t" in out
        assert b"Traceback" not in err
        async with world.process() as (service, database):
            assert await service.recover() == []
            await world.until_subscribed(service)
            await world.advance(service, begun + 3 * HOUR_MS)
            [test] = await service.tests()
            curve = await database.get_equity_curve(test.id)
            assert len(curve.time) == 180
