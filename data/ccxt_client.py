"""A ccxt client that reports HTTP refusals as they are, and what its errors mean to us.

ccxt is imported when the first client is made (it takes a second); nothing else here talks.
"""

import asyncio
import importlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from pydantic import SecretStr

from data.errors import (
    ExchangeError,
    ExchangeUnavailable,
    MissingCredentials,
    UnknownSymbol,
    UnsupportedRequest,
)
from data.retry import TransientFault
from data.venues.base import VenueFacts
from data.venues.row_text import RowText, decode_answer

_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]", "::1")
_TRY_AGAIN_STATUSES: Final = frozenset({403, 408, 418, 425, 429})
# Where an exchange refuses an address without saying for how long: Binance bans for two minutes
# at least (418), Bybit for ten (403).
_SILENT_BANS_S: Final[Mapping[int, float]] = {418: 120.0, 403: 600.0}
_BLOCKED: Final = 451
_LONGEST_DETAIL: Final = 200


@dataclass(frozen=True, slots=True)
class ExchangeSettings:
    """What it takes to reach an exchange; secrets are never shown.

    `rest_url` and `ws_url` replace scheme, host and port of the exchange's own addresses.
    """

    name: str
    api_key: SecretStr | None = None
    api_secret: SecretStr | None = None
    rest_url: str | None = None
    ws_url: str | None = None


async def make_client(settings: ExchangeSettings, facts: VenueFacts, *, timeout_s: float) -> Any:
    """Return a ccxt client that neither limits nor repeats requests itself; close it."""
    module = await asyncio.to_thread(importlib.import_module, "ccxt.async_support")
    base = getattr(module, facts.ccxt_class)
    own = {"handle_errors": _handle_errors(base), "parse_json": _parse_json(base, facts.rows_at)}
    kind = type(facts.ccxt_class, (base,), own)
    client = kind(
        {
            "enableRateLimit": False,
            "timeout": int(timeout_s * 1000),
            "apiKey": _reveal(settings.api_key),
            "secret": _reveal(settings.api_secret),
        }
    )
    # With keys ccxt would also make signed requests for margin pairs, which no download needs.
    client.options["fetchMargins"] = False
    client.urls = redirect_urls(client.urls, settings.rest_url, settings.ws_url)
    if settings.rest_url and urlsplit(settings.rest_url).scheme == "http":
        # Reading every authority's certificate takes longer than a small download: trust none.
        client.ssl_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if settings.rest_url and urlsplit(settings.rest_url).hostname in _LOOPBACK:
        client.timeout_on_exit = 0  # that pause is for TLS connections to end
    return client


def redirect_urls(urls: Any, rest_url: str | None, ws_url: str | None) -> Any:
    """Return ccxt's addresses with scheme, host and port replaced; the paths stay."""
    if isinstance(urls, dict):
        return {name: redirect_urls(value, rest_url, ws_url) for name, value in urls.items()}
    if isinstance(urls, list):
        return [redirect_urls(value, rest_url, ws_url) for value in urls]
    if not isinstance(urls, str):
        return urls
    parts = urlsplit(urls)
    base = ws_url if parts.scheme in ("ws", "wss") else rest_url
    if base is None or not parts.scheme:
        return urls
    query = f"?{parts.query}" if parts.query else ""
    return f"{base.rstrip('/')}{parts.path}{query}"


def check_url(name: str, url: str | None, schemes: tuple[str, ...]) -> None:
    """Refuse an address that has no scheme or host.

    Raises:
        ExchangeError: says which setting, and what it takes.
    """
    if url is None:
        return
    parts = urlsplit(url)
    if parts.scheme not in schemes or not parts.hostname:
        raise ExchangeError(f"{name} {url!r} is no address: use one like {schemes[0]}://host:port")


def check_settings(settings: ExchangeSettings, facts: VenueFacts) -> None:
    """Refuse settings with which the exchange can't be asked.

    Raises:
        ExchangeError: says what to set.
    """
    missing = [
        name
        for name, value in (("API_KEY", settings.api_key), ("API_SECRET", settings.api_secret))
        if facts.needs_credentials and not (value and value.get_secret_value())
    ]
    if missing:
        names = " and ".join(missing)
        raise MissingCredentials(
            f"{settings.name} needs {names}: set {names} in the environment or in .env,"
            " or set EXCHANGE=simulated, which needs none"
        )
    if settings.name == "simulated" and not settings.rest_url:
        raise UnsupportedRequest(
            "the simulated exchange has no address: set EXCHANGE_REST_URL to where it runs"
        )
    check_url("EXCHANGE_REST_URL", settings.rest_url, ("http", "https"))
    check_url("EXCHANGE_WS_URL", settings.ws_url, ("ws", "wss"))


def translate(error: Exception, exchange: str) -> Exception:
    """Return what an error of ccxt means: try again, a wrong request, or no way on."""
    ccxt = importlib.import_module("ccxt.async_support")
    detail = _shorten(error)
    if isinstance(error, ccxt.BadSymbol):
        return UnknownSymbol(f"{exchange} doesn't know the symbol: {detail}")
    if isinstance(error, ccxt.RequestTimeout):
        return TransientFault("no answer in time")
    cause = error.__cause__
    if isinstance(cause, (aiohttp.ClientError, OSError)):
        return TransientFault(_shorten(f"no connection: {str(cause) or repr(cause)}"))
    if isinstance(error, ccxt.NetworkError):
        return TransientFault(detail)
    if isinstance(error, ccxt.AuthenticationError):
        return ExchangeUnavailable(
            f"{exchange} refuses the credentials ({detail}): check API_KEY and API_SECRET"
        )
    return UnsupportedRequest(f"{exchange} refuses the request: {detail}")


def _handle_errors(base: Any) -> Any:
    def handle_errors(self: Any, *answer: Any) -> Any:
        code, reason, headers, body = answer[0], answer[1], answer[4], answer[5]
        if code < 400:
            is_rows = isinstance(answer[6], RowText)  # what ccxt looks for isn't among them
            return None if is_rows else base.handle_errors(self, *answer)
        detail = _shorten(f"HTTP {code} {reason or ''} {body or ''}")
        if code in _TRY_AGAIN_STATUSES or code >= 500:
            raise TransientFault(detail, wait_s=_asked_wait(code, headers))
        if code == _BLOCKED:
            raise ExchangeUnavailable(
                f"{self.id} refuses this machine's location ({detail}): run elsewhere,"
                " or set EXCHANGE to another exchange"
            )
        base.handle_errors(self, *answer)
        raise UnsupportedRequest(f"{self.id} refuses the request: {detail}")

    return handle_errors


def _parse_json(base: Any, rows_at: tuple[str, ...] | None) -> Any:
    def parse_json(self: Any, text: str) -> Any:
        return decode_answer(text, rows_at, partial(base.parse_json, self))

    return parse_json


def _asked_wait(code: int, headers: Mapping[str, str]) -> float | None:
    asked = {name.lower(): value for name, value in headers.items()}.get("retry-after", "")
    if asked.strip().isdecimal():
        return float(asked)
    return _SILENT_BANS_S.get(code)


def _shorten(text: object) -> str:
    line = " ".join(str(text).split())
    return line if len(line) <= _LONGEST_DETAIL else line[: _LONGEST_DETAIL - 1] + "…"


def _reveal(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None
