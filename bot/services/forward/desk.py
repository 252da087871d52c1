"""Keeps the bot's forward tests alive: opens what they need, resumes them, resumes them again.

An exchange that can't be reached is waited for; a test is faulted only by what waiting won't mend.
No Discord here.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, Protocol

from bot.errors import BotError, InvalidInput
from bot.services.forward.health import BackAgain, Stalled, StallWatch
from bot.services.forward.overview import ForwardView, view_test
from bot.services.forward.runner import ForwardRunner
from bot.services.forward.service import ALIVE, ForwardAsk, ForwardService, ForwardWatcher
from bot.services.forward.settling import MemorySettler
from bot.settings import Settings
from data.database import Database
from data.errors import DataError, ExchangeUnavailable
from data.rate_limits import RateLimits
from data.storage.records import ForwardTest
from data.streams.events import ConnectionAlert
from engine.errors import EngineError

log = logging.getLogger(__name__)

ATTEND_S: Final = 15.0
_OPEN_AGAIN_S: Final = 60.0
_HEARTBEAT_S: Final = 600.0
_LONGEST_PAUSE_S: Final = 300.0
_OUR_ERRORS: Final = (BotError, DataError, EngineError)


class ForwardUnavailable(BotError):
    """Forward tests can't be used now; says why."""


class ForwardNews(ForwardWatcher, Protocol):
    """Is told what happens to forward tests; its synchronous methods must not raise."""

    def on_connection(self, alert: ConnectionAlert) -> None:
        """Note that the exchange can't be reached, or can be again."""

    async def on_stall(self, notice: Stalled | BackAgain) -> None:
        """Note that a test gets no candles, or gets them again."""

    async def on_attended(self, failed: list[ForwardTest]) -> None:
        """Note that all tests have been looked after; `failed` could not be resumed."""


class ForwardDesk:
    """The forward tests of a bot; `run` is its life, the rest is for those who ask.

    `attend_s` is how often it looks after all tests, `clock` is monotonic (s). `limits` are
    shared with others that ask the exchange.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        news: ForwardNews,
        *,
        clock: Callable[[], float],
        attend_s: float = ATTEND_S,
        limits: RateLimits | None = None,
    ) -> None:
        self.database = database
        self._settings = settings
        self._news = news
        self._attend_s = attend_s
        self._limits = limits
        self._clock = clock
        self._watch = StallWatch(60 * settings.stale_data_minutes, clock)
        self._memory = MemorySettler()
        self._service: ForwardService | None = None
        self._problem = "they are just being started: try again in a moment"
        self._missing: set[int] = set()
        self._told: set[int] = set()
        self._pause_s = attend_s
        self._recover_at = clock()
        self._beat_at = clock()

    async def run(self) -> None:
        """Serve until cancelled; the tests then rest, to be resumed by the next process."""
        # Imported here: clients of exchanges cost half a second that the bot's start doesn't need.
        from bot.services.forward.compose import open_forward

        while True:
            try:
                async with open_forward(
                    self._settings,
                    self.database,
                    self._news,
                    on_alert=self._news.on_connection,
                    limits=self._limits,
                ) as service:
                    self._service = service
                    await self._serve(service)
            except _OUR_ERRORS as error:
                log.warning("no forward tests: %s", error)
                self._problem = str(error)
            finally:
                self._service = None
            await asyncio.sleep(_OPEN_AGAIN_S)

    @property
    def service(self) -> ForwardService:
        """The service that starts, stops and changes tests.

        Raises:
            ForwardUnavailable: it isn't up; says why.
        """
        if self._service is None:
            raise ForwardUnavailable(f"forward tests aren't available: {self._problem}")
        return self._service

    async def start(self, ask: ForwardAsk) -> ForwardTest:
        """Start a test; see `ForwardService.start`.

        One that was made when the exchange went away is started at the next look.
        """
        service = self.service
        known = {test.id for test in await self.database.list_forward_tests()}
        try:
            return await service.start(ask)
        except ExchangeUnavailable:
            tests = await self.database.list_forward_tests(ALIVE)
            made = [t for t in tests if t.id not in known and t.strategy == ask.strategy]
            if not made:
                raise
            return made[-1]

    async def resume(self, name: str) -> ForwardTest:
        """Let a paused test trade again, or bring a faulted one back."""
        test = await self.find(name)
        self._told.discard(test.id)
        return await self.service.resume(test.name)

    async def find(self, name: str | None) -> ForwardTest:
        """Return a test by name; without a name the only one that is alive.

        Raises:
            InvalidInput: there is none of that name, or several to choose from.
        """
        tests = await self.database.list_forward_tests()
        wanted = (name or "").strip()
        named = [test for test in tests if test.name == wanted]
        if named:
            return named[0]
        alive = [test for test in tests if test.status in ALIVE]
        if not wanted and len(alive) == 1:
            return alive[0]
        raise _choice_error(wanted, alive, tests)

    def runner(self, test: ForwardTest) -> ForwardRunner | None:
        """Return what runs a test in this process, None where nothing does."""
        return self.find_runner(test.id)

    def find_runner(self, test_id: int) -> ForwardRunner | None:
        """Return what runs the test of an id in this process, None where nothing does."""
        return next((each for each in self.runners() if each.session.test.id == test_id), None)

    def runners(self) -> list[ForwardRunner]:
        """Return what runs in this process."""
        return self._service.runners() if self._service else []

    async def view(self, test: ForwardTest) -> ForwardView:
        """Return how a test stands now."""
        return await view_test(self.database, test, self.runner(test))

    async def _serve(self, service: ForwardService) -> None:
        while True:
            await self.look_after(service)
            self._memory.look(runner.session.test.id for runner in service.runners())
            await asyncio.sleep(self._attend_s)

    async def look_after(self, service: ForwardService) -> None:
        """Resume what should be alive, and notice who gets no candles."""
        failed = await self._attend(service)
        await self._news.on_attended(failed)
        for notice in self._watch.look(service.runners()):
            await self._news.on_stall(notice)
        self._beat(service)

    async def _attend(self, service: ForwardService) -> list[ForwardTest]:
        """Resume every test that should be alive and isn't; return those that can't be."""
        alive = await self.database.list_forward_tests(ALIVE)
        missing = {test.id for test in alive} - {r.session.test.id for r in service.runners()}
        if not missing:
            self._missing, self._pause_s = missing, self._attend_s
            return []
        if missing != self._missing:
            self._missing, self._pause_s = missing, self._attend_s
        elif self._clock() < self._recover_at:
            return []
        left = await service.recover()
        self._recover_at = self._clock() + self._pause_s
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
        return await self._given_up(left)

    async def _given_up(self, left: list[ForwardTest]) -> list[ForwardTest]:
        """Return those tests that waiting won't bring back, each only once."""
        found = []
        for test in left:
            now = await self.database.get_forward_test(test.id) or test
            elsewhere = now.exchange != self._settings.exchange
            if (elsewhere or now.fault) and test.id not in self._told:
                self._told.add(test.id)
                found.append(now)
        return found

    def _beat(self, service: ForwardService) -> None:
        if self._clock() < self._beat_at:
            return
        self._beat_at = self._clock() + _HEARTBEAT_S
        for runner in service.runners():
            session = runner.session
            book = session.engine.portfolio
            log.info(
                "forward test %s: equity %.2f, %d open, last candle %s, backlog %d",
                session.test.name,
                book.equity,
                len(book.positions),
                session.last_open_time,
                runner.backlog,
            )


def _choice_error(wanted: str, alive: list[ForwardTest], tests: list[ForwardTest]) -> InvalidInput:
    names = ", ".join(test.name for test in alive or tests)
    if wanted:
        return InvalidInput(f"there is no forward test {wanted!r}: there are {names or 'none'}")
    if not tests:
        return InvalidInput("there is no forward test yet: start one with /forward start")
    return InvalidInput(f"say which forward test: {names}")
