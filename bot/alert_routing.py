"""Copies new alerts to the places that they go to; those that only repeat are counted instead."""

from collections.abc import Callable, Sequence
from typing import Final

from bot.repeats import REPEATS, Repeat, RepeatLedger, fault_streaks
from bot.services.forward.alerts import TEST_CHANNEL
from data.database import Database, Transaction
from data.storage.records import NewMessage, OutboxMessage

_LEDGER: Final = "alerts:repeats"
_COUNTED: Final = "it repeats one that was told: counted"


class AlertRouter:
    """Works on the outbox; `places` tells where a message goes, at least one place."""

    def __init__(
        self, database: Database, places: Callable[[OutboxMessage], Sequence[str]]
    ) -> None:
        self._database = database
        self._places = places
        self._next_release_at: int | None = None

    @property
    def next_release_at(self) -> int | None:
        """When `route` has something to tell that was held back (ms), None for never."""
        return self._next_release_at

    async def route(self, due: Sequence[OutboxMessage], now: int) -> bool:
        """Copy those of the due messages that are new, at a time (ms); return whether any was.

        What was held back long enough goes first. All of it is stored, or nothing.
        """
        new = [message for message in due if message.channel == TEST_CHANNEL]
        if not new:
            ledger = await _read_ledger(self._database)
            self._next_release_at = ledger.next_release_at()
            if self._next_release_at is None or self._next_release_at > now:
                return False
        async with self._database.transaction() as transaction:
            ledger = await _read_ledger(transaction)
            for message_id, repeat in ledger.release(now):
                held = await transaction.get_message(message_id)
                if held is not None:
                    await self._copy(transaction, held, repeat)
            for message in new:
                await self._take(transaction, message, ledger.take(message))
            ledger.forget_old(now)
            await transaction.set_setting(_LEDGER, ledger.to_json())
        self._next_release_at = ledger.next_release_at()
        return True

    async def _take(
        self, transaction: Transaction, message: OutboxMessage, repeat: Repeat | None
    ) -> None:
        if repeat is None:
            await transaction.mute_messages([message.id], _COUNTED)
        else:
            await self._copy(transaction, message, repeat)
            await transaction.mark_message_sent(message.id)

    async def _copy(self, transaction: Transaction, message: OutboxMessage, repeat: Repeat) -> None:
        payload = dict(message.payload)
        if repeat.count > 1:
            payload[REPEATS] = [repeat.count, repeat.since, repeat.last]
        for place in self._places(message):
            copy = NewMessage(
                dedupe_key=f"{message.dedupe_key}@{place}",
                kind=message.kind,
                channel=place,
                payload=payload,
                test_id=message.test_id,
            )
            await transaction.append_message(copy)


async def let_next_fault_pass(transaction: Transaction, test_id: int) -> None:
    """Let the next fault of a test be told at once, even if it repeats those before."""
    ledger = await _read_ledger(transaction)
    ledger.let_next_pass(fault_streaks(test_id))
    await transaction.set_setting(_LEDGER, ledger.to_json())


async def _read_ledger(values: Database | Transaction) -> RepeatLedger:
    return RepeatLedger(await values.get_setting(_LEDGER))
