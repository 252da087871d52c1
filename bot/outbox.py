"""Sends the outbox: in order, at least once, and seen once. What Discord is, is known elsewhere.

A message of the engine is first copied to each place it goes to (`bot.alert_routing`); from then
on each place has its own order, its own retries and its own outages. What was tried with an unknown
outcome is tried again exactly as it was, so that its nonce, or a look at what arrived, keeps it
from being seen twice. Whether an alert is on, silent or off is asked when it is about to be sent.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import groupby
from typing import Any, Final

from bot.alert_routing import AlertRouter
from bot.services.alert_settings import AlertSettings, AlertState, AlertStates
from bot.services.forward.alerts import TEST_CHANNEL
from bot.times import now_ms
from bot.transport import Batch as Batch
from bot.transport import NotForThisPlace as NotForThisPlace
from bot.transport import SendLater as SendLater
from bot.transport import Transport
from bot.transport import Unsendable as Unsendable
from data.database import Database
from data.errors import StoreError
from data.storage.records import OutboxMessage

log = logging.getLogger(__name__)

MOST_EMBEDS: Final = 10
DIGEST_FROM: Final = 21
_TAKEN: Final = 500
_LONGEST_RETRY_MS: Final = 60_000
_LONGEST_WAIT_S: Final = 60.0
_STORE_RETRY_S: Final = 5.0
# Discord compares nonces for some minutes; after that it is asked what has arrived.
_NONCE_LIFE_MS: Final = 60_000
_IS_OFF: Final = "alerts of this kind are off"


class OutboxSender:
    """The one task that sends; `wake` it when there is something new. `now` gives ms."""

    def __init__(
        self, database: Database, transport: Transport, *, now: Callable[[], int] = now_ms
    ) -> None:
        self._database = database
        self._transport = transport
        self._now = now
        self._router = AlertRouter(database, transport.places)
        self._settings = AlertSettings(database)
        self._woken = asyncio.Event()
        self._problems: dict[str, str] = {}
        self._is_back = False
        self._is_ending = False

    def wake(self) -> None:
        """Look for messages at once."""
        self._woken.set()

    def retry_now(self) -> None:
        """Try at once what waits for its next attempt: Discord is back."""
        self._is_back = True
        self._woken.set()

    def end(self) -> None:
        """Make `run` return after what it is sending now."""
        self._is_ending = True
        self._woken.set()

    @property
    def problems(self) -> dict[str, str]:
        """Why places can't be reached now, by place."""
        return dict(self._problems)

    async def run(self) -> None:
        """Send until cancelled, or until `end`."""
        while True:
            self._woken.clear()
            try:
                if self._is_back:
                    await self._database.retry_messages_now()
                    self._is_back = False
                await self.deliver_due()
                pause_s = await self._pause_s()
            except StoreError as error:
                log.error("the outbox can't be read or written: %s", error)
                pause_s = _STORE_RETRY_S
            if self._is_ending:
                return
            await _wait(self._woken.wait(), pause_s)

    async def finish(self) -> None:
        """Send until nothing is left; whoever waits says for how long."""
        await self.deliver_due()
        while await self._database.count_pending_messages():
            await asyncio.sleep(await self._pause_s())
            await self.deliver_due()

    async def deliver_due(self) -> None:
        """Send everything that is due now, as far as it goes."""
        while await self._route() or await self._deliver_round():
            continue

    async def _route(self) -> bool:
        """Copy new messages to their places; return whether there were any."""
        due = await self._database.take_due_messages(_TAKEN)
        return await self._router.route(due, self._now())

    async def _deliver_round(self) -> bool:
        """Send one batch to each place; return whether any was sent."""
        states = await self._settings.read()
        due = await self._database.take_due_messages(_TAKEN)
        due = sorted(due, key=lambda message: message.channel)  # stable: the order within stays
        sent = False
        for place, messages in groupby(due, key=lambda message: message.channel):
            if place != TEST_CHANNEL:
                sent |= await self._deliver(place, list(messages), states)
        return sent

    async def _deliver(
        self, place: str, messages: list[OutboxMessage], states: AlertStates
    ) -> bool:
        unwanted = [message for message in messages if _state(message, states) == AlertState.OFF]
        off = {message.id for message in unwanted}
        tried = await self._tried_batch(place, messages)
        if tried is not None and _is_wanted(tried[0], states):
            batch, tried_at = tried
        else:
            await self._mute(place, unwanted)
            wanted = [message for message in messages if message.id not in off]
            if not wanted:
                return True
            batch, tried_at = await self._new_batch(place, wanted), None
        is_silent = all(_state(message, states) != AlertState.ON for message in batch.messages)
        return await self._send(replace(batch, is_silent=is_silent), tried_at)

    async def _send(self, batch: Batch, tried_at: int | None) -> bool:
        try:
            if not await self._is_there(batch, tried_at):
                await self._transport.send(batch)
        except SendLater as error:
            await self._postpone(batch, error, is_first_try=tried_at is None)
            return False
        except NotForThisPlace as error:
            await self._abandon(batch, str(error))
            return True
        except Unsendable as error:
            return await self._send_plainly(batch, str(error))
        await self._mark_sent(batch)
        return True

    async def _is_there(self, batch: Batch, tried_at: int | None) -> bool:
        if tried_at is None or self._now() - tried_at < _NONCE_LIFE_MS:
            return False
        return await self._transport.has_arrived(batch, tried_at)

    async def _tried_batch(
        self, place: str, messages: list[OutboxMessage]
    ) -> tuple[Batch, int] | None:
        """Return what was tried before with an unknown outcome, and when."""
        tried = await self._database.get_setting(_tried_key(place))
        if tried is None:
            return None
        by_id = {message.id: message for message in messages}
        # Where more waits than one look takes, a part of what was tried may lie behind it.
        found = [by_id.get(id_) or await self._database.get_message(id_) for id_ in tried["ids"]]
        again = tuple(message for message in found if message is not None)
        if len(again) < len(found):
            return None
        return Batch(place, again, tried["digest"]), int(tried["since"])

    async def _new_batch(self, place: str, messages: list[OutboxMessage]) -> Batch:
        """Choose what to send next and write down that it is tried."""
        batch = self._choose(place, messages)
        note = {
            "ids": [message.id for message in batch.messages],
            "digest": batch.is_digest,
            "since": self._now(),
        }
        await self._database.set_setting(_tried_key(place), note)
        return batch

    async def _mute(self, place: str, messages: list[OutboxMessage]) -> None:
        """Note that messages are not wanted, those included that were tried in vain."""
        if not messages:
            return
        async with self._database.transaction() as transaction:
            await transaction.mute_messages([message.id for message in messages], _IS_OFF)
            await transaction.delete_setting(_tried_key(place))

    def _choose(self, place: str, messages: list[OutboxMessage]) -> Batch:
        alone = self._transport.stands_alone
        if alone(messages[0]):
            return Batch(place, (messages[0],))
        end = next((i for i, message in enumerate(messages) if alone(message)), len(messages))
        if end >= DIGEST_FROM:
            return Batch(place, tuple(messages[:end]), is_digest=True)
        return Batch(place, tuple(messages[: min(end, MOST_EMBEDS)]))

    async def _send_plainly(self, batch: Batch, reason: str) -> bool:
        """Tell in plain words what Discord refuses; give up where even that fails."""
        log.error("Discord refuses %s to %s: %s", batch.nonce, batch.place, reason)
        try:
            await self._transport.send(batch, plainly=True)
        except SendLater as error:
            await self._postpone(batch, error, is_first_try=False)
            return False
        except (Unsendable, NotForThisPlace) as error:
            await self._abandon(batch, str(error))
            return True
        await self._mark_sent(batch)
        return True

    async def _postpone(self, batch: Batch, error: SendLater, *, is_first_try: bool) -> None:
        first, reason = batch.messages[0], str(error)
        if self._problems.get(batch.place) != reason:
            log.warning("alerts to %s wait: %s", batch.place, reason)
        self._problems[batch.place] = reason
        # A second try may follow one that did arrive: only the first leaves no trace.
        if error.surely_not and is_first_try:
            await self._database.delete_setting(_tried_key(batch.place))
        pause = min(1000 << min(first.attempts, 10), _LONGEST_RETRY_MS)
        await self._database.mark_message_failed(first.id, reason, retry_after_ms=pause)

    async def _mark_sent(self, batch: Batch) -> None:
        if self._problems.pop(batch.place, None) is not None:
            log.info("alerts to %s arrive again", batch.place)
        async with self._database.transaction() as transaction:
            for message in batch.messages:
                await transaction.mark_message_sent(message.id)
            await transaction.delete_setting(_tried_key(batch.place))

    async def _abandon(self, batch: Batch, reason: str) -> None:
        async with self._database.transaction() as transaction:
            for message in batch.messages:
                await transaction.abandon_message(message.id, reason)
            await transaction.delete_setting(_tried_key(batch.place))

    async def _pause_s(self) -> float:
        times = (await self._database.next_message_due_at(), self._router.next_release_at)
        due_at = min((time for time in times if time is not None), default=None)
        if due_at is None:
            return _LONGEST_WAIT_S
        return min(max((due_at - self._now()) / 1000, 0.05), _LONGEST_WAIT_S)


def _is_wanted(batch: Batch, states: AlertStates) -> bool:
    return any(_state(message, states) != AlertState.OFF for message in batch.messages)


def _state(message: OutboxMessage, states: AlertStates) -> AlertState:
    return states.of(message.kind, message.payload)


def _tried_key(place: str) -> str:
    return f"outbox:{place}:tried"


async def _wait(something: Awaitable[Any], timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await something
    except TimeoutError:
        return
