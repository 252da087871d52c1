"""The simulated exchange: one HTTP server on loopback with REST, streams and control routes.

Prices are simulated and every answer says so. No market is computed here.
"""

import asyncio
import dataclasses
import json
import socket
import struct
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from data.simulator.clock import MarketClock, SimulatorClock, SteppedClock
from data.simulator.errors import ApiError, FaultRequestError
from data.simulator.events import FrameSource
from data.simulator.faults import FaultControl, Faults, RestFault, parse_faults
from data.simulator.limits import WeightLimit, request_weight
from data.simulator.market import LISTED_AT_MS, SimulatedMarket
from data.simulator.render import compact_json
from data.simulator.rest import RestRoutes, Route
from data.simulator.streams import StreamHub

HOST = "127.0.0.1"
_PUMP_SECONDS = 0.02
_TOO_MANY = "Too many requests; current limit is 2400 requests per minute."
_BANNED = "Way too many requests; IP banned. Please use the websocket for live updates."


class SimulatedExchange:
    """Serve a simulated market on loopback while entered with `async with`.

    Without a clock, market time is this machine's time. `port` 0 takes a free one.
    `rate_limit=False` never refuses for weight; `kline_updates=False` sends candles at their
    close only; `update_ms` is the pace of updates in market time.
    """

    def __init__(
        self,
        *,
        seed: int,
        clock: MarketClock | None = None,
        faults: Faults | None = None,
        port: int = 0,
        rate_limit: bool = True,
        kline_updates: bool = True,
        update_ms: int = 250,
        listed_at: int = LISTED_AT_MS,
    ) -> None:
        self.market = SimulatedMarket(seed, listed_at)
        self.clock: MarketClock = clock or SimulatorClock()
        self.faults = FaultControl(faults)
        self._limit = WeightLimit(enforced=rate_limit)
        self._routes = RestRoutes(self.market, self.clock, self.faults).table()
        source = FrameSource(self.market, kline_updates=kline_updates, update_ms=update_ms)
        self._hub = StreamHub(source, self.faults)
        self._asked_port = port
        self._port = 0
        self._runner: web.AppRunner | None = None
        self._pump: asyncio.Task[None] | None = None

    @property
    def rest_url(self) -> str:
        """Return scheme, host and port of the REST side."""
        return f"http://{HOST}:{self._port}"

    @property
    def ws_url(self) -> str:
        """Return scheme, host and port of the WebSocket side."""
        return f"ws://{HOST}:{self._port}"

    async def __aenter__(self) -> Self:
        self._runner = web.AppRunner(self._make_app(), access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, self._asked_port)
        try:
            await site.start()
        except OSError:
            await self._runner.cleanup()
            raise
        self._port = self._runner.addresses[0][1]
        if isinstance(self.clock, SteppedClock):
            self.clock.attach(self._hub.deliver)
        else:
            self._pump = asyncio.create_task(self._run_pump(), name="simulator-frames")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(self.clock, SteppedClock):
            self.clock.detach()
        await self._hub.close()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.wait([self._pump])
            if not self._pump.cancelled():
                self._pump.result()  # frames stopped for a reason that nobody has seen yet

    async def wait_broken(self) -> None:
        """Wait for as long as frames are being sent; raises what stopped them."""
        if self._pump is None:
            await asyncio.Event().wait()
        else:
            await self._pump

    async def set_faults(self, *, drop_sockets: bool = False, **changes: Any) -> None:
        """Change faults; with `drop_sockets`, or when an outage begins, cut the connections."""
        self.faults.set(**changes)
        if drop_sockets or self.faults.in_outage(self.clock.now_ms()):
            self._hub.drop_all()
            await asyncio.sleep(0)  # let the sockets notice

    def state(self) -> dict[str, Any]:
        """Return market time, faults still to come, counters and subscriptions."""
        return {
            "simulated": True,
            "seed": self.market.seed,
            "now_ms": self.clock.now_ms(),
            "speed": self.clock.speed,
            "faults": dataclasses.asdict(self.faults.current),
            "counters": dict(self.faults.counters),
            "sockets": self._hub.subscriptions(),
        }

    async def _run_pump(self) -> None:
        sent_until = self.clock.now_ms()
        while True:
            await asyncio.sleep(_PUMP_SECONDS)
            now = self.clock.now_ms()
            await self._hub.deliver(sent_until, now, _ignore_time)
            sent_until = now

    def _make_app(self) -> web.Application:
        app = web.Application(middlewares=[self._refuse_in_outage])
        app.on_response_prepare.append(_label)
        for path, route in self._routes.items():
            app.router.add_get(path, self._rest_handler(path, route))
        for prefix in ("/market", "/public", ""):
            app.router.add_get(f"{prefix}/ws", self._serve_socket)
            app.router.add_get(f"{prefix}/ws/{{rest:.*}}", self._serve_socket)
            app.router.add_get(f"{prefix}/stream", self._serve_socket)
        app.router.add_get("/simulator/state", self._get_state)
        app.router.add_post("/simulator/faults", self._post_faults)
        return app

    @web.middleware
    async def _refuse_in_outage(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Any],
    ) -> web.StreamResponse:
        controls = request.path.startswith("/simulator/")
        if not controls and self.faults.in_outage(self.clock.now_ms()):
            self.faults.counters["refused_connections"] += 1
            return _reset(request)
        response: web.StreamResponse = await handler(request)
        return response

    def _rest_handler(self, path: str, route: Route) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.StreamResponse:
            self.faults.counters[f"GET {path}"] += 1
            admission = self._limit.admit(request_weight(path, request.query))
            weight = {"X-MBX-USED-WEIGHT-1M": str(admission.used_weight)}
            if not admission.allowed:
                self.faults.counters["over_weight"] += 1
                headers = weight | {"Retry-After": str(admission.retry_after_s)}
                return _error(ApiError(-1003, _TOO_MANY, status=429), headers)
            fault = self.faults.take_rest_fault(path)
            if fault in ("too_many_requests", "banned", "server_error"):
                return self._refuse(fault, weight)
            if fault == "reset":
                return _reset(request)
            if fault == "slow":
                await asyncio.sleep(self.faults.current.slow_seconds)
            response = _answer(route, request, weight)
            return await _truncate(request, response) if fault == "truncated" else response

        return handle

    def _refuse(self, fault: RestFault, headers: dict[str, str]) -> web.Response:
        if fault == "server_error":
            return web.Response(status=503, text="Service unavailable", headers=headers)
        status, message = (429, _TOO_MANY) if fault == "too_many_requests" else (418, _BANNED)
        wait = {"Retry-After": str(self.faults.current.retry_after_s)}
        return _error(ApiError(-1003, message, status=status), headers | wait)

    async def _serve_socket(self, request: web.Request) -> web.StreamResponse:
        combined = request.path.endswith("/stream")
        listed = (
            request.query.get("streams", "") if combined else request.match_info.get("rest", "")
        )
        # ccxt appends the number of its connection to the path: not a stream
        streams = [name for name in listed.split("/") if "@" in name]
        # the paths without /market take subscriptions to market streams and send nothing
        mute = not request.path.startswith("/market/")
        return await self._hub.serve(request, combined=combined, mute=mute, streams=streams)

    async def _get_state(self, _request: web.Request) -> web.Response:
        return _json(compact_json(self.state()))

    async def _post_faults(self, request: web.Request) -> web.Response:
        try:
            body = await request.json()
            if not isinstance(body, dict):
                raise FaultRequestError("send a JSON object of faults")
            if "outage_ms" in body:
                body["outage_until_ms"] = self.clock.now_ms() + int(body.pop("outage_ms"))
            await self.set_faults(**parse_faults(body))
        except (json.JSONDecodeError, FaultRequestError, TypeError, ValueError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return _json(compact_json(self.state()))


async def run_simulator(
    port: int,
    seed: int,
    speed: float,
    announce: Callable[[str], None],
    *,
    rate_limit: bool = True,
) -> None:
    """Serve a simulated exchange until cancelled, from this machine's time at `speed`."""
    clock = SimulatorClock(speed=speed)
    async with SimulatedExchange(
        seed=seed, clock=clock, port=port, rate_limit=rate_limit
    ) as exchange:
        announce(f"Simulated exchange (prices are not real), seed {seed}, speed {speed:g}x")
        announce(f"REST       {exchange.rest_url}")
        announce(f"WebSocket  {exchange.ws_url}")
        await exchange.wait_broken()


def _ignore_time(_time_ms: int) -> None:
    """Stand in for the clock where it runs by itself."""


async def _label(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers["X-Simulated"] = "1"


def _json(text: str, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        body=text.encode(), status=status, content_type="application/json", headers=headers
    )


def _error(error: ApiError, headers: dict[str, str]) -> web.Response:
    text = compact_json({"code": error.code, "msg": error.message})
    return _json(text, status=error.status, headers=headers)


def _answer(route: Route, request: web.Request, headers: dict[str, str]) -> web.Response:
    try:
        return _json(route(request.query), headers=headers)
    except ApiError as error:
        return _error(error, headers)


def _reset(request: web.Request) -> web.Response:
    """Cut the connection with a TCP reset; the response is never sent."""
    transport = request.transport
    if transport is not None:
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()


async def _truncate(request: web.Request, response: web.Response) -> web.StreamResponse:
    """Send the first half of a body whose full length was announced, then hang up."""
    body = response.body if isinstance(response.body, bytes) else b""
    partial = web.StreamResponse(status=response.status, headers=response.headers)
    partial.content_length = len(body)
    await partial.prepare(request)
    await partial.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return partial
