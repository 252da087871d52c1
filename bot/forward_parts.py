"""The parts of forward tests and alerts, put together for the bot. Part of the composition root."""

import asyncio
from dataclasses import dataclass
from time import monotonic

from discord.ext import commands

from bot.alert_pictures import AlertPictures, make_pictures
from bot.alert_writer import AlertWriter
from bot.alerts import DiscordAlerter
from bot.audit import Audit
from bot.background import BackgroundTasks
from bot.delivery import BotDelivery
from bot.forward_actions import ForwardActions
from bot.forward_threads import ForwardThreads, StatusBoard
from bot.outbox import OutboxSender
from bot.services.forward.desk import ForwardDesk
from bot.services.forward.rerun import Comparer, Pool
from bot.services.market_data import MarketData
from bot.services.research import Pictures
from bot.services.strategies import StrategyLibrary
from bot.settings import Settings
from data.database import Database


@dataclass(frozen=True, slots=True)
class ForwardTools:
    """What forward tests share with the rest of the bot."""

    market: MarketData
    pool: Pool
    audit: Audit
    library: StrategyLibrary


class ForwardParts:
    """Desk, alerts and what speaks of them in Discord; `connect` once there is a client."""

    def __init__(self, settings: Settings, database: Database, tools: ForwardTools) -> None:
        self._database = database
        self._store = tools.market.store
        self._client: commands.Bot | None = None
        self._pictures: AlertPictures | None = None
        self.sender: OutboxSender | None = None
        self.board: StatusBoard | None = None
        self._sending: asyncio.Task[None] | None = None
        self.alerter = DiscordAlerter(
            database, wake=self._wake, touch=self._touch, shout=self._shout
        )
        self.desk = ForwardDesk(
            settings,
            database,
            self.alerter,
            clock=lambda: monotonic(),
            limits=tools.market.limits,
        )
        self.comparer = Comparer(settings, database, tools.market, tools.pool)
        self.actions = ForwardActions(self.desk, self.alerter, tools.audit, tools.library)

    def connect(self, client: commands.Bot, channel_id: int, renderer: Pictures) -> None:
        """Send alerts and show tests through a client; threads are made in a channel."""
        self._client, self._channel_id = client, channel_id
        threads = ForwardThreads(client, self._database, channel_id)
        self._pictures = make_pictures(renderer, self._database, self._store, self.desk.find_runner)
        writer = AlertWriter(self._database, self._pictures)
        self.sender = OutboxSender(self._database, BotDelivery(client, writer, threads))
        self.board = StatusBoard(client, self.desk, threads)
        for event in ("on_ready", "on_resumed"):
            client.add_listener(self._retry_alerts, event)

    def begin(self, tasks: BackgroundTasks) -> None:
        """Trade and send; neither waits for Discord."""
        tasks.spawn("forward tests", self.desk.run())
        self._sending = tasks.spawn("alerts", self._send())

    def show(self, tasks: BackgroundTasks) -> None:
        """Keep the status messages up to date; the client must be logged in."""
        assert self.board is not None
        tasks.spawn("status of forward tests", self.board.run())

    async def tell_death(self, text: str) -> None:
        """Tell that a background task died: as an alert, unless it is the one that sends them."""
        sending = self._sending
        if sending is None or sending.done() or sending is asyncio.current_task():
            await self._shout(text)
        else:
            await self.alerter.send_alert(text, title="A part of the bot died", is_problem=True)

    async def _send(self) -> None:
        assert self.sender is not None
        assert self._pictures is not None
        try:
            await self.sender.run()
        finally:
            await self._pictures.close()

    def _wake(self) -> None:
        if self.sender is not None:
            self.sender.wake()

    async def _retry_alerts(self) -> None:
        if self.sender is not None:
            self.sender.retry_now()

    def _touch(self, test_id: int) -> None:
        if self.board is not None:
            self.board.touch(test_id)

    async def _shout(self, text: str) -> None:
        if self._client is not None:
            await self._client.get_partial_messageable(self._channel_id).send(text[:2000])
