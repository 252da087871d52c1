"""The simulator as the command line starts it."""

import asyncio

import aiohttp
import pytest

from data.simulator.server import run_simulator


async def test_it_announces_its_addresses_and_runs_until_cancelled():
    lines: asyncio.Queue[str] = asyncio.Queue()
    task = asyncio.create_task(run_simulator(0, 3, 60.0, lines.put_nowait))
    async with asyncio.timeout(10):
        announced = [await lines.get() for _ in range(3)]
    address = announced[1].split()[-1]
    async with aiohttp.ClientSession(address) as http, http.get("/simulator/state") as response:
        state = await response.json()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert "not real" in announced[0]
    assert announced[2].split()[-1].startswith("ws://127.0.0.1:")
    assert (state["seed"], state["speed"]) == (3, 60.0)


async def test_a_port_in_use_is_an_error():
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(OSError, match="address already in use"):
            await run_simulator(port, 1, 1.0, print)
