"""Makes messages of batches of alerts: embeds, tables and pictures. Nothing is sent here."""

import io
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import discord

from bot.services.forward.alerts import TRADE_CLOSE
from bot.transport import Batch, Unsendable
from bot.ui.alerts import DIGEST_CSV, Totals, alert_embed, digest_csv, digest_embed, plain_text
from data.database import Database
from data.storage.records import OutboxMessage

log = logging.getLogger(__name__)


class DrawsAlerts(Protocol):
    """Draws pictures of alerts, as far as it can within a short time."""

    async def draw(self, messages: Sequence[OutboxMessage]) -> Mapping[int, bytes]:
        """Return PNG pictures by the ids of those messages that have one; never raises."""


class AlertWriter:
    """Makes messages of batches; reads from the database what an alert itself doesn't say."""

    def __init__(self, database: Database, pictures: DrawsAlerts | None = None) -> None:
        self._database = database
        self._pictures = pictures
        self._refusals: set[str] = set()

    async def write(
        self, batch: Batch, *, plainly: bool, with_pictures: bool = True
    ) -> dict[str, Any]:
        """Return what to send, as arguments of Discord's library.

        Raises:
            Unsendable: a stored alert can't be rendered.
        """
        if plainly:
            return {"content": plain_text(batch.messages)}
        try:
            if batch.is_digest:
                table = io.BytesIO(digest_csv(batch.messages))
                file = discord.File(table, DIGEST_CSV)
                return {"embeds": [digest_embed(batch.messages)], "files": [file]}
            drawn = await self._draw(batch) if with_pictures else {}
            embeds = [await self._embed(each, each.id in drawn) for each in batch.messages]
        except (KeyError, TypeError, ValueError) as error:
            raise Unsendable(f"it can't be rendered: {error!r}") from error
        if not drawn:
            return {"embeds": embeds}
        files = [discord.File(io.BytesIO(png), picture_name(id_)) for id_, png in drawn.items()]
        return {"embeds": embeds, "files": files}

    def note_refusal(self, place: str, reason: str) -> None:
        """Log that a place takes no pictures, the first time."""
        if place not in self._refusals:
            self._refusals.add(place)
            log.warning("alerts to %s go without pictures, refused: %s", place, reason)

    async def _draw(self, batch: Batch) -> Mapping[int, bytes]:
        return {} if self._pictures is None else await self._pictures.draw(batch.messages)

    async def _embed(self, message: OutboxMessage, has_picture: bool) -> discord.Embed:
        picture = picture_name(message.id) if has_picture else None
        return alert_embed(message, await self._totals(message), picture=picture)

    async def _totals(self, message: OutboxMessage) -> Totals | None:
        if message.kind != TRADE_CLOSE or message.test_id is None:
            return None
        test = await self._database.get_forward_test(message.test_id)
        tally = await self._database.tally_up_to(message.test_id, message.payload["id"])
        if test is None or tally is None:
            return None
        balance = float(test.config["initial_balance"])
        return Totals(tally.trades, tally.won, tally.pnl, balance)


def picture_name(message_id: int) -> str:
    """Return the name of an alert's picture, as an attachment and inside its embed."""
    return f"alert-{message_id}.png"
