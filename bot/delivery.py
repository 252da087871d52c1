"""Brings alerts to Discord, through the bot or a webhook. What to send when is elsewhere."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import discord

from bot import alerts
from bot.alert_writer import AlertWriter
from bot.forward_threads import NETWORK, UNKNOWN_CHANNEL, ForwardThreads
from bot.outbox import Batch, NotForThisPlace, SendLater, Unsendable
from bot.ui.alerts import mark_of
from data.storage.records import OutboxMessage

log = logging.getLogger(__name__)

CHANNEL: Final = "channel"
_THREAD: Final = "thread:"
_BAD_REQUEST: Final = 400
_FORBIDDEN: Final = 403
_TOO_LARGE: Final = 413
_REFUSALS: Final = (_BAD_REQUEST, _FORBIDDEN, _TOO_LARGE)
# As long as a message may be.
_ALONE: Final = (alerts.RECOVERY, alerts.SUMMARY_DAILY, alerts.SUMMARY_WEEKLY)
_LOOKED_THROUGH: Final = 200


class BotDelivery:
    """Sends through the bot: to its first channel, and to the threads of tests."""

    def __init__(
        self, client: discord.Client, writer: AlertWriter, threads: ForwardThreads
    ) -> None:
        self._client = client
        self._writer = writer
        self._threads = threads

    def places(self, message: OutboxMessage) -> Sequence[str]:
        """Return channel and thread; a start is told by the message that the thread hangs on."""
        if message.test_id is None:
            return (CHANNEL,)
        thread = f"{_THREAD}{message.test_id}"
        return (thread,) if message.kind == alerts.START else (CHANNEL, thread)

    def stands_alone(self, message: OutboxMessage) -> bool:
        """Tell whether a message is one of its own, whatever else waits."""
        return _is_for_thread(message) or message.kind in _ALONE

    async def send(self, batch: Batch, *, plainly: bool = False) -> None:
        """Send a batch to its place, with the nonce that keeps it from being seen twice."""
        self._require_login()
        try:
            where = await self._find(batch.place)
            if _is_for_thread(batch.messages[0]):
                return
            if where is None:
                raise NotForThisPlace("there is no thread: the channel has it")
            send = partial(where.send, nonce=batch.nonce, silent=batch.is_silent)
            await _send_written(self._writer, batch, send, plainly=plainly)
        except discord.HTTPException as error:
            await self._explain(batch, error)
        except NETWORK as error:
            raise _unreachable(error) from error

    async def has_arrived(self, batch: Batch, since: int) -> bool:
        """Look through what the bot wrote since the first attempt."""
        self._require_login()
        mark = mark_of(batch.messages[0])
        begin = datetime.fromtimestamp(since / 1000 - 60, tz=UTC)
        try:
            where = await self._find(batch.place)
            if where is None or _is_for_thread(batch.messages[0]):
                return False
            async for message in where.history(
                limit=_LOOKED_THROUGH, after=begin, oldest_first=True
            ):
                if self._is_own(message) and _bears(message, mark):
                    return True
        except (discord.Forbidden, discord.NotFound) as error:
            log.info("what arrived in %s can't be read: %s", batch.place, error)
        except discord.HTTPException as error:
            raise _reason(error) from error
        except NETWORK as error:
            raise _unreachable(error) from error
        return False

    async def _find(self, place: str) -> discord.PartialMessageable | None:
        channel_id: int | None = self._threads.channel_id
        if place != CHANNEL:
            channel_id = await self._threads.ensure(int(place.removeprefix(_THREAD)))
        return None if channel_id is None else self._client.get_partial_messageable(channel_id)

    async def _explain(self, batch: Batch, error: discord.HTTPException) -> None:
        gone = isinstance(error, discord.NotFound) and error.code == UNKNOWN_CHANNEL
        if batch.place != CHANNEL:
            test_id = int(batch.place.removeprefix(_THREAD))
            test = await self._threads.find(test_id)
            if gone and test is not None and test.thread_id is not None:
                await self._threads.forget(test_id)
                raise SendLater("the thread is gone: a new one is made", surely_not=True)
            if isinstance(error, discord.Forbidden) and test and test.thread_id is not None:
                raise NotForThisPlace("the bot may not write in the thread: the channel has it")
        raise _reason(error) from error

    def _require_login(self) -> None:
        if self._client.user is None or self._client.is_closed():
            raise SendLater("not connected to Discord yet", surely_not=True)

    def _is_own(self, message: discord.Message) -> bool:
        return self._client.user is not None and message.author.id == self._client.user.id


class WebhookDelivery:
    """Sends through a webhook, which has one channel and knows no nonce.

    After an answer that was lost a message may come twice: there is no way to ask.
    """

    def __init__(self, webhook: discord.Webhook, writer: AlertWriter) -> None:
        self._webhook = webhook
        self._writer = writer

    def places(self, message: OutboxMessage) -> Sequence[str]:
        """Return the one place there is."""
        return (CHANNEL,)

    def stands_alone(self, message: OutboxMessage) -> bool:
        """Tell whether a message is one of its own, whatever else waits."""
        return message.kind in _ALONE

    async def send(self, batch: Batch, *, plainly: bool = False) -> None:
        """Send a batch; what went to threads is in the channel already."""
        if batch.place != CHANNEL:
            raise NotForThisPlace("a webhook has no threads: the channel has it")
        nobody = discord.AllowedMentions.none()
        send = partial(
            self._webhook.send, allowed_mentions=nobody, wait=True, silent=batch.is_silent
        )
        try:
            await _send_written(self._writer, batch, send, plainly=plainly)
        except discord.HTTPException as error:
            raise _reason(error) from error
        except NETWORK as error:
            raise _unreachable(error) from error

    async def has_arrived(self, batch: Batch, since: int) -> bool:
        """Tell that nobody knows."""
        return False


async def _send_written(
    writer: AlertWriter, batch: Batch, send: Callable[..., Awaitable[Any]], *, plainly: bool
) -> None:
    """Write a batch and send it; where its pictures are refused, without them."""
    content = await writer.write(batch, plainly=plainly)
    try:
        await send(**content)
    except discord.HTTPException as error:
        if batch.is_digest or "files" not in content or error.status not in _REFUSALS:
            raise
        writer.note_refusal(batch.place, str(error))
        await send(**await writer.write(batch, plainly=plainly, with_pictures=False))


def _is_for_thread(message: OutboxMessage) -> bool:
    """Tell whether a message is a start, which the making of the thread tells."""
    return message.kind == alerts.START and message.channel.startswith(_THREAD)


def _bears(message: discord.Message, mark: str) -> bool:
    """Tell whether a message has an alert's mark; in plain words it stands at the end of a line."""
    footers = [embed.footer.text or "" for embed in message.embeds]
    return any(text.endswith(mark) for text in footers) or f"({mark})" in message.content


def _reason(error: discord.HTTPException) -> Exception:
    if error.status in (_BAD_REQUEST, _TOO_LARGE):
        return Unsendable(f"{error.status} (code {error.code}) {error.text}")
    sure = isinstance(error, discord.Forbidden | discord.NotFound)
    return SendLater(f"{error.status} (code {error.code}) {error.text}"[:300], surely_not=sure)


def _unreachable(error: BaseException) -> SendLater:
    # Discord's library tries several times: an earlier try may have arrived.
    return SendLater(f"no way to Discord: {error!r}"[:300])
