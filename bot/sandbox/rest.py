"""The frame of the REST interface: authorisation, faults, rate limits, bodies, error answers.

The routes themselves are in the routes_*.py modules.
"""

import json
import re
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import BodyPartReader, web

from bot.sandbox import errors, rules
from bot.sandbox.commands import CommandRegister
from bot.sandbox.composing import Upload
from bot.sandbox.errors import DiscordError
from bot.sandbox.faults import Fault, FaultKind, Faults
from bot.sandbox.gateway import Gateway
from bot.sandbox.interactions import InteractionDesk
from bot.sandbox.models import UploadedFile
from bot.sandbox.ratelimits import RateLimiter
from bot.sandbox.state import State

API = "/api/v10"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_FILE_PART = re.compile(r"files\[(\d+)\]\Z")
_MAJOR = ("channel_id", "guild_id", "webhook_id", "webhook_token")
_BY_TOKEN = re.compile(rf"{API}/(interactions|webhooks)/[^/]+/[^/]+")


@dataclass(frozen=True, slots=True)
class Services:
    """What the routes work with."""

    state: State
    commands: CommandRegister
    desk: InteractionDesk
    gateway: Gateway
    faults: Faults
    limiter: RateLimiter
    bot_token: str


SERVICES = web.AppKey("sandbox_services", Services)


def answer(body: Any, *, status: int = 200) -> web.Response:
    """Return a JSON answer; the bare content type is what discord.py looks for."""
    headers = {"Content-Type": "application/json"}
    return web.Response(body=json.dumps(body).encode(), status=status, headers=headers)


def no_content() -> web.Response:
    """Return the answer to a request that has nothing to say."""
    return web.Response(status=204)


def number(request: web.Request, name: str) -> int:
    """Return an id from the path; raise Discord's 50035 if it isn't one."""
    text = request.match_info[name]
    if not text.isdecimal():
        issue = rules.Issue((name,), "NUMBER_TYPE_COERCE", f'Value "{text}" is not snowflake.')
        raise rules.invalid_form([issue])
    return int(text)


async def read_json(request: web.Request) -> Any:
    """Return the body as JSON; an empty one is an empty object."""
    return _parsed(await request.read() or b"{}")


async def read_upload(request: web.Request) -> Upload:
    """Return the body with its files, from JSON or from a multipart form."""
    if not request.content_type.startswith("multipart/"):
        payload = await read_json(request)
        if not isinstance(payload, dict):
            raise _bad_json()
        return Upload(payload)
    payload, files = {}, {}
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        if not isinstance(part, BodyPartReader):
            raise _bad_json()
        data = bytes(await part.read())
        file_part = _FILE_PART.match(part.name or "")
        if part.name == "payload_json":
            payload = _parsed(data)
        elif file_part is not None:
            name = part.filename or "file"
            files[int(file_part[1])] = UploadedFile(name, data, guess_type(name))
    if sum(len(file.data) for file in files.values()) > rules.REQUEST_BYTES:
        raise errors.request_too_large()
    return Upload(payload, files)


def guess_type(filename: str) -> str:
    """Return the content type that a file's name promises."""
    kinds = {
        ".png": "image/png",
        ".jpg": "image/jpeg",
        ".svg": "image/svg+xml",
        ".csv": "text/csv",
        ".json": "application/json",
        ".txt": "text/plain",
        ".html": "text/html",
    }
    return kinds.get("." + filename.rpartition(".")[2].lower(), "application/octet-stream")


@web.middleware
async def speak_discord(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Apply faults, authorisation and limits to the API and put errors in Discord's words."""
    services = request.app[SERVICES]
    if services.faults.network_down:
        return reset(request)
    if not request.path.startswith(API):
        return await handler(request)
    fault = services.faults.take(request.method, request.path)
    if fault is not None and fault.kind is not FaultKind.LOST_ANSWER:
        return _faulty_answer(request, fault)
    response = await _limited(request, handler, services)
    if fault is not None:
        return answer({"message": "Bad Gateway", "code": 0}, status=fault.status)
    return response


async def _limited(
    request: web.Request, handler: Handler, services: Services
) -> web.StreamResponse:
    resource = request.match_info.route.resource
    path = "" if resource is None else resource.canonical.removeprefix(API)
    major = "+".join(request.match_info.get(name, "") for name in _MAJOR)
    by_token = _BY_TOKEN.match(request.path) is not None
    grant = services.limiter.take(f"{request.method} {path}", major, counts_overall=not by_token)
    if not grant.allowed:
        response = rate_limited(grant.reset_after_s, is_global=grant.is_global)
    else:
        response = await _answered(request, handler, services, by_token=by_token)
    response.headers.update(grant.headers(services.state.clock.now()))
    return response


async def _answered(
    request: web.Request, handler: Handler, services: Services, *, by_token: bool
) -> web.StreamResponse:
    try:
        authorised = request.headers.get("Authorization") == f"Bot {services.bot_token}"
        if not by_token and not authorised:
            raise errors.unauthorized()
        return await handler(request)
    except DiscordError as error:
        return answer(error.body(), status=error.status)
    except web.HTTPException as error:
        return answer(
            {"message": f"{error.status}: {error.reason}", "code": 0}, status=error.status
        )


def rate_limited(retry_after_s: float, *, is_global: bool) -> web.StreamResponse:
    """Return a 429; Via marks it as Discord's own, not its proxy's."""
    body = {
        "message": "You are being rate limited.",
        "retry_after": retry_after_s,
        "global": is_global,
    }
    response = answer(body, status=429)
    response.headers["Via"] = "1.1 sandbox"
    response.headers["Retry-After"] = str(retry_after_s)
    if is_global:
        response.headers["X-RateLimit-Global"] = "true"
    return response


def reset(request: web.Request) -> web.StreamResponse:
    """Cut the request's connection with a TCP reset."""
    transport = request.transport
    if transport is not None:
        raw: socket.socket | None = transport.get_extra_info("socket")
        if raw is not None:
            # Lingering for zero seconds makes the kernel send a reset and not an orderly end.
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response(status=503)


def _faulty_answer(request: web.Request, fault: Fault) -> web.StreamResponse:
    if fault.kind is FaultKind.RESET:
        return reset(request)
    if fault.kind is FaultKind.RATE_LIMIT:
        return rate_limited(fault.retry_after_s, is_global=fault.is_global)
    return answer({"message": "Service fault on request", "code": 0}, status=fault.status)


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError as error:
        raise _bad_json() from error


def _bad_json() -> DiscordError:
    return DiscordError(400, 50109, "The request body contains invalid JSON.")
