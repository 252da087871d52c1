"""One connection to an exchange that never gives up: reopened, renewed before its end, replaced.

How one socket lives is in `session`; what its frames mean to a symbol is in `feed`.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Literal, Protocol

from data.retry import Timing
from data.streams.events import AlertKind
from data.streams.policy import StreamPolicy
from data.streams.session import UNREACHABLE, SessionEnded, StreamSession, open_socket
from data.venues.base import MarketKind
from data.venues.base_stream import MarketMessage, StreamVenue

logger = logging.getLogger(__name__)


class ConnectionOwner(Protocol):
    """Is told what a connection brings, and how it is."""

    def on_message(self, message: MarketMessage) -> None:
        """Take a candle, a trade or an open interest."""

    def on_unreadable(self, problem: str) -> None:
        """Note a frame that can't be read."""

    def on_refused(self, channel: str, error: str) -> None:
        """Note that the exchange refuses a channel."""

    def on_down(self, reason: str) -> None:
        """Note that the connection broke, or can't be opened; called once until it is up."""

    def on_up(self) -> None:
        """Note that every channel is subscribed."""

    def on_alert(self, kind: AlertKind, attempts: int, down_s: float, reason: str) -> None:
        """Note that the exchange can't be reached for long, or can again."""


class StreamConnection:
    """Keeps channels subscribed over one socket at a time; `run` is its task."""

    def __init__(
        self,
        venue: StreamVenue,
        kind: MarketKind,
        url: str,
        owner: ConnectionOwner,
        *,
        timing: Timing,
        policy: StreamPolicy,
    ) -> None:
        self.url = url
        self.reconnects = 0
        self._venue = venue
        self._kind = kind
        self._owner = owner
        self._timing = timing
        self._policy = policy
        self._channels: dict[str, None] = {}
        self._session: StreamSession | None = None
        self._is_up = False
        self._replacing: str | None = None
        self._replace = asyncio.Event()
        self._failures = 0
        self._short_lives = 0
        self._down_since: float | None = None

    @property
    def is_up(self) -> bool:
        """Tell whether every channel is subscribed over an open socket."""
        return self._is_up

    @property
    def heard_at(self) -> float:
        """Return when (monotonic) anything came over the open socket, pongs included."""
        return self._session.last_heard if self._session else float("-inf")

    def add(self, channels: Sequence[str]) -> None:
        """Subscribe channels, now or when the connection is open."""
        new = [channel for channel in channels if channel not in self._channels]
        self._channels.update(dict.fromkeys(new))
        if self._session and new:
            self._session.subscribe(new)

    def remove(self, channels: Sequence[str]) -> None:
        """Unsubscribe channels."""
        gone = [channel for channel in channels if channel in self._channels]
        for channel in gone:
            del self._channels[channel]
        if self._session and gone:
            self._session.unsubscribe(gone)

    def replace(self, reason: str) -> None:
        """Give the open socket up and open another: it is connected and mute."""
        if self._is_up:
            self._replacing = reason
            self._replace.set()

    async def ping(self) -> None:
        """Ask for a sign of life, if there is a socket."""
        if self._session:
            with suppress(*UNREACHABLE):  # the session's own task sees it, too
                await self._session.ping()

    async def run(self) -> None:
        """Keep the channels subscribed until cancelled."""
        session, life = await self._open()
        while True:
            try:
                session, life = await self._serve(session, life)
            except SessionEnded as ended:
                self._note_loss(str(ended), life.age_s)
                session, life = await self._open()
                self.reconnects += 1

    async def _open(self) -> tuple[StreamSession, "_Life"]:
        """Open a socket and subscribe everything, however many attempts it takes."""
        while True:
            failures = self._failures + self._short_lives
            if failures:
                delay = self._policy.reconnect.delay_s(min(failures, 32), self._timing.random())
                await self._timing.sleep(delay)
            try:
                session, life = await self._try_open()
            except (*UNREACHABLE, SessionEnded) as error:
                self._note_failure(str(error) or type(error).__name__)
                continue
            self._session = session
            self._note_up()
            return session, life

    async def _try_open(self) -> tuple[StreamSession, "_Life"]:
        socket = await open_socket(self.url)
        session = StreamSession(
            socket,
            self._venue,
            self._kind,
            timing=self._timing,
            policy=self._policy,
            on_message=self._take,
            on_refused=self._owner.on_refused,
            on_unreadable=self._owner.on_unreadable,
        )
        life = _Life(session, self._timing)
        try:
            first = self._session is None
            if first:
                self._session = session  # frames may come before the answers
            session.subscribe(list(self._channels))
            await life.until(session.ready)
        except BaseException:
            if self._session is session:
                self._session = None
            await life.end()
            raise
        return session, life

    async def _serve(self, session: StreamSession, life: "_Life") -> tuple[StreamSession, "_Life"]:
        """Serve a socket until another takes its place; raises SessionEnded if it is lost."""
        renewal = asyncio.create_task(self._renew(session))
        replaced = asyncio.create_task(self._replace.wait())
        try:
            await asyncio.wait({renewal, replaced, life.task}, return_when=asyncio.FIRST_COMPLETED)
            if life.task.done():
                life.task.result()
            if self._replace.is_set():
                raise SessionEnded(self._replacing or "replaced")
            self._session, successor = renewal.result()
            self._session.match(list(self._channels))  # there may have been changes meanwhile
            logger.info("%s: connection renewed", self._venue.facts.name)
            await life.end()
            return self._session, successor
        finally:
            self._replace.clear()
            await self._drop_tasks(renewal, replaced)
            if self._session is session:
                self._session = None
                await life.end()

    async def _drop_tasks(
        self, renewal: "asyncio.Task[tuple[StreamSession, _Life]]", other: "asyncio.Task[bool]"
    ) -> None:
        other.cancel()
        unused = renewal.done() and not renewal.cancelled() and renewal.exception() is None
        if unused and renewal.result()[0] is not self._session:
            await renewal.result()[1].end()
        renewal.cancel()
        await asyncio.gather(renewal, other, return_exceptions=True)

    async def _renew(self, session: StreamSession) -> tuple[StreamSession, "_Life"]:
        """Open the successor in time, while the old socket goes on."""
        lifetime = self._venue.facts.lifetime_s
        waits = [asyncio.ensure_future(session.leaving.wait())]
        if lifetime is not None:
            until_end = lifetime - self._policy.renew_before_s
            waits.append(asyncio.ensure_future(_true_after(self._timing, until_end)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        failures = 0
        while True:
            try:
                return await self._try_open()
            except (*UNREACHABLE, SessionEnded) as error:
                failures += 1
                logger.warning("%s: renewal failed: %s", self._venue.facts.name, error)
                delay = self._policy.reconnect.delay_s(min(failures, 32), self._timing.random())
                await self._timing.sleep(delay)

    def _take(self, session: StreamSession, message: MarketMessage) -> None:
        if session is self._session:
            self._owner.on_message(message)

    def _note_loss(self, reason: str, age_s: float) -> None:
        self._short_lives = 0 if age_s >= self._policy.stable_s else self._short_lives + 1
        self._go_down(reason)

    def _note_failure(self, reason: str) -> None:
        self._failures += 1
        self._go_down(reason)
        logger.warning(
            "%s: attempt %d to connect failed: %s", self._venue.facts.name, self._failures, reason
        )
        if self._failures == self._policy.alert_after:
            self._owner.on_alert(AlertKind.UNREACHABLE, self._failures, self._down_s(), reason)

    def _go_down(self, reason: str) -> None:
        self._is_up = False
        if self._down_since is None:
            self._down_since = self._timing.monotonic()
            logger.warning("%s: stream down: %s", self._venue.facts.name, reason)
            self._owner.on_down(reason)

    def _note_up(self) -> None:
        attempts, down_s = self._failures, self._down_s()
        self._failures = 0
        self._down_since = None
        self._is_up = True
        self._owner.on_up()
        if attempts >= self._policy.alert_after:
            self._owner.on_alert(AlertKind.RECOVERED, attempts, down_s, "connected again")

    def _down_s(self) -> float:
        return 0.0 if self._down_since is None else self._timing.monotonic() - self._down_since


class _Life:
    """The task of a session, and since when it runs."""

    def __init__(self, session: StreamSession, timing: Timing) -> None:
        self.task = asyncio.create_task(session.run(), name="stream-session")
        self._timing = timing
        self._began = timing.monotonic()

    @property
    def age_s(self) -> float:
        return self._timing.monotonic() - self._began

    async def until(self, event: asyncio.Event) -> None:
        """Wait for an event; raises what ends the session before it."""
        waiting = asyncio.create_task(event.wait())
        try:
            await asyncio.wait({self.task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if not event.is_set():
            self.task.result()

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.wait({self.task})  # unlike awaiting it, lets our own cancellation through
        if not self.task.cancelled():
            self.task.exception()  # known, or of no interest any more


async def _true_after(timing: Timing, seconds: float) -> Literal[True]:
    await timing.sleep(seconds)
    return True
