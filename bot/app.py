"""The composition root: makes every part, in order, and ends them in the reverse order.

async with build_app(settings) as app:
    await app.run()
"""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import aiohttp
import discord

from bot.audit import Audit
from bot.background import BackgroundTasks
from bot.charts.chromium import find_chromium
from bot.charts.renderer import PngRenderer
from bot.client import ClientOptions, JesseClient, Services
from bot.errors import InvalidSettings
from bot.forward_parts import ForwardParts, ForwardTools
from bot.permissions import Gate
from bot.services.check_jobs import CheckService
from bot.services.job_log import StoredJobs, UnfinishedJob
from bot.services.jobs import JobService
from bot.services.market_data import MarketData
from bot.services.own_loop import run_apart
from bot.services.requests import JobKind
from bot.services.research import Pictures, Pool, ResearchService
from bot.services.runs import RunStore
from bot.services.status import LoopLag, StatusService
from bot.services.strategies import StrategyLibrary
from bot.services.workers import WorkerPool
from bot.settings import Settings
from bot.unattended import UnattendedParts
from data.cache import CandleStore
from data.database import Database
from data.errors import DataError
from data.exchange import open_exchange

log = logging.getLogger(__name__)

FETCHES_AT_ONCE: Final = 2
SHUTDOWN_S: Final = 9.0
_KEPT_RUNS: Final = 300
_RETRY_S: Final = 5.0
_LONGEST_RETRY_S: Final = 300.0
_NETWORK: Final = (aiohttp.ClientError, OSError, TimeoutError, discord.DiscordServerError)


class App:
    """Everything that runs; `client` speaks with Discord."""

    def __init__(
        self,
        settings: Settings,
        client: JesseClient,
        interrupted: list[UnfinishedJob],
        forward: ForwardParts,
    ) -> None:
        self.settings = settings
        self.client = client
        self.forward = forward
        self.background = BackgroundTasks(forward.tell_death)
        self._interrupted = interrupted
        self._stopping = asyncio.Event()

    def begin(self, lag: LoopLag) -> None:
        """Start what goes on in the background, with Discord or without."""
        self.background.spawn("event loop lag", lag.measure())
        self.background.spawn("old runs", _prune(self.client.services.runs))
        self.forward.begin(self.background)

    async def run(self) -> None:
        """Serve until SIGTERM, Ctrl-C or `stop`.

        Raises:
            InvalidSettings: Discord refuses the token.
        """
        with _signals(self.stop):
            serving = asyncio.create_task(self._serve(), name="discord")
            stopping = asyncio.create_task(self._stopping.wait())
            try:
                await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if serving.done():
                    serving.result()
            finally:
                log.info("stopping")
                await self._close(serving, stopping)

    def stop(self) -> None:
        """Make `run` end."""
        self._stopping.set()

    async def _serve(self) -> None:
        assert self.settings.discord_token is not None
        token = self.settings.discord_token.get_secret_value()
        try:
            await _retried("login", lambda: self.client.log_in(token))
        except discord.LoginFailure:
            raise InvalidSettings(
                "Discord refuses DISCORD_TOKEN: copy it anew from the application's page"
                " (Bot, Reset Token)"
            ) from None
        work = self.client.job_messages.tell_interrupted(self._interrupted)
        self.background.spawn("telling of interrupted jobs", work)
        self.forward.show(self.background)
        await _retried("the gateway", self.client.connect)

    async def _close(self, *tasks: "asyncio.Task[Any]") -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SHUTDOWN_S / 2):
                await self.background.drain(0)
                await self.client.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def build_app(
    settings: Settings,
    *,
    options: ClientOptions | None = None,
    pictures: Pictures | None = None,
    pool: Pool | None = None,
) -> AsyncIterator[App]:
    """Make the app; everything is closed when the block ends.

    `pictures` and `pool` stand in for the browser and the worker processes.

    Raises:
        InvalidSettings: a setting that the bot needs is missing.
        StoreError: the database can't be opened; says why.
    """
    gate, redact = gate_of(settings), redactor(settings)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database.open(settings.data_dir / "jesse.db"))
        audit = Audit(database)
        stored_jobs = StoredJobs(database, audit, redact=redact)
        interrupted = await stored_jobs.take_interrupted()
        pictures, pool = await _open_tools(settings, stack, pictures, pool)
        jobs = await stack.enter_async_context(_job_service(settings, stored_jobs))
        await _warm_up(settings)
        market = MarketData(settings, CandleStore(settings.candles_dir, on_problem=log.warning))
        library = StrategyLibrary(settings.strategies_folder)
        research = ResearchService(
            settings, library=library, market=market, jobs=jobs, pool=pool, pictures=pictures
        )
        stack.push_async_callback(research.close)
        lag = LoopLag()
        status = StatusService(settings, market, lag)
        stack.push_async_callback(status.close)
        forward = ForwardParts(settings, database, ForwardTools(market, pool, audit, library))
        unattended = UnattendedParts(settings, database, market, forward.alerter, redact=redact)
        services = Services(
            library=library,
            research=research,
            checks=CheckService(settings, candles=research, jobs=jobs, pool=pool),
            jobs=jobs,
            stored_jobs=stored_jobs,
            runs=RunStore(settings.data_dir / "runs"),
            status=status,
            audit=audit,
            values=database,
            max_jobs=settings.max_jobs,
            forward=forward.actions,
            comparer=forward.comparer,
            pictures=pictures,
            scheduler=unattended.scheduler,
            kept=unattended.kept,
        )
        client = JesseClient(services, gate, redact=redact, options=options)
        app = App(settings, client, interrupted, forward)
        await _begin(app, stack, unattended, lag)
        yield app


async def _begin(
    app: App, stack: AsyncExitStack, unattended: UnattendedParts, lag: LoopLag
) -> None:
    """Start everything that goes on by itself; it ends with the stack."""
    app.forward.connect(app.client, app.client.gate.channel_ids[0], app.client.services.pictures)
    app.begin(lag)
    stack.push_async_callback(app.background.drain, 0)
    opened = unattended.open(app.client, app.forward.desk, app.background)
    await stack.enter_async_context(opened)


def _job_service(settings: Settings, stored_jobs: StoredJobs) -> JobService:
    sizes = {JobKind.BACKTEST: settings.max_jobs, JobKind.FETCH: FETCHES_AT_ONCE}
    return JobService(sizes, stored_jobs)


async def _open_tools(
    settings: Settings, stack: AsyncExitStack, pictures: Pictures | None, pool: Pool | None
) -> tuple[Pictures, Pool]:
    """Open the browser and the worker processes, where nothing stands in for them."""
    if pictures is None:
        pictures = await stack.enter_async_context(await _renderer(settings))
    if pool is None:
        pool = await stack.enter_async_context(WorkerPool(settings.max_jobs))
    return pictures, pool


async def _renderer(settings: Settings) -> PngRenderer:
    return PngRenderer(await asyncio.to_thread(find_chromium, settings.chromium_path))


def gate_of(settings: Settings) -> Gate:
    """Return who is served where.

    Raises:
        InvalidSettings: names what isn't set.
    """
    missing = missing_settings(settings)
    if missing:
        raise InvalidSettings(f"{', '.join(missing)} must be set for the bot to run")
    assert settings.discord_guild_id is not None
    return Gate(
        settings.discord_guild_id, settings.discord_channel_id, settings.discord_operator_role_id
    )


def missing_settings(settings: Settings) -> list[str]:
    """Return the names of settings that the bot can't do without and that aren't set."""
    needed = {
        "DISCORD_TOKEN": settings.discord_token,
        "DISCORD_GUILD_ID": settings.discord_guild_id,
        "DISCORD_CHANNEL_ID": settings.discord_channel_id,
    }
    return [name for name, value in needed.items() if not value]


def redactor(settings: Settings) -> Callable[[str], str]:
    """Return a function that blots secrets out of text."""
    secrets = [secret for secret in settings.secret_values if len(secret) >= 4]

    def redact(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, "[secret]")
        return text

    return redact


async def _retried(what: str, work: Callable[[], Any]) -> None:
    """Try again after network failures; what Discord refuses for good is raised."""
    delay_s = _RETRY_S
    while True:
        try:
            await work()
            return
        except _NETWORK as error:
            log.warning("%s: %r, next try in %g s", what, error, delay_s)
        except AttributeError as error:
            # discord.py's connect() breaks on its own `sequence` if the very first try fails.
            if error.name != "sequence":
                raise
            log.warning("%s: no first connection, next try in %g s", what, delay_s)
        await asyncio.sleep(delay_s)
        delay_s = min(2 * delay_s, _LONGEST_RETRY_S)


async def _warm_up(settings: Settings) -> None:
    """Import the exchange's library before anybody waits; importing it holds threads up."""

    async def open_and_close() -> None:
        async with open_exchange(settings.exchange_settings):
            pass

    try:
        await run_apart(open_and_close)
    except DataError as error:
        log.warning("the exchange can't be used: %s", error)


async def _prune(runs: RunStore) -> None:
    count = await asyncio.to_thread(runs.prune, _KEPT_RUNS)
    if count:
        log.info("old runs deleted", extra={"runs": count})


@contextlib.contextmanager
def _signals(stop: Callable[[], None]) -> Any:
    loop = asyncio.get_running_loop()
    handled = []
    for number in (signal.SIGTERM, signal.SIGINT):
        # Where there is no such thing (Windows, a thread), KeyboardInterrupt does it.
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, stop)
            handled.append(number)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
