"""Alerts of `jesse forward-test` through a webhook, beside the live table. No bot is needed."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

from bot.errors import InvalidSettings
from bot.services.forward.health import StallWatch
from bot.services.forward.runner import ForwardRunner
from bot.services.forward.service import ForwardWatcher, WhileAway
from bot.settings import Settings
from data.database import Database
from data.storage.records import StepRecord
from data.streams.events import ConnectionAlert

if TYPE_CHECKING:
    from bot.alerts import DiscordAlerter
    from bot.outbox import OutboxSender

_LAST_WORDS_S: Final = 10.0
_LOOK_EVERY_S: Final = 15.0


class ShellAlerts:
    """Tells a watcher of the terminal and, where there is a webhook, Discord."""

    def __init__(self, shown: ForwardWatcher, alerter: "DiscordAlerter | None") -> None:
        self._shown = shown
        self._alerter = alerter

    async def begin(self, runner: ForwardRunner) -> None:
        """Tell that a test has started, or what it made up for."""
        if self._alerter is not None:
            timeframes = runner.session.engine.strategy.timeframes
            await self._alerter.on_strategy_start(runner.session.test, timeframes=timeframes)
            await self._alerter.on_attended([])

    @asynccontextmanager
    async def watching(self, runner: ForwardRunner, patience_s: float) -> AsyncIterator[None]:
        """Tell when a test gets no candles, while the block runs."""
        if self._alerter is None:
            yield
            return
        looking = asyncio.create_task(_look(self._alerter, runner, patience_s))
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    def on_step(self, runner: ForwardRunner, record: StepRecord) -> None:
        """Show a step, and send its alerts."""
        self._shown.on_step(runner, record)
        if self._alerter is not None:
            self._alerter.on_step(runner, record)

    def on_fault(self, runner: ForwardRunner, reason: str) -> None:
        """Show and tell that the test can't go on by itself."""
        self._shown.on_fault(runner, reason)
        if self._alerter is not None:
            self._alerter.on_fault(runner, reason)

    def on_recovered(self, runner: ForwardRunner, away: WhileAway) -> None:
        """Show and tell what was made up for."""
        self._shown.on_recovered(runner, away)
        if self._alerter is not None:
            self._alerter.on_recovered(runner, away)

    def on_connection(self, alert: ConnectionAlert) -> None:
        """Tell that the exchange can't be reached, or can be again."""
        if self._alerter is not None:
            self._alerter.on_connection(alert)


async def _look(alerter: "DiscordAlerter", runner: ForwardRunner, patience_s: float) -> None:
    stalls = StallWatch(patience_s, time.monotonic)
    while True:
        for notice in stalls.look([runner]):
            await alerter.on_stall(notice)
        await asyncio.sleep(_LOOK_EVERY_S)


@asynccontextmanager
async def shell_alerts(
    settings: Settings, database: Database, shown: ForwardWatcher
) -> AsyncIterator[ShellAlerts]:
    """Send alerts to DISCORD_WEBHOOK_URL, if it is set, while the block runs.

    What is left at the end is tried for some seconds more; the rest goes out with the next start.
    """
    if settings.discord_webhook_url is None:
        yield ShellAlerts(shown, None)
        return
    async with _open_sender(settings, database) as (alerter, sender):
        sending = asyncio.create_task(sender.run(), name="alerts")
        try:
            yield ShellAlerts(shown, alerter)
        finally:
            await alerter.close()
            # Cancelled in the middle of sending, a webhook would be told twice.
            sender.end()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORDS_S):
                    await sending
                    await sender.finish()


@asynccontextmanager
async def _open_sender(
    settings: Settings, database: Database
) -> AsyncIterator[tuple["DiscordAlerter", "OutboxSender"]]:
    # Imported here: Discord's library costs half a second that most runs in a shell don't need.
    import aiohttp
    import discord

    from bot.alerts import DiscordAlerter
    from bot.delivery import AlertWriter, WebhookDelivery
    from bot.outbox import OutboxSender

    assert settings.discord_webhook_url is not None
    async with aiohttp.ClientSession() as session:
        try:
            url = settings.discord_webhook_url.get_secret_value()
            webhook = discord.Webhook.from_url(url, session=session)
        except ValueError:
            raise InvalidSettings(
                "DISCORD_WEBHOOK_URL is no webhook's address: copy it from the channel's settings"
                " (Integrations, Webhooks)"
            ) from None
        sender = OutboxSender(database, WebhookDelivery(webhook, AlertWriter(database)))
        yield DiscordAlerter(database, wake=sender.wake), sender
