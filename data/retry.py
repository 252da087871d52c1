"""Trying again, and not asking too fast: backoff, and one bucket of weight per limit.

Time, sleep and chance are injected. No exchange and no request is known here.
"""

import asyncio
import logging
import random
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from data.errors import ExchangeUnavailable

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")

# Whoever asks during a longer one is told at once.
LONGEST_PAUSE_S: Final = 180.0


class TransientFault(Exception):
    """An answer that may be right the next time; `wait_s` is how long the exchange says to wait."""

    def __init__(self, message: str, *, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Timing:
    """Where sleep, time and chance come from; tests pass their own."""

    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    monotonic: Callable[[], float] = time.monotonic
    random: Callable[[], float] = random.random


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often to try, and how long to wait: first_s doubling up to longest_s, half of it chance.

    An exchange that asks for a longer wait than `patience_s` is not waited for.
    """

    tries: int = 7
    first_s: float = 0.5
    longest_s: float = 15.0
    patience_s: float = LONGEST_PAUSE_S

    def delay_s(self, failures: int, chance: float) -> float:
        """Return the wait after so many failures in a row; `chance` is 0..1."""
        longest = min(self.longest_s, self.first_s * 2.0 ** (failures - 1))
        return longest * (0.5 + 0.5 * chance)


class WeightBucket:
    """Lets so much weight pass per second, and a short burst; can be closed for a while.

    Threads may share it: each caller sleeps in its own loop.
    """

    def __init__(self, per_second: float, burst: float, timing: Timing) -> None:
        self._per_second = per_second
        self._burst_s = burst / per_second
        self._timing = timing
        self._lock = threading.Lock()
        self._free_at = float("-inf")
        self._closed_until = float("-inf")

    async def take(self, weight: float) -> None:
        """Wait until this weight may be used; callers pass in the order they came.

        Whose turn comes while the bucket is closed takes another: all would pass at once after it.

        Raises:
            TransientFault: it is closed for too long to wait.
        """
        while True:
            await self.wait_open()
            wait = self._reserve(weight)
            if wait > 0:
                await self._timing.sleep(wait)
            if not self.is_closed:
                return

    async def wait_open(self) -> None:
        """Wait while the bucket is closed.

        Raises:
            TransientFault: that would take too long; says how long.
        """
        while (wait := self._closed_until - self._timing.monotonic()) > 0:
            if wait > LONGEST_PAUSE_S:
                raise TransientFault("not sent, as an earlier request was refused", wait_s=wait)
            await self._timing.sleep(wait)

    @property
    def is_closed(self) -> bool:
        """Whether nothing passes at present."""
        return self._closed_until > self._timing.monotonic()

    def close_for(self, seconds: float) -> None:
        """Let nothing pass for so many seconds."""
        with self._lock:
            self._closed_until = max(self._closed_until, self._timing.monotonic() + seconds)

    def _reserve(self, weight: float) -> float:
        with self._lock:
            now = self._timing.monotonic()
            begin = max(self._free_at, now - self._burst_s)
            self._free_at = begin + weight / self._per_second
            return self._free_at - now


class OpenBucket(WeightBucket):
    """Lets any weight pass at once, until the exchange itself asks for a pause."""

    def __init__(self, timing: Timing) -> None:
        super().__init__(1.0, 0.0, timing)

    async def take(self, weight: float) -> None:
        """Wait only while the bucket is closed; raises as `wait_open` does."""
        await self.wait_open()


async def with_retries(
    ask: Callable[[], Awaitable[Answer]],
    what: str,
    *,
    bucket: WeightBucket,
    policy: RetryPolicy,
    timing: Timing,
) -> Answer:
    """Ask until there is an answer, at most `policy.tries` times; `what` names it in messages.

    Raises:
        ExchangeUnavailable: every try failed, or the exchange asks for too long a wait.
    """
    started = timing.monotonic()
    for failures in range(1, policy.tries + 1):
        try:
            await bucket.wait_open()
            return await ask()
        except TransientFault as fault:
            is_told = fault.wait_s is not None and bucket.is_closed
            if fault.wait_s is not None:
                bucket.close_for(fault.wait_s)
            if fault.wait_s is not None and fault.wait_s > policy.patience_s:
                raise ExchangeUnavailable(_explain_ban(what, fault, fault.wait_s)) from fault
            if failures == policy.tries:
                elapsed = timing.monotonic() - started
                raise ExchangeUnavailable(_explain_end(what, fault, failures, elapsed)) from fault
            delay = policy.delay_s(failures, timing.random()) + (fault.wait_s or 0.0)
            # Several requests meet the same refusal: the first one tells it.
            level = logging.DEBUG if is_told else logging.WARNING
            logger.log(level, "%s: %s; try %d follows in %.1f s", what, fault, failures + 1, delay)
            await timing.sleep(delay)
    raise AssertionError("a retry policy has at least one try")


def _explain_ban(what: str, fault: TransientFault, wait_s: float) -> str:
    minutes = max(1, round(wait_s / 60))
    return (
        f"{what}: {fault}; the exchange asks for a pause of {minutes} minutes:"
        " run it again after that, what was fetched so far is kept"
    )


def _explain_end(what: str, fault: TransientFault, tries: int, elapsed_s: float) -> str:
    return (
        f"{what}: no usable answer in {tries} tries over {elapsed_s:.0f} s (last: {fault});"
        " check the network and the exchange's status page and run it again,"
        " what was fetched so far is kept"
    )
