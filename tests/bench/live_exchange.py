"""An exchange that sends frames as fast as they are taken: `python -m tests.bench.live_exchange`.

It speaks as much of Binance's WebSocket protocol as live data needs, and prints its address. Each
line on standard input is an order; it is answered with a line when its frames are made, and with
when the first was sent (seconds, monotonic) once all were. It ends with its standard input.
"""

import asyncio
import json
import sys
import time
from itertools import islice
from typing import Any, Final

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from tests.bench.live_market import Order, frames

_AT_ONCE: Final = 50
_Client = tuple[set[str], asyncio.StreamWriter]


class FrameServer:
    """The sockets, and what each has subscribed to."""

    def __init__(self) -> None:
        self._clients: list[_Client] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Shake hands and answer requests until the socket ends."""
        protocol, channels = ServerProtocol(), set[str]()
        client = channels, writer
        self._clients.append(client)
        while data := await reader.read(65_536):
            protocol.receive_data(data)
            for event in protocol.events_received():
                if isinstance(event, Request):
                    protocol.send_response(protocol.accept(event))
                elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                    protocol.send_text(_answer(channels, json.loads(bytes(event.data))))
            writer.writelines(protocol.data_to_send())
        self._clients.remove(client)
        writer.close()

    async def make(self, order: Order) -> list[tuple[asyncio.StreamWriter, bytes]]:
        """Return the bytes of an order's frames, each with the socket that has asked for it."""
        made = [
            (channel, Frame(Opcode.TEXT, text.encode()).serialize(mask=False))
            for channel, text in frames(order)
        ]
        wanted = {channel for channel, _ in made}
        # A request may still be on its way.
        while not wanted <= (writers := self._writers()).keys():  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)
        return [(writers[channel], data) for channel, data in made]

    async def send(self, made: list[tuple[asyncio.StreamWriter, bytes]], pace: float) -> float:
        """Send frames at a pace, waiting where the other side is slower; return when it began."""
        begun = time.monotonic()
        rest, sent = iter(made), 0
        while chunk := list(islice(rest, _AT_ONCE)):
            if pace and (early := begun + sent / pace - time.monotonic()) > 0:
                await asyncio.sleep(early)
            for writer in {writer for writer, _ in chunk}:
                writer.write(b"".join(data for owner, data in chunk if owner is writer))
                await writer.drain()
            sent += len(chunk)
        return begun

    def _writers(self) -> dict[str, asyncio.StreamWriter]:
        return {name: writer for channels, writer in self._clients for name in channels}


def _answer(channels: set[str], request: dict[str, Any]) -> bytes:
    if request["method"] == "SUBSCRIBE":
        channels.update(request["params"])
    else:
        channels.difference_update(request["params"])
    return json.dumps({"result": None, "id": request["id"]}).encode()


async def main() -> None:
    """Serve until standard input ends."""
    exchange = FrameServer()
    async with await asyncio.start_server(exchange.serve, "127.0.0.1") as server:
        host, port = server.sockets[0].getsockname()
        print(f"ws://{host}:{port}", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            order = Order.from_json(line)
            made = await exchange.make(order)
            print("made", flush=True)
            print(await exchange.send(made, order.per_second), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
