"""Discord's rate limits: a bucket per route and major parameter, and one for all requests."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Limit:
    """So many requests in a window of so many seconds."""

    requests: int
    window_s: float


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Which limit applies where: the route as "METHOD /path/{parameter}", or the default.

    Discord publishes no numbers; these are those commonly met.
    """

    default: Limit = Limit(50, 1.0)
    overall: Limit = Limit(50, 1.0)
    routes: Mapping[str, Limit] = field(
        default_factory=lambda: {
            "POST /channels/{channel_id}/messages": Limit(5, 5.0),
            "PATCH /channels/{channel_id}/messages/{message_id}": Limit(5, 5.0),
            "DELETE /channels/{channel_id}/messages/{message_id}": Limit(5, 1.0),
            "POST /webhooks/{webhook_id}/{webhook_token}": Limit(5, 2.0),
            "PATCH /webhooks/{webhook_id}/{webhook_token}/messages/{message_id}": Limit(5, 2.0),
            "PUT /applications/{application_id}/commands": Limit(5, 20.0),
        }
    )


@dataclass(frozen=True, slots=True)
class Grant:
    """The answer of a bucket: allowed or not, with what the headers say."""

    allowed: bool
    bucket: str
    limit: int
    remaining: int
    reset_after_s: float
    is_global: bool = False

    def headers(self, now: float) -> dict[str, str]:
        """Return Discord's X-RateLimit headers; `now` in seconds since 1970."""
        headers = {
            "X-RateLimit-Bucket": self.bucket,
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": f"{now + self.reset_after_s:.3f}",
            "X-RateLimit-Reset-After": f"{self.reset_after_s:.3f}",
        }
        if not self.allowed:
            headers["X-RateLimit-Scope"] = "global" if self.is_global else "user"
        return headers


class RateLimiter:
    """Counts requests in fixed windows; `monotonic` gives seconds that only grow."""

    def __init__(self, limits: RateLimits, monotonic: Callable[[], float]) -> None:
        self._limits = limits
        self._monotonic = monotonic
        self._windows: dict[tuple[str, str], tuple[float, int]] = {}

    def take(self, route: str, major: str, *, counts_overall: bool) -> Grant:
        """Count a request; interactions don't count towards the overall limit."""
        if counts_overall:
            overall = self._count("", "", self._limits.overall, is_global=True)
            if not overall.allowed:
                return overall
        limit = self._limits.routes.get(route, self._limits.default)
        return self._count(route, major, limit)

    def _count(self, route: str, major: str, limit: Limit, *, is_global: bool = False) -> Grant:
        now = self._monotonic()
        start, used = self._windows.get((route, major), (now, 0))
        if now - start >= limit.window_s:
            start, used = now, 0
        allowed = used < limit.requests
        used += allowed
        self._windows[route, major] = (start, used)
        return Grant(
            allowed=allowed,
            bucket=hashlib.sha256(route.encode()).hexdigest()[:32],
            limit=limit.requests,
            remaining=limit.requests - used,
            reset_after_s=start + limit.window_s - now,
            is_global=is_global,
        )
