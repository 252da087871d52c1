"""Who may use the page: requests with its token, from its own address, sent by itself.

Other web pages in the same browser can reach 127.0.0.1 too, so each answer is also fenced in.
"""

import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# A name that an attacker's DNS points at this machine is neither of these.
_OWN_NAMES = frozenset({"127.0.0.1", "localhost"})

_FENCES = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self' ws://{host}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
FILE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


class Gate:
    """Lets requests through to the page's handlers; `token` is the secret in its address."""

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(24)

    def reading(self, handler: Handler) -> Handler:
        """Return the handler behind the checks of the token and the Host header."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            if not self._is_admitted(request):
                return _fenced(request, web.Response(status=404, text="404: Not Found"))
            return _fenced(request, await handler(request))

        return guarded

    def acting(self, handler: Handler) -> Handler:
        """Return the handler behind the checks of `reading` and of the Origin header."""

        async def checked(request: web.Request) -> web.StreamResponse:
            if not _is_same_origin(request):
                return web.json_response({"error": "only the page itself may do this"}, status=403)
            return await handler(request)

        return self.reading(checked)

    def _is_admitted(self, request: web.Request) -> bool:
        given = request.match_info.get("token", "")
        known = secrets.compare_digest(given.encode(), self.token.encode())
        return known and urlsplit(f"//{request.host}").hostname in _OWN_NAMES


def _is_same_origin(request: web.Request) -> bool:
    return request.headers.get("Origin") == f"http://{request.host}"


def _fenced(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    # A WebSocket has sent its headers already.
    if not response.prepared:
        for name, value in _FENCES.items():
            response.headers.setdefault(name, value)
        policy = _POLICY.format(host=request.host)
        response.headers.setdefault("Content-Security-Policy", policy)
    return response
