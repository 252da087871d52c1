"""The bot under load, as its users feel it, against the same bot when nothing else goes on.

This process holds the sandbox and its users; the bot has a process of its own, and so have its
workers and its browser. A viewer asks something ten times a second; under load an operator keeps
two backtests with their charts under way all the time.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from bot.sandbox.driver import UserDriver
from bot.sandbox.server import SandboxDiscord
from bot.sandbox.views import SeenMessage
from tests.bench.measuring import ROOT, Context, Meter, WrongResult, percentile

_SECONDS: Final = 20.0
_QUICK_SECONDS: Final = 6.0
_ASK_EVERY_S: Final = 0.1
_QUESTIONS: Final = ("help", "strategies")
_STRATEGIES: Final = ("ma_crossover", "multi_timeframe")
_HEARTBEAT_S: Final = 1.0
_BACKTEST_TIMEOUT_S: Final = 120.0
_END_BUTTON: Final = "Trades CSV"


@contextmanager
def ours(context: Context, _option: str) -> Iterator[Meter]:
    """Measure with two backtests and their charts under way."""
    yield from _meter(context, strategies=_STRATEGIES)


@contextmanager
def reference(context: Context, _option: str) -> Iterator[Meter]:
    """Measure with the questions alone."""
    yield from _meter(context, strategies=())


def _meter(context: Context, *, strategies: tuple[str, ...]) -> Iterator[Meter]:
    seconds = _QUICK_SECONDS if context.is_quick else _SECONDS
    with ExitStack() as stack:
        runner = stack.enter_context(asyncio.Runner())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jesse-bench-")))
        (folder / "candles").symlink_to(context.data_dir / "candles")
        resources = AsyncExitStack()
        stack.callback(lambda: runner.run(resources.aclose()))
        sandbox = SandboxDiscord(heartbeat_interval_s=_HEARTBEAT_S)
        runner.run(resources.enter_async_context(sandbox))
        bot = stack.enter_context(BotProcess(sandbox, folder))
        runner.run(sandbox.wait_until_connected(timeout_s=60))
        # A first answer means that commands are known and modules are imported.
        runner.run(_ask_first(sandbox.user("viewer")))

        def measure() -> Mapping[str, float]:
            return runner.run(_observe(sandbox, bot, seconds, strategies))

        yield Meter(measure, lambda: int(bot.ask()["peak_bytes"]))


class BotProcess:
    """The bot's process; use it as a context manager."""

    def __init__(self, sandbox: SandboxDiscord, data_dir: Path) -> None:
        options = {
            "data_dir": str(data_dir),
            "settings": {
                "discord_token": sandbox.bot_token,
                "discord_guild_id": sandbox.guild_id,
                "discord_channel_id": [sandbox.channel_id],
                "discord_operator_role_id": sandbox.operator_role_id,
            },
            "addresses": {
                "base_url": sandbox.base_url,
                "api_url": sandbox.api_url,
                "gateway_url": sandbox.gateway_url,
            },
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.bot_process", json.dumps(options)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "BotProcess":
        return self

    def __exit__(self, *_exc_info: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def ask(self) -> dict[str, Any]:
        """Return how late the bot's event loop was since the last time, and its peak memory."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


async def _observe(
    sandbox: SandboxDiscord, bot: BotProcess, seconds: float, strategies: tuple[str, ...]
) -> Mapping[str, float]:
    await asyncio.to_thread(bot.ask)
    operator = sandbox.user("operator")
    enough = asyncio.Event()
    load = [asyncio.create_task(_keep_running(operator, name, enough)) for name in strategies]
    watch = asyncio.create_task(_latest_heartbeat(sandbox, seconds))
    acknowledgements = await _ask_often(sandbox.user("viewer"), seconds)
    late = await watch
    lags = (await asyncio.to_thread(bot.ask))["lags"]
    enough.set()
    await asyncio.gather(*load)
    return {
        **_percentiles("lag", lags),
        **_percentiles("ack", acknowledgements),
        "heartbeat late": late,
    }


async def _keep_running(user: UserDriver, strategy: str, enough: asyncio.Event) -> None:
    while not enough.is_set():
        answer = await user.slash("backtest", strategy=strategy)
        await answer.first_response()
        end = await answer.wait_for(_is_over, timeout_s=_BACKTEST_TIMEOUT_S)
        if not _labels(end) & {_END_BUTTON}:
            raise WrongResult(f"a backtest under load ended with: {end.text}")


def _is_over(message: SeenMessage) -> bool:
    cancellable = any(label.startswith("Cancel") for label in _labels(message))
    return not message.loading and not cancellable


def _labels(message: SeenMessage) -> set[str]:
    return {str(button.get("label")) for button in message.buttons}


async def _ask_first(user: UserDriver) -> None:
    for question in _QUESTIONS:
        answer = await user.slash(question)
        await answer.finished()


async def _ask_often(user: UserDriver, seconds: float) -> list[float]:
    """Ask at a steady pace, whether or not the bot keeps up; return its times to answer."""
    loop = asyncio.get_running_loop()
    begun, waiting = loop.time(), []
    for number in range(round(seconds / _ASK_EVERY_S)):
        await asyncio.sleep(begun + number * _ASK_EVERY_S - loop.time())
        waiting.append(asyncio.create_task(_ask(user, _QUESTIONS[number % len(_QUESTIONS)])))
    return await asyncio.gather(*waiting)


async def _ask(user: UserDriver, question: str) -> float:
    answer = await user.slash(question)
    await answer.first_response()
    after_s = answer.acknowledged_after_s
    assert after_s is not None
    return after_s


async def _latest_heartbeat(sandbox: SandboxDiscord, seconds: float) -> float:
    """Return by how much the longest pause between heartbeats was too long, in seconds."""
    loop = asyncio.get_running_loop()
    end, known, last, longest = loop.time() + seconds, sandbox.gateway.heartbeats, None, 0.0
    while loop.time() < end:
        await asyncio.sleep(0.005)
        if sandbox.gateway.heartbeats != known:
            now, known = loop.time(), sandbox.gateway.heartbeats
            longest = max(longest, now - (now if last is None else last))
            last = now
    if last is None:
        raise WrongResult("the bot sent no heartbeat")
    return max(0.0, longest - _HEARTBEAT_S)


def _percentiles(name: str, values: list[float]) -> dict[str, float]:
    ranks = {"p50": 50, "p99": 99, "max": 100}
    return {f"{name} {rank}": percentile(values, percent) for rank, percent in ranks.items()}
