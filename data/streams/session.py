"""The life of one socket: requests out, frames in, pings, and the signs that it is dead.

Reopening is in `connection`; what frames mean to a symbol is in `feed`.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from data.retry import Timing
from data.streams.policy import StreamPolicy
from data.venues.base import MarketKind
from data.venues.base_stream import (
    Answer,
    ChannelRequest,
    MarketMessage,
    StreamCandle,
    StreamInterest,
    StreamTrade,
    StreamVenue,
)

logger = logging.getLogger(__name__)

_OPEN_TIMEOUT_S: Final = 10.0
_CLOSE_TIMEOUT_S: Final = 1.0
_LARGEST_FRAME: Final = 4 * 2**20
_LONGEST_TURN_S: Final = 0.002
_UNREADABLE: Final = (ValueError, TypeError, KeyError, IndexError, AttributeError)
UNREACHABLE: Final = (OSError, TimeoutError, WebSocketException)


class SessionEnded(Exception):
    """The socket is of no more use; says why."""


async def open_socket(url: str) -> ClientConnection:
    """Open a socket that is pinged by nobody else.

    Raises:
        OSError, TimeoutError, WebSocketException: it can't be opened.
    """
    return await connect(
        url,
        open_timeout=_OPEN_TIMEOUT_S,
        close_timeout=_CLOSE_TIMEOUT_S,
        ping_interval=None,
        compression=None,
        max_size=_LARGEST_FRAME,
    )


class StreamSession:
    """One socket and its subscriptions; `ready` is set when the first of them are answered.

    `leaving` is set when the exchange says that it will cut the connection; `last_heard` is when
    (monotonic) anything came, pongs included. `on_message` gets candles, trades and open interest,
    `on_refused` a channel and why, `on_unreadable` what can't be read.
    """

    def __init__(
        self,
        socket: ClientConnection,
        venue: StreamVenue,
        kind: MarketKind,
        *,
        timing: Timing,
        policy: StreamPolicy,
        on_message: Callable[["StreamSession", MarketMessage], None],
        on_refused: Callable[[str, str], None],
        on_unreadable: Callable[[str], None],
    ) -> None:
        self.ready = asyncio.Event()
        self.leaving = asyncio.Event()
        self._socket = socket
        self._venue = venue
        self._kind = kind
        self._timing = timing
        self._policy = policy
        self._on_message = on_message
        self._on_refused = on_refused
        self._on_unreadable = on_unreadable
        self._outbox: asyncio.Queue[str] = asyncio.Queue()
        self._unanswered: dict[str, tuple[ChannelRequest, float]] = {}
        self._asked: set[str] = set()
        self._next_id = 1
        self.last_heard = self._last_ping = timing.monotonic()

    def match(self, channels: Sequence[str]) -> None:
        """Ask for what is missing of these channels, and give all others back."""
        missing = [channel for channel in channels if channel not in self._asked]
        surplus = sorted(self._asked.difference(channels))
        if surplus:
            self.unsubscribe(surplus)
        self.subscribe(missing)

    def subscribe(self, channels: Sequence[str]) -> None:
        """Ask for channels."""
        self._asked.update(channels)
        requests = self._venue.subscribe(self._kind, channels, first_id=self._next_id)
        for request in requests:
            self._unanswered[request.id] = (request, self._timing.monotonic())
        self._send(requests)
        if not self._unanswered:
            self.ready.set()

    def unsubscribe(self, channels: Sequence[str]) -> None:
        """Give channels back; the answer is not waited for."""
        self._asked.difference_update(channels)
        self._send(self._venue.unsubscribe(self._kind, channels, first_id=self._next_id))

    async def ping(self) -> None:
        """Ask the exchange for a sign of life."""
        self._last_ping = self._timing.monotonic()
        if self._venue.facts.ping is not None:
            self._outbox.put_nowait(self._venue.facts.ping)
            return
        pong = await self._socket.ping()
        pong.add_done_callback(self._hear_pong)  # type: ignore[attr-defined]

    async def run(self) -> None:
        """Serve the socket until it is of no more use.

        Raises:
            SessionEnded: always; says why.
        """
        works = [asyncio.create_task(work) for work in (self._read(), self._write(), self._watch())]
        try:
            done, _ = await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
            for work in done:
                work.result()
        except (*UNREACHABLE, ConnectionClosed) as error:
            raise SessionEnded(f"connection lost: {error or type(error).__name__}") from error
        finally:
            for work in works:
                work.cancel()
            await asyncio.gather(*works, return_exceptions=True)
            await self._socket.close()
        raise SessionEnded("connection closed by the exchange")

    def _send(self, requests: Sequence[ChannelRequest]) -> None:
        self._next_id += len(requests)
        for request in requests:
            self._outbox.put_nowait(request.text)

    async def _read(self) -> None:
        monotonic = self._timing.monotonic
        paused = monotonic()
        async for text in self._socket:
            self.last_heard = now = monotonic()
            if isinstance(text, str):
                self._take(text)
            # Of a burst a thousand frames may be here already: then the loop above never waits.
            if now - paused >= _LONGEST_TURN_S:
                await asyncio.sleep(0)
                paused = monotonic()

    def _take(self, text: str) -> None:
        try:
            messages = self._venue.parse(text)
        except _UNREADABLE as error:
            self._on_unreadable(f"{type(error).__name__}: {error} in {text[:200]}")
            return
        for message in messages:
            if isinstance(message, (StreamTrade, StreamCandle, StreamInterest)):
                self._on_message(self, message)
            elif isinstance(message, Answer):
                self._settle(message)
            else:  # the exchange is leaving
                self.leaving.set()

    async def _write(self) -> None:
        while True:
            await self._socket.send(await self._outbox.get())
            if self._venue.facts.message_interval_s:
                await self._timing.sleep(self._venue.facts.message_interval_s)

    async def _watch(self) -> None:
        while True:
            await self._timing.sleep(self._policy.check_s)
            now = self._timing.monotonic()
            if now - self._last_ping >= self._venue.facts.ping_interval_s:
                await self.ping()
            if now - self.last_heard > self._policy.dead_after_s:
                raise SessionEnded(
                    f"nothing came for {now - self.last_heard:.0f} s, not even a pong"
                )
            for request, sent in self._unanswered.values():
                if now - sent > self._policy.answer_within_s:
                    raise SessionEnded(f"no answer to the subscription of {request.channels[0]}")

    def _hear_pong(self, pong: "asyncio.Future[float]") -> None:
        if not pong.cancelled() and pong.exception() is None:
            self.last_heard = self._timing.monotonic()

    def _settle(self, answer: Answer) -> None:
        name = answer.id or answer.channel
        if name is None and self._unanswered:
            name = next(iter(self._unanswered))
        request, _ = self._unanswered.pop(name, (None, 0.0)) if name else (None, 0.0)
        if request is not None and answer.error is not None:
            self._refused(request, answer.error)
        elif answer.error is not None:
            logger.warning("%s answers: %s", self._venue.facts.name, answer.error)
        if not self._unanswered:
            self.ready.set()

    def _refused(self, request: ChannelRequest, error: str) -> None:
        if len(request.channels) == 1:
            self._on_refused(request.channels[0], error)
            return
        for channel in request.channels:  # one of them is wrong: find out which
            self.subscribe([channel])
