"""The simulated exchange in a process of its own: `python -m tests.bench.exchange`.

It prints its address, keeps the addresses of all candle pages that it was asked for under
/bench/pages, and ends with its standard input.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable

from aiohttp import web

from data.simulator.server import SimulatedExchange

PAGES = "/bench/pages"
_SEED = 1
_CANDLES = "/fapi/v1/klines"


class RecordingExchange(SimulatedExchange):
    """A simulated exchange that remembers which pages of candles were asked for."""

    def _make_app(self) -> web.Application:
        pages: list[str] = []

        @web.middleware
        async def record(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            if request.path == _CANDLES:
                pages.append(request.path_qs)
            return await handler(request)

        async def tell(_request: web.Request) -> web.Response:
            return web.json_response(pages)

        app = super()._make_app()
        app.middlewares.append(record)
        app.router.add_get(PAGES, tell)
        return app


async def main() -> None:
    """Serve until standard input ends."""
    async with RecordingExchange(seed=_SEED, rate_limit=False) as exchange:
        print(exchange.rest_url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
