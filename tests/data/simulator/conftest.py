"""A simulated exchange whose clock stands still, and real clients pointed at it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import aiohttp
import ccxt.async_support
import ccxt.pro
import pytest

from data.simulator.clock import SteppedClock
from data.simulator.server import SimulatedExchange

NOW = 1_735_741_830_250  # 2025-01-01 14:30:30.250, a Wednesday


def redirect(urls, rest_url, ws_url):
    """Replace scheme and host of every address; the paths stay."""
    if isinstance(urls, dict):
        return {key: redirect(value, rest_url, ws_url) for key, value in urls.items()}
    base = ws_url if urls.startswith("ws") else rest_url
    return base + urlsplit(urls).path


@pytest.fixture
def clock():
    return SteppedClock(NOW)


@pytest.fixture
async def exchange(clock) -> AsyncIterator[SimulatedExchange]:
    async with SimulatedExchange(seed=4, clock=clock) as running:
        yield running


@pytest.fixture
async def http(exchange):
    async with aiohttp.ClientSession(exchange.rest_url) as session:
        yield session


@pytest.fixture
def connect_ccxt():
    """Open real ccxt against a simulated exchange; `pro=True` for its WebSocket side."""

    @asynccontextmanager
    async def connect(exchange, *, pro=False):
        module = ccxt.pro if pro else ccxt.async_support
        client = module.binanceusdm({"enableRateLimit": False})
        client.urls["api"] = redirect(client.urls["api"], exchange.rest_url, exchange.ws_url)
        try:
            yield client
        finally:
            await client.close()

    return connect
