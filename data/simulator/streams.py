"""The WebSocket side: subscriptions, and the sending of frames in market-time order.

Faults of frames are carried out here. Which frames exist is decided in `events`.
"""

import asyncio
import heapq
import json
import logging
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import ClientError, WSMsgType, web

from data.simulator.clock import Reach
from data.simulator.events import Frame, FrameSource
from data.simulator.faults import FaultControl
from data.simulator.path import MINUTE_MS
from data.simulator.render import compact_json

log = logging.getLogger(__name__)

_PING_SECONDS = 180.0
_SEND_TIMEOUT_SECONDS = 10.0
_INVALID_REQUEST = {"error": {"code": 2, "msg": "Invalid request: unknown method or parameters"}}


@dataclass(eq=False, slots=True)
class Client:
    """Hold one connected socket; `mute` ones take subscriptions and never get a frame."""

    socket: web.WebSocketResponse
    request: web.Request
    combined: bool
    mute: bool
    streams: dict[str, None] = field(default_factory=dict)

    def drop(self) -> None:
        """Cut the connection without a closing handshake."""
        if self.request.transport is not None:
            self.request.transport.abort()


class StreamHub:
    """Serve sockets: answer their requests, and send them what they subscribed to."""

    def __init__(self, source: FrameSource, faults: FaultControl) -> None:
        self._source = source
        self._faults = faults
        self._clients: list[Client] = []
        self._late: list[tuple[int, int, Frame]] = []  # heap of (send time, tie-break, frame)
        self._swapped: dict[str, Frame] = {}
        self._held_count = 0

    def subscriptions(self) -> list[list[str]]:
        """Return the streams of every connected socket."""
        return [list(client.streams) for client in self._clients]

    def drop_all(self) -> int:
        """Cut every connection now, and return how many there were."""
        clients = list(self._clients)
        for client in clients:
            client.drop()
        self._faults.counters["dropped_sockets"] += len(clients)
        return len(clients)

    async def close(self) -> None:
        """Say goodbye to every socket."""
        for client in list(self._clients):
            await client.socket.close(code=1001, message=b"simulator stops")

    async def serve(
        self, request: web.Request, *, combined: bool, mute: bool, streams: list[str]
    ) -> web.WebSocketResponse:
        """Serve one socket until it closes."""
        socket = web.WebSocketResponse(heartbeat=_PING_SECONDS, compress=False)
        await socket.prepare(request)
        client = Client(socket, request, combined, mute, dict.fromkeys(streams))
        self._clients.append(client)
        self._faults.counters["sockets"] += 1
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await socket.send_str(self._answer(client, message.data))
        finally:
            self._clients.remove(client)
        return socket

    async def deliver(self, after_ms: int, until_ms: int, reach: Reach) -> None:
        """Send every frame with after_ms < time <= until_ms, telling `reach` each time."""
        while after_ms < until_ms:
            # a minute at a time: subscriptions may change while frames are on their way
            step = min(until_ms, after_ms + MINUTE_MS)
            wanted = {stream for client in self._clients for stream in client.streams}
            for frame in self._source.frames(wanted, after_ms, step):
                await self._release_late(frame.time_ms, reach)
                reach(frame.time_ms)
                await self._pass_on(frame)
            await self._release_late(step, reach)
            reach(step)
            after_ms = step

    async def _release_late(self, until_ms: int, reach: Reach) -> None:
        while self._late and self._late[0][0] <= until_ms:
            time_ms, _, frame = heapq.heappop(self._late)
            reach(time_ms)
            await self._send(frame)

    async def _pass_on(self, frame: Frame) -> None:
        """Send a frame, or do what the faults ask for instead."""
        if self._faults.hides_from_stream(frame.symbol, frame.open_time_ms):
            self._faults.counters["hidden_frames"] += 1
            return
        if not frame.closes:
            await self._send(frame)
            return
        if self._faults.take_close_fault("revised_closes"):
            frame = _revised(frame)
        if self._faults.take_close_fault("late_closes"):
            self._held_count += 1
            due = frame.time_ms + self._faults.current.late_ms
            heapq.heappush(self._late, (due, self._held_count, frame))
            return
        if frame.stream not in self._swapped and self._faults.take_close_fault("swapped_closes"):
            self._swapped[frame.stream] = frame
            return
        await self._send(frame)
        if self._faults.take_close_fault("duplicate_closes"):
            await self._send(frame)
        if frame.stream in self._swapped:
            await self._send(self._swapped.pop(frame.stream))

    async def _send(self, frame: Frame) -> None:
        if self._faults.current.mute:
            self._faults.counters["muted_frames"] += 1
            return
        for client in list(self._clients):
            if frame.stream not in client.streams or client.mute:
                continue
            text = frame.text
            if client.combined:
                text = f'{{"stream":"{frame.stream}","data":{text}}}'
            await self._send_text(client, text)

    async def _send_text(self, client: Client, text: str) -> None:
        try:
            async with asyncio.timeout(_SEND_TIMEOUT_SECONDS):
                await client.socket.send_str(text)
        except TimeoutError:
            log.warning(
                "socket does not read its frames; dropped after %s s", _SEND_TIMEOUT_SECONDS
            )
            client.drop()
        except (ConnectionError, ClientError):
            log.info("socket went away while a frame was sent")
            client.drop()
        else:
            self._faults.counters["frames"] += 1

    def _answer(self, client: Client, text: str) -> str:
        try:
            message = json.loads(text)
        except ValueError:
            return compact_json({"error": {"code": 3, "msg": "Invalid JSON"}})
        if not isinstance(message, dict):
            return compact_json(_INVALID_REQUEST)
        return compact_json({**_carry_out(client, message), "id": message.get("id")})


def _carry_out(client: Client, message: dict[str, Any]) -> dict[str, Any]:
    method, params = message.get("method"), message.get("params", [])
    if method == "LIST_SUBSCRIPTIONS":
        return {"result": list(client.streams)}
    if not (isinstance(params, list) and all(isinstance(name, str) for name in params)):
        return _INVALID_REQUEST
    if method == "SUBSCRIBE":
        client.streams.update(dict.fromkeys(params))
    elif method == "UNSUBSCRIBE":
        for name in params:
            client.streams.pop(name, None)
    else:
        return _INVALID_REQUEST
    return {"result": None}


def _revised(frame: Frame) -> Frame:
    """Return the frame with a close at the candle's low and half its volume."""
    payload = json.loads(frame.text)
    candle = payload["k"]
    candle["c"] = candle["l"] if candle["c"] != candle["l"] else candle["h"]
    digits = len(candle["v"].partition(".")[2])
    candle["v"] = f"{float(candle['v']) / 2:.{digits}f}"
    candle["V"] = f"{min(float(candle['V']), float(candle['v'])):.{digits}f}"
    return replace(frame, text=compact_json(payload))
