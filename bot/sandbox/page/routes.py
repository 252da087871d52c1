"""The page's addresses on the sandbox's server, and what each answers."""

import json
import logging
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from bot.sandbox.errors import InvalidInput, SandboxError
from bot.sandbox.models import Payload
from bot.sandbox.page.actions import Action, actions, stand
from bot.sandbox.page.gate import FILE_POLICY, Gate
from bot.sandbox.page.live import LivePages
from bot.sandbox.page.render import Renderer, shown_name
from bot.sandbox.server import SandboxDiscord

log = logging.getLogger(__name__)

_STATIC = Path(__file__).parent / "static"
_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
}
_SHOWN_IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


class SandboxPage:
    """The page of one sandbox; make it before the sandbox's server starts.

    `users` are the people of the home guild whom the page lets one be, the first at the start.
    """

    def __init__(
        self, sandbox: SandboxDiscord, *, users: tuple[str, ...] = ("operator", "viewer")
    ) -> None:
        self._sandbox = sandbox
        self._users = users
        self._gate = Gate()
        self._live = LivePages(sandbox, users)
        self._actions: dict[str, Action] = actions()
        self._static = {path.name: path for path in _STATIC.iterdir() if path.suffix in _TYPES}
        sandbox.app.add_routes(self._routes())
        sandbox.app.on_shutdown.append(self._close)

    @property
    def url(self) -> str:
        """The page's address with its secret, known once the server has started."""
        return f"{self._sandbox.base_url}/channel/{self._gate.token}/"

    def _routes(self) -> list[web.RouteDef]:
        base, reading, acting = "/channel/{token}", self._gate.reading, self._gate.acting
        return [
            web.get(base, reading(self._add_slash)),
            web.get(f"{base}/", reading(self._show)),
            web.get(base + "/static/{name}", reading(self._show_static)),
            web.get(base + "/files/{channel_id}/{attachment_id}/{filename}", reading(self._file)),
            web.get(f"{base}/start", reading(self._start)),
            web.get(f"{base}/older", reading(self._older)),
            web.get(f"{base}/live", acting(self._live.handle)),
            web.post(base + "/act/{action}", acting(self._act)),
        ]

    async def _close(self, app: web.Application) -> None:
        await self._live.close()

    async def _add_slash(self, request: web.Request) -> web.Response:
        return web.Response(status=308, headers={"Location": f"{request.path}/"})

    async def _show(self, request: web.Request) -> web.Response:
        return _static_answer(self._static["index.html"])

    async def _show_static(self, request: web.Request) -> web.Response:
        path = self._static.get(request.match_info["name"])
        return web.Response(status=404) if path is None else _static_answer(path)

    async def _start(self, request: web.Request) -> web.Response:
        """Tell whom the page can be and where it begins."""
        sandbox = self._sandbox
        found = {name: sandbox.user(name) for name in self._users}
        people = [
            {"name": name, "id": str(driver.user.id), "shown": shown_name(driver.user)}
            for name, driver in found.items()
        ]
        guild = sandbox.state.guilds[sandbox.guild_id].name
        start = {"guild": guild, "users": people, "channel": str(sandbox.channel_id)}
        return web.json_response(start)

    async def _older(self, request: web.Request) -> web.Response:
        query = request.query
        try:
            driver = stand(self._sandbox, self._users, query.get("user"), query.get("channel"))
            before = query.get("before", "")
            if not before.isdecimal():
                raise InvalidInput(f"'before' must be a message's id, not {before!r}")
        except SandboxError as error:
            return _refusal(error)
        older = Renderer(self._sandbox, driver.user).older(driver, int(before))
        return web.json_response(older)

    async def _file(self, request: web.Request) -> web.Response:
        number = request.match_info["attachment_id"]
        found = self._sandbox.state.attachment(int(number)) if number.isdecimal() else None
        if found is None:
            return web.Response(status=404)
        # A file is the bot's: it never runs as part of the page, and only pictures open in it.
        shown = found.content_type in _SHOWN_IMAGES
        name = quote(found.filename)
        disposition = f"{'inline' if shown else 'attachment'}; filename*=UTF-8''{name}"
        headers = {
            "Content-Disposition": disposition,
            "Content-Security-Policy": FILE_POLICY,
            "Content-Type": found.content_type,
            # A file never changes, and a message is drawn anew at each edit.
            "Cache-Control": "private, max-age=86400, immutable",
        }
        return web.Response(body=found.data, headers=headers)

    async def _act(self, request: web.Request) -> web.Response:
        action = self._actions.get(request.match_info["action"])
        if action is None:
            return web.Response(status=404)
        try:
            body = await _read(request)
            user, channel = body.get("user"), body.get("channel")
            driver = stand(self._sandbox, self._users, user, channel)
            return web.json_response(await action(self._sandbox, driver, body))
        except SandboxError as error:
            return _refusal(error)
        # The border of the page: its user gets one line, the log the rest.
        except Exception as error:
            log.exception("the page failed at %s", request.match_info["action"])
            text = f"the sandbox failed: {type(error).__name__}: {error}"
            return web.json_response({"error": " ".join(text.split())}, status=500)


async def _read(request: web.Request) -> Payload:
    if request.content_type != "application/json":
        raise InvalidInput("the page's requests are JSON")
    try:
        body = json.loads(await request.text())
    except ValueError as error:
        raise InvalidInput("the request is not JSON") from error
    if not isinstance(body, dict):
        raise InvalidInput("the request must be an object")
    return body


def _refusal(error: SandboxError) -> web.Response:
    return web.json_response({"error": " ".join(str(error).split())}, status=400)


def _static_answer(path: Path) -> web.Response:
    kind = _TYPES[path.suffix]
    return web.Response(text=path.read_text(encoding="utf-8"), content_type=kind, charset="utf-8")
