"""The parts of unattended operation, put together for the bot. Part of the composition root."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import discord

from bot.alerts import DiscordAlerter
from bot.background import BackgroundTasks
from bot.health_server import Heartbeat, serve_health
from bot.scheduler import Scheduler
from bot.services.forward.desk import ForwardDesk
from bot.services.forward.runner import ForwardRunner
from bot.services.market_data import MarketData
from bot.services.readiness import ReadinessProbe
from bot.services.scheduled.jobs import make_jobs
from bot.services.scheduled.refresh import KeptSymbols
from bot.services.volume import volume_warning
from bot.settings import Settings
from data.database import Database

log = logging.getLogger(__name__)


class UnattendedParts:
    """Scheduler, health and heartbeat; `open` begins them once there is a client."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        market: MarketData,
        alerter: DiscordAlerter,
        *,
        redact: Callable[[str], str],
    ) -> None:
        self._settings = settings
        self._database = database
        self._alerter = alerter
        self._desk: ForwardDesk | None = None
        self.kept = KeptSymbols(database, settings.exchange)
        jobs = make_jobs(settings, database, market, self._runners, alerter)
        self.scheduler = Scheduler(jobs, database, self._tell, redact=redact)

    @asynccontextmanager
    async def open(
        self, client: discord.Client, desk: ForwardDesk, tasks: BackgroundTasks
    ) -> AsyncIterator[None]:
        """Work by the clock, answer /healthz and call the heartbeat until the block ends."""
        settings, self._desk = self._settings, desk
        probe = ReadinessProbe(
            DiscordGateway(client),
            DeskStreams(desk),
            self._database,
            exchange=settings.exchange,
            patience_s=60 * settings.stale_data_minutes,
        )
        async with AsyncExitStack() as stack:
            if settings.port is not None:
                await stack.enter_async_context(serve_health(probe.look, settings.port))
            await stack.enter_async_context(self.scheduler)
            tasks.spawn("heartbeat", Heartbeat(probe.look, settings.heartbeat_url).run())
            tasks.spawn("check of the volume", self._warn_of_volume())
            yield

    def _runners(self) -> list[ForwardRunner]:
        return [] if self._desk is None else self._desk.runners()

    async def _warn_of_volume(self) -> None:
        warning = volume_warning(self._settings)
        if warning is not None:
            log.error(warning)
            await self._alerter.send_alert(warning, title="State will be lost", is_problem=True)

    async def _tell(self, text: str, *, is_problem: bool) -> None:
        await self._alerter.send_alert(text, title="Scheduled work", is_problem=is_problem)


class DiscordGateway:
    """The gateway of a discord.py client."""

    def __init__(self, client: discord.Client) -> None:
        self._client = client

    @property
    def is_connected(self) -> bool:
        """Whether there is an open connection with a session that is ready."""
        socket = getattr(self._client, "ws", None)
        return bool(self._client.is_ready() and socket is not None and socket.open)

    @property
    def latency_s(self) -> float | None:
        """The time to the answer of the last heartbeat, None where there was none."""
        latency = self._client.latency
        return latency if 0 <= latency < float("inf") else None


class DeskStreams:
    """The last candles of the forward tests that this process runs."""

    def __init__(self, desk: ForwardDesk) -> None:
        self._desk = desk

    def last_opens(self) -> dict[int, int | None]:
        """Return the open time (ms) of each live test's last candle, by the test's id."""
        sessions = (runner.session for runner in self._desk.runners())
        return {session.test.id: session.last_open_time for session in sessions}
