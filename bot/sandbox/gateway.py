"""The gateway: sessions over WebSocket with heartbeats, resume and zlib-stream compression.

What is told to the bot comes from `announce.py` through `dispatch`; faults from faults.py.
"""

import asyncio
import contextlib
import json
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import WSCloseCode, WSMsgType, web

from bot.sandbox.events import Change, ChangeKind
from bot.sandbox.faults import Faults
from bot.sandbox.models import Payload
from bot.sandbox.payloads import full_member_payload, guild_payload, user_payload
from bot.sandbox.state import State

REPLAYED_EVENTS = 1000
_CLOSE_WITHIN_S = 1.0
_SYNC_FLUSHED = zlib.Z_SYNC_FLUSH
_PRIVILEGED = (1 << 1) | (1 << 8) | (1 << 15)
_GUILDS_INTENT = 1 << 0


@dataclass(slots=True, eq=False)
class Session:
    """A bot's session; it outlives its connection so that missed events can be replayed."""

    id: str
    intents: int
    sequence: int = 0
    sent: deque[Payload] = field(default_factory=lambda: deque(maxlen=REPLAYED_EVENTS))
    connection: "Connection | None" = None

    def missed_since(self, last: int) -> list[Payload] | None:
        """Return the events after number `last`; None if some of them are no longer kept."""
        missed = [frame for frame in self.sent if frame["s"] > last]
        return missed if len(missed) == self.sequence - last else None

    def push(self, event: str, data: Payload) -> None:
        """Number an event, keep it for a resume and send it if somebody listens."""
        self.sequence += 1
        frame = {"op": 0, "t": event, "s": self.sequence, "d": data}
        self.sent.append(frame)
        if self.connection is not None:
            self.connection.send(frame)


class Connection:
    """One WebSocket; frames are queued and written in order by `write_all`."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        transport: asyncio.Transport | None,
        *,
        compressed: bool,
    ) -> None:
        self.socket = socket
        self._transport = transport
        self._outbox: asyncio.Queue[Payload | None] = asyncio.Queue()
        self._deflate = zlib.compressobj() if compressed else None

    def send(self, frame: Payload) -> None:
        """Queue a frame."""
        self._outbox.put_nowait(frame)

    async def write_all(self) -> None:
        """Write the queued frames until the socket is closed."""
        with contextlib.suppress(ConnectionError):
            while (frame := await self._outbox.get()) is not None:
                text = json.dumps(frame)
                if self._deflate is None:
                    await self.socket.send_str(text)
                else:
                    data = self._deflate.compress(text.encode())
                    await self.socket.send_bytes(data + self._deflate.flush(_SYNC_FLUSHED))

    def abort(self) -> None:
        """Cut the connection without a close frame."""
        if self._transport is not None:
            self._transport.abort()

    def finish(self) -> None:
        """Let `write_all` end."""
        self._outbox.put_nowait(None)


class Gateway:
    """All sessions and connections.

    `heartbeat_interval_s` is what the client is asked for; a client that stays silent for one and
    a half times as long is closed with 4009. `allowed_intents` are the privileged ones granted.
    """

    def __init__(
        self, state: State, faults: Faults, *, token: str, heartbeat_interval_s: float
    ) -> None:
        self._state = state
        self._faults = faults
        self._token = token
        self._heartbeat_interval_s = heartbeat_interval_s
        self.allowed_intents = 0
        self.sessions: dict[str, Session] = {}
        self._connections: set[Connection] = set()
        self.heartbeats = 0

    @property
    def connected(self) -> list[Session]:
        """The sessions that have a live connection."""
        return [s for s in self.sessions.values() if s.connection is not None]

    def dispatch(self, event: str, build: Payload | Callable[[Session], Payload | None]) -> None:
        """Send an event to every session; `build` may make it per session or withhold it."""
        for session in self.sessions.values():
            data = build(session) if callable(build) else build
            if data is not None:
                session.push(event, data)

    async def drop(self, code: int = WSCloseCode.GOING_AWAY) -> None:
        """Close every connection with a close code; the sessions can be resumed."""
        for connection in tuple(self._connections):
            await connection.socket.close(code=code)

    def abort(self) -> None:
        """Cut every connection without a close frame."""
        for connection in tuple(self._connections):
            connection.abort()

    def ask_to_reconnect(self) -> None:
        """Send op 7 on every connection."""
        for connection in self._connections:
            connection.send({"op": 7, "d": None})

    def invalidate(self, *, resumable: bool = False) -> None:
        """Send op 9 on every connection; unless resumable the sessions are forgotten."""
        for connection in self._connections:
            connection.send({"op": 9, "d": resumable})
        if not resumable:
            self.sessions.clear()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one WebSocket connection from hello to close."""
        if self._faults.refuses_gateway:
            raise web.HTTPServiceUnavailable
        socket = web.WebSocketResponse(timeout=_CLOSE_WITHIN_S, max_msg_size=1 << 20)
        await socket.prepare(request)
        compressed = request.query.get("compress") == "zlib-stream"
        connection = Connection(socket, request.transport, compressed=compressed)
        self._connections.add(connection)
        writer = asyncio.create_task(connection.write_all(), name="sandbox-gateway-writer")
        interval_ms = int(self._heartbeat_interval_s * 1000)
        connection.send({"op": 10, "d": {"heartbeat_interval": interval_ms}})
        try:
            await self._read(connection)
        finally:
            self._connections.discard(connection)
            self._detach(connection)
            connection.finish()
            await writer
        return socket

    async def _read(self, connection: Connection) -> None:
        socket = connection.socket
        patience_s = self._heartbeat_interval_s * 1.5
        while not socket.closed:
            try:
                message = await socket.receive(timeout=patience_s)
            except TimeoutError:
                await socket.close(code=4009, message=b"Session timed out.")
                return
            if message.type is not WSMsgType.TEXT:
                return
            code = self._take(connection, message.data)
            if code is not None:
                await socket.close(code=code)

    def _take(self, connection: Connection, text: str) -> int | None:
        """Handle one frame and return the close code if the client has erred."""
        try:
            frame = json.loads(text)
            operation, data = frame["op"], frame.get("d")
        except (ValueError, KeyError, TypeError):
            return 4002
        if operation == 1:
            self.heartbeats += 1
            if self._faults.acknowledges_heartbeats:
                connection.send({"op": 11, "d": None})
            return None
        if operation == 2:
            return self._identify(connection, data)
        if operation == 6:
            return self._resume(connection, data)
        if operation not in (3, 4, 8):
            return 4001
        session = self._session_of(connection)
        if session is None:
            return 4003
        if operation == 8:
            self._send_members(session, data)
        return None

    def _identify(self, connection: Connection, data: Payload) -> int | None:
        if data.get("token") != self._token:
            return 4004
        if self._session_of(connection) is not None:
            return 4005
        intents = int(data.get("intents", 0))
        if intents & _PRIVILEGED & ~self.allowed_intents:
            return 4014
        session = Session(f"session-{self._state.next_id()}", intents, connection=connection)
        self.sessions[session.id] = session
        guilds = self._state.bot_guilds()
        session.push("READY", self._ready(session, [guild.id for guild in guilds]))
        if intents & _GUILDS_INTENT:
            for guild in guilds:
                payload = guild_payload(self._state, guild, for_gateway=True)
                session.push("GUILD_CREATE", payload)
        self._publish("identified")
        return None

    def _ready(self, session: Session, guild_ids: list[int]) -> Payload:
        application = {"id": str(self._state.application_id), "flags": 0}
        address = self._state.base_url.replace("http://", "ws://")
        return {
            "v": 10,
            "user": user_payload(self._state.bot),
            "guilds": [{"id": str(guild_id), "unavailable": True} for guild_id in guild_ids],
            "session_id": session.id,
            "resume_gateway_url": f"{address}/gateway",
            "application": application,
        }

    def _resume(self, connection: Connection, data: Payload) -> int | None:
        if data.get("token") != self._token:
            return 4004
        session = self.sessions.get(data.get("session_id", ""))
        last = data.get("seq")
        missed = session.missed_since(last) if session and isinstance(last, int) else None
        if session is None or missed is None:
            connection.send({"op": 9, "d": False})
            return None
        session.connection = connection
        for frame in missed:
            connection.send(frame)
        session.push("RESUMED", {})
        self._publish("resumed")
        return None

    def _send_members(self, session: Session, data: Payload) -> None:
        guild_id = int(data["guild_id"])
        wanted = {int(i) for i in data.get("user_ids") or ()}
        members = [
            full_member_payload(self._state, guild_id, member.user_id)
            for member in self._state.guild_members(guild_id)
            if not wanted or member.user_id in wanted
        ]
        chunk = {"guild_id": str(guild_id), "members": members, "chunk_index": 0, "chunk_count": 1}
        if data.get("nonce"):
            chunk["nonce"] = data["nonce"]
        session.push("GUILD_MEMBERS_CHUNK", chunk)

    def _session_of(self, connection: Connection) -> Session | None:
        return next((s for s in self.sessions.values() if s.connection is connection), None)

    def _detach(self, connection: Connection) -> None:
        session = self._session_of(connection)
        if session is not None:
            session.connection = None
            self._publish("disconnected")

    def _publish(self, detail: str) -> None:
        self._state.log.publish(Change(ChangeKind.GATEWAY, detail=detail))
