"""Alerts of `jesse forward-test` through a webhook, beside the live table. No bot is needed."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

from bot.errors import InvalidSettings
from bot.services.forward.health import StallWatch
from bot.services.forward.runner import ForwardRunner
from bot.services.forward.service import ForwardWatcher, WhileAway
from bot.settings import Settings
from data.cache import CandleStore
from data.database import Database
from data.storage.records import StepRecord
from data.streams.events import ConnectionAlert

if TYPE_CHECKING:
    from bot.alert_pictures import AlertPictures
    from bot.alerts import DiscordAlerter
    from bot.outbox import OutboxSender

FindRunner = Callable[[int], ForwardRunner | None]

_LAST_WORDS_S: Final = 10.0
_PICTURES_S: Final = 5.0
_LOOK_EVERY_S: Final = 15.0


class ShellAlerts:
    """Tells a watcher of the terminal and, where there is a webhook, Discord."""

    def __init__(
        self,
        shown: ForwardWatcher,
        alerter: "DiscordAlerter | None",
        runners: dict[int, ForwardRunner] | None = None,
    ) -> None:
        """Make them; those that begin are put into `runners`, by the ids of their tests."""
        self._shown = shown
        self._alerter = alerter
        self._runners = {} if runners is None else runners

    async def begin(self, runner: ForwardRunner) -> None:
        """Tell that a test has started, or what it made up for."""
        self._runners[runner.session.test.id] = runner
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
    runners: dict[int, ForwardRunner] = {}
    async with _open_sender(settings, database, runners.get) as (alerter, sender):
        sending = asyncio.create_task(sender.run(), name="alerts")
        try:
            yield ShellAlerts(shown, alerter, runners)
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
    settings: Settings, database: Database, find_runner: FindRunner
) -> AsyncIterator[tuple["DiscordAlerter", "OutboxSender"]]:
    # Imported here: Discord's library costs half a second that most runs in a shell don't need.
    import aiohttp
    import discord

    from bot.alert_writer import AlertWriter
    from bot.alerts import DiscordAlerter
    from bot.delivery import WebhookDelivery
    from bot.outbox import OutboxSender

    assert settings.discord_webhook_url is not None
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        try:
            url = settings.discord_webhook_url.get_secret_value()
            webhook = discord.Webhook.from_url(url, session=session)
        except ValueError:
            raise InvalidSettings(
                "DISCORD_WEBHOOK_URL is no webhook's address: copy it from the channel's settings"
                " (Integrations, Webhooks)"
            ) from None
        pictures = await _open_pictures(stack, settings, database, find_runner)
        writer = AlertWriter(database, pictures)
        sender = OutboxSender(database, WebhookDelivery(webhook, writer))
        yield DiscordAlerter(database, wake=sender.wake), sender


async def _open_pictures(
    stack: AsyncExitStack, settings: Settings, database: Database, find_runner: FindRunner
) -> "AlertPictures | None":
    """Return what draws alerts, None where there is no browser: nobody asked for pictures here."""
    from bot.alert_pictures import make_pictures
    from bot.charts.chromium import find_chromium
    from bot.charts.renderer import PngRenderer

    browser = await asyncio.to_thread(find_chromium, settings.chromium_path)
    if browser is None:
        return None
    renderer = await stack.enter_async_context(PngRenderer(browser))
    store = CandleStore(settings.candles_dir)
    pictures = make_pictures(renderer, database, store, find_runner, limit_s=_PICTURES_S)
    stack.push_async_callback(pictures.close)
    return pictures
