"""Whether the bot does its work now: connected, streams fresh, database writable. No Discord here.

What answers requests and calls the heartbeat with this is bot.health_server.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from bot.services.scheduled.records import KeyValues
from bot.times import now_ms
from data.database import Database
from data.errors import DataError
from data.storage.records import ForwardTest, ForwardTestStatus

WRITE_TIMEOUT_S: Final = 5.0
_PROBE: Final = "health:probe"
_TRADING: Final = (ForwardTestStatus.RUNNING, ForwardTestStatus.PAUSED)


class Gateway(Protocol):
    """The connection to Discord."""

    @property
    def is_connected(self) -> bool:
        """Whether events arrive now."""

    @property
    def latency_s(self) -> float | None:
        """How long a heartbeat took to be answered, None where none was."""


class Streams(Protocol):
    """The candles of running forward tests."""

    def last_opens(self) -> dict[int, int | None]:
        """Return the open time (ms) of each live test's last candle, by the test's id."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """What a look at the bot found: it is ready where there are no reasons against it.

    `figures` are plain JSON and hold no secret.
    """

    reasons: tuple[str, ...]
    figures: dict[str, Any]

    @property
    def is_ready(self) -> bool:
        """Whether all is well."""
        return not self.reasons

    def to_json(self) -> dict[str, Any]:
        """Return what /healthz answers."""
        status = "ok" if self.is_ready else "unavailable"
        return {"status": status, "reasons": list(self.reasons), **self.figures}


@dataclass(slots=True)
class _Seen:
    last_open: int | None
    since: float


class ReadinessProbe:
    """Looks at the gateway, the forward tests' candles and the database.

    A stream is stale when no new candle came for `patience_s`; `clock` is monotonic (s).
    """

    def __init__(
        self,
        gateway: Gateway,
        streams: Streams,
        database: Database,
        *,
        exchange: str,
        patience_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gateway = gateway
        self._streams = streams
        self._database = database
        self._exchange = exchange
        self._patience_s = patience_s
        self._clock = clock
        self._started = clock()
        self._seen: dict[int, _Seen] = {}

    async def look(self) -> Readiness:
        """Return how the bot is now; never raises."""
        gateway, connected = self._look_at_gateway()
        database, writes = await self._look_at_database()
        tests, streams = await self._look_at_streams()
        uptime_s = round(self._clock() - self._started)
        figures = {"uptime_s": uptime_s, "gateway": connected, "database": writes}
        return Readiness((*gateway, *database, *tests), figures | {"forward_tests": streams})

    def _look_at_gateway(self) -> tuple[list[str], dict[str, Any]]:
        connected, latency = self._gateway.is_connected, self._gateway.latency_s
        reasons = [] if connected else ["the gateway of Discord is not connected"]
        latency_ms = None if latency is None else round(1000 * latency)
        return reasons, {"connected": connected, "latency_ms": latency_ms}

    async def _look_at_database(self) -> tuple[list[str], dict[str, Any]]:
        started = time.monotonic()
        try:
            await _write(self._database)
        except (DataError, TimeoutError) as error:
            # The message may name folders of this machine, which are nobody's business.
            reason = f"the database can't be written: {type(error).__name__}"
            return [reason], {"writes": False, "write_ms": None}
        return [], {"writes": True, "write_ms": round(1000 * (time.monotonic() - started))}

    async def _look_at_streams(self) -> tuple[list[str], dict[str, Any]]:
        try:
            stored = await self._database.list_forward_tests(_TRADING)
        except DataError as error:
            return [f"the database can't be read: {type(error).__name__}"], {}
        tests = [test for test in stored if test.exchange == self._exchange]
        silent_s = self._observe(tests)
        stale = [test.name for test in tests if silent_s[test.id] >= self._patience_s]
        figures = {
            "running": len(tests),
            "stale": len(stale),
            "longest_silence_s": round(max(silent_s.values(), default=0.0)),
            "of_other_exchanges": len(stored) - len(tests),
        }
        return [f"forward test {name} gets no candles" for name in stale], figures

    def _observe(self, tests: Sequence[ForwardTest]) -> dict[int, float]:
        """Return for how long (s) each test has had no new candle, as far as was looked."""
        now, opens = self._clock(), self._streams.last_opens()
        seen: dict[int, _Seen] = {}
        for test in tests:
            last, before = opens.get(test.id), self._seen.get(test.id)
            is_new = before is None or (last is not None and last != before.last_open)
            seen[test.id] = _Seen(last, now) if before is None or is_new else before
        self._seen = seen
        return {test_id: now - one.since for test_id, one in seen.items()}


async def _write(values: KeyValues) -> None:
    async with asyncio.timeout(WRITE_TIMEOUT_S):
        await values.set_setting(_PROBE, now_ms())
