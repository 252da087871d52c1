"""The log of everything that changes in the sandbox, and how to wait for it without polling.

The driver, the gateway and a page all learn of changes here; nothing here knows Discord's JSON.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self, TypeVar

from bot.sandbox.errors import NeverHappened
from bot.sandbox.models import Channel, Message

T = TypeVar("T")

KEPT_CHANGES = 2000


class ChangeKind(StrEnum):
    """What a change is about."""

    MESSAGE_CREATED = "message_create"
    MESSAGE_UPDATED = "message_update"
    MESSAGE_DELETED = "message_delete"
    PINS_CHANGED = "pins"
    INTERACTION = "interaction"
    MODAL_OPENED = "modal"
    COMMANDS_CHANGED = "commands"
    CHANNEL_CREATED = "channel_create"
    CHANNEL_UPDATED = "channel_update"
    CHANNEL_DELETED = "channel_delete"
    GUILD_CHANGED = "guild_update"
    GUILD_LEFT = "guild_leave"
    TYPING = "typing"
    GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class Change:
    """One change; only the fields that its kind needs are set.

    `visible_to` names the one user who can see it, None means everybody in the channel.
    """

    kind: ChangeKind
    sequence: int = 0
    channel_id: int | None = None
    guild_id: int | None = None
    user_id: int | None = None
    interaction_id: int | None = None
    message: Message | None = None
    channel: Channel | None = None
    visible_to: int | None = None
    detail: str = ""

    def is_visible_to(self, user_id: int) -> bool:
        """Whether this user may learn of the change."""
        return self.visible_to is None or self.visible_to == user_id


class Subscription:
    """An endless asynchronous iterator over changes; close it when done."""

    def __init__(self, log: "EventLog", backlog: list[Change]) -> None:
        self._log = log
        self._queue: asyncio.Queue[Change | None] = asyncio.Queue()
        for change in backlog:
            self._queue.put_nowait(change)
        self._stop = log.listen(self._queue.put_nowait)

    def close(self) -> None:
        """Stop listening; a pending `async for` ends."""
        self._stop()
        self._queue.put_nowait(None)

    def __aiter__(self) -> AsyncIterator[Change]:
        return self

    async def __anext__(self) -> Change:
        change = await self._queue.get()
        if change is None:
            raise StopAsyncIteration
        return change

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class EventLog:
    """A log of changes with synchronous listeners and asynchronous subscribers.

    Only the latest changes are kept, so that a sandbox can run for weeks.
    """

    def __init__(self) -> None:
        self.changes: deque[Change] = deque(maxlen=KEPT_CHANGES)
        self._count = 0
        self._listeners: list[Callable[[Change], None]] = []
        self._waiters: set[asyncio.Future[None]] = set()

    def publish(self, change: Change) -> Change:
        """Number the change, tell every listener in turn and wake those who wait."""
        self._count += 1
        numbered = replace(change, sequence=self._count)
        self.changes.append(numbered)
        for listener in tuple(self._listeners):
            listener(numbered)
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        return numbered

    def listen(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call `listener` for each later change and return a function that stops this."""
        self._listeners.append(listener)

        def stop() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return stop

    def subscribe(self, *, since: int | None = None) -> Subscription:
        """Iterate over the changes from now on, or over those kept after number `since`."""
        if since is None:
            return Subscription(self, [])
        return Subscription(self, [c for c in self.changes if c.sequence > since])

    async def wait_until(
        self, check: Callable[[], T | None], *, timeout_s: float, what: str | Callable[[], str]
    ) -> T:
        """Return the first result of `check` that isn't None; it is tried after each change.

        Raises NeverHappened with `what` once `timeout_s` seconds of real time have passed.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while (found := check()) is None:
                    waiter = asyncio.get_running_loop().create_future()
                    self._waiters.add(waiter)
                    await waiter
                return found
        except TimeoutError:
            text = what if isinstance(what, str) else what()
            raise NeverHappened(f"waited {timeout_s:g} s for {text}") from None
