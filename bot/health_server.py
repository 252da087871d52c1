"""`GET /healthz` for supervisors, and a heartbeat for a dead man's switch. Decides nothing itself.

What "healthy" means is in bot.services.readiness. Nothing else is served here.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
from aiohttp import web
from pydantic import SecretStr

from bot.errors import InvalidSettings
from bot.services.readiness import Readiness

log = logging.getLogger(__name__)

PATH: Final = "/healthz"
EVERY_S: Final = 60.0
VALID_S: Final = 2.0
_CALL_TIMEOUT_S: Final = 10.0

Look = Callable[[], Awaitable[Readiness]]


class Glance:
    """The newest look, shared for a moment: however many ask, the database is written seldom."""

    def __init__(self, look: Look, *, valid_s: float = VALID_S) -> None:
        self._look = look
        self._valid_s = valid_s
        self._turn = asyncio.Lock()
        self._taken: tuple[float, Readiness] | None = None

    async def __call__(self) -> Readiness:
        """Return how the bot is, at most `valid_s` ago."""
        async with self._turn:
            now = asyncio.get_running_loop().time()
            if self._taken is None or now - self._taken[0] >= self._valid_s:
                self._taken = now, await self._look()
            return self._taken[1]


@asynccontextmanager
async def serve_health(look: Look, port: int, *, host: str = "0.0.0.0") -> AsyncIterator[int]:
    """Answer `GET /healthz` until the block ends; give the port (another than 0).

    200 where all is well, else 503; the body is JSON and says why.

    Raises:
        InvalidSettings: the port is taken or not allowed.
    """
    glance = Glance(look)

    async def answer(request: web.Request) -> web.Response:
        found = await glance()
        headers = {"Cache-Control": "no-store"}
        return web.json_response(
            found.to_json(), status=200 if found.is_ready else 503, headers=headers
        )

    app = web.Application()
    app.router.add_get(PATH, answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await _begin(site, port)
        bound: int = runner.addresses[0][1]
        log.info("health is told at port %d%s", bound, PATH)
        yield bound
    finally:
        await runner.cleanup()


async def _begin(site: web.TCPSite, port: int) -> None:
    try:
        await site.start()
    except OSError as error:
        raise InvalidSettings(
            f"PORT {port} can't be listened on ({error.strerror}): choose another, or unset it"
        ) from error


class Heartbeat:
    """Looks at the bot every minute and calls an address while all is well.

    A dead man's switch behind the address alarms when the calls cease. The address is a secret:
    who knows it can keep the switch quiet, so no error of a call is logged in full.
    """

    def __init__(self, look: Look, url: SecretStr | None, *, every_s: float = EVERY_S) -> None:
        self._look = look
        self._url = url
        self._every_s = every_s
        self._reasons: tuple[str, ...] = ()
        self._is_unheard = False

    async def run(self) -> None:
        """Look and call until cancelled."""
        timeout = aiohttp.ClientTimeout(total=_CALL_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                # First of all it waits: a bot that has just started is not connected yet.
                await asyncio.sleep(self._every_s)
                await self.beat(session)

    async def beat(self, session: aiohttp.ClientSession) -> None:
        """Look once; call if all is well."""
        found = await self._look()
        if found.reasons != self._reasons:
            self._reasons = found.reasons
            log.warning("health: %s", "; ".join(found.reasons) or "all is well again")
        if found.is_ready and self._url is not None:
            await self._call(session, self._url.get_secret_value())

    async def _call(self, session: aiohttp.ClientSession, url: str) -> None:
        try:
            async with session.get(url) as response:
                problem = None if response.ok else f"it answers {response.status}"
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            problem = type(error).__name__
        if problem is not None and not self._is_unheard:
            log.warning("HEARTBEAT_URL can't be called: %s", problem)
        elif problem is None and self._is_unheard:
            log.info("HEARTBEAT_URL can be called again")
        self._is_unheard = problem is not None
