"""What can go wrong for a bot that nobody watches: on the exchange, in Discord, to its process."""

import asyncio
import contextlib
import random
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bot.sandbox.errors import SandboxError
from bot.sandbox.permissions import Permission
from bot.sandbox.server import SandboxDiscord
from tests.soak.bot_child import BotProcess
from tests.soak.world import MINUTE_MS, World

MESSAGES = r"/messages$"


@dataclass
class Scene:
    """Where it all happens; `chance` decides everything, `minute_s` is how long a minute takes."""

    world: World
    sandbox: SandboxDiscord
    bot: BotProcess
    chance: random.Random
    minute_s: float
    struck: dict[str, int] = field(default_factory=dict)
    people: set[asyncio.Task] = field(default_factory=set)

    @property
    def now(self) -> int:
        """The market's time in ms."""
        return self.world.clock.now_ms()

    def few(self, most: int = 4) -> int:
        """Return a small number, at least 1."""
        return self.chance.randint(1, most)


Act = Callable[[Scene], Awaitable[None]]


@dataclass(frozen=True)
class Blow:
    """Something that goes wrong for so many minutes of the market, and how it is mended."""

    name: str
    side: str
    strike: Act
    heal: Act | None = None
    minutes: tuple[int, int] = (1, 12)


def all_blows() -> list[Blow]:
    """Return every kind of blow."""
    mute = _exchange(lambda scene: {"mute": True})
    return [
        *(Blow(name, "exchange", _exchange(act), _exchange_well) for name, act in _EXCHANGE),
        Blow("mute sockets", "exchange", mute, _exchange_well, (3, 20)),
        Blow("exchange down", "exchange", _outage, _exchange_well, (10, 60)),
        *(Blow(name, "discord", _discord(act), _discord_well) for name, act in _DISCORD),
        Blow("Discord down", "discord", _discord_down, _discord_back, (5, 40)),
        Blow("gateway refused", "discord", _refuse_gateway, _let_in, (5, 20)),
        Blow("may not write", "discord", _deny, _allow, (5, 30)),
        Blow("may not see", "discord", _hide, _allow, (5, 30)),
        Blow("thread deleted", "discord", _delete_thread),
        Blow("people ask", "discord", _ask, _wait_for_people),
        *(Blow("killed", "process", _kill, _start, (0, 15)) for _ in range(4)),
        Blow("deployed anew", "process", _deploy, _start, (0, 5)),
    ]


def long_outage(minutes: int) -> Blow:
    """Return an exchange that is away for a large part of the day."""
    return Blow("long outage", "exchange", _outage, _exchange_well, (minutes, minutes))


_EXCHANGE: list[tuple[str, Callable[[Scene], dict]]] = [
    ("sockets cut", lambda s: {}),
    ("429 and cut", lambda s: {"too_many_requests": s.few(6)}),
    ("418 and cut", lambda s: {"banned": s.few(2)}),
    ("503 and cut", lambda s: {"server_error": s.few(6)}),
    ("resets and cut", lambda s: {"reset": s.few(6)}),
    ("half answers and cut", lambda s: {"truncated": s.few(3)}),
    ("slow answers and cut", lambda s: {"slow": s.few(4), "slow_seconds": 0.2}),
    ("late candles", lambda s: {"late_closes": s.few(8)}),
    ("candles out of order", lambda s: {"swapped_closes": s.few(6)}),
    ("candles twice", lambda s: {"duplicate_closes": s.few(9)}),
]


def _exchange(changes: Callable[[Scene], dict]) -> Act:
    async def strike(scene: Scene) -> None:
        given = changes(scene)
        on_stream = any(name == "mute" or name.endswith("_closes") for name in given)
        await scene.world.exchange.set_faults(drop_sockets=not on_stream, **given)

    return strike


async def _exchange_well(scene: Scene) -> None:
    scene.world.exchange.faults.clear()


async def _outage(scene: Scene) -> None:
    # It ends when it is mended.
    await scene.world.exchange.set_faults(outage_until_ms=scene.now + 10_000 * MINUTE_MS)


def _discord(act: Callable[[Scene], object]) -> Act:
    async def strike(scene: Scene) -> None:
        found = act(scene)
        if isinstance(found, Awaitable):
            await found

    return strike


def _fail(status: int, most: int, path: str | None = None) -> Callable[[Scene], object]:
    return lambda s: s.sandbox.faults.fail_next(s.few(most), status=status, path=path)


def _lose(scene: Scene) -> None:
    scene.sandbox.faults.lose_answer_next(scene.few(6), method="POST", path=MESSAGES)


def _limit_messages(scene: Scene) -> None:
    scene.sandbox.faults.rate_limit_next(scene.few(3), retry_after_s=0.3, path=MESSAGES)


def _limit_everything(scene: Scene) -> None:
    scene.sandbox.faults.rate_limit_next(1, retry_after_s=0.5, is_global=True)


_DISCORD: list[tuple[str, Callable[[Scene], object]]] = [
    ("answers lost", _lose),
    ("502 to all", _fail(502, 9)),
    ("503 to messages", _fail(503, 3, MESSAGES)),
    ("500 to messages", _fail(500, 6, MESSAGES)),
    ("resets by Discord", lambda s: s.sandbox.faults.reset_next(s.few(4))),
    ("429 to messages", _limit_messages),
    ("429 to everything", _limit_everything),
    ("gateway dropped", lambda s: s.sandbox.gateway.drop(s.chance.choice((1000, 1001, 4000)))),
    ("gateway cut", lambda s: s.sandbox.gateway.abort()),
    ("gateway asks to reconnect", lambda s: s.sandbox.gateway.ask_to_reconnect()),
    ("session invalid", lambda s: s.sandbox.gateway.invalidate(resumable=s.chance.random() < 0.5)),
]


async def _discord_well(scene: Scene) -> None:
    scene.sandbox.faults.clear()


async def _discord_down(scene: Scene) -> None:
    await scene.sandbox.go_down()


async def _discord_back(scene: Scene) -> None:
    await scene.sandbox.come_back()


async def _refuse_gateway(scene: Scene) -> None:
    scene.sandbox.faults.refuses_gateway = True
    scene.sandbox.gateway.abort()


async def _let_in(scene: Scene) -> None:
    scene.sandbox.faults.refuses_gateway = False


async def _deny(scene: Scene) -> None:
    scene.sandbox.deny_bot(scene.sandbox.channel_id, Permission.SEND_MESSAGES)


async def _hide(scene: Scene) -> None:
    scene.sandbox.deny_bot(scene.sandbox.channel_id, Permission.VIEW_CHANNEL)


async def _allow(scene: Scene) -> None:
    scene.sandbox.allow_bot(scene.sandbox.channel_id, Permission.PIN_MESSAGES)


async def _delete_thread(scene: Scene) -> None:
    threads = scene.sandbox.state.guild_channels(scene.sandbox.guild_id, threads=True)
    if threads:
        scene.sandbox.delete_channel(scene.chance.choice(threads).id)


async def _ask(scene: Scene) -> None:
    for command, options in (
        ("status", {}),
        ("forward list", {}),
        ("positions", {}),
        ("schedule run", {"job": scene.chance.choice(("backup", "clean-up", "data refresh"))}),
    ):
        # What they see is no matter here: only that it does no harm.
        task = asyncio.create_task(_asked(scene, command, options))
        scene.people.add(task)


async def _asked(scene: Scene, command: str, options: dict) -> None:
    with contextlib.suppress(SandboxError):
        answer = await scene.sandbox.user("operator").slash(command, **options)
        await answer.finished(timeout_s=5)


async def _wait_for_people(scene: Scene) -> None:
    await asyncio.gather(*scene.people)
    scene.people.clear()


async def _kill(scene: Scene) -> None:
    # Into its start, a recovery, a step or a message: the machine decides.
    await asyncio.sleep(scene.chance.uniform(0.0, 0.3))
    await scene.bot.end(signal.SIGKILL)


async def _deploy(scene: Scene) -> None:
    if code := await scene.bot.end(signal.SIGTERM):
        scene.bot.deaths.append(code)


async def _start(scene: Scene) -> None:
    await scene.bot.start()
