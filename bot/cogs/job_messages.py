"""Shows jobs in their channels from the first moment to the last. What is shown is in bot.ui.

An interaction's token lives 15 minutes. Until then its answer is edited; afterwards the bot edits
with its own token, and the end comes as a new message that mentions the job's author.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import discord

from bot.background import BackgroundTasks
from bot.services.job_log import UnfinishedJob
from bot.services.jobs import Job, JobView
from bot.services.requests import JobState
from bot.ui.buttons import job_buttons
from bot.ui.endings import Ending, ending_of
from bot.ui.files import Parcel
from bot.ui.jobs import interrupted_embed, moved_embed, progress_embed
from bot.ui.replies import respond

if TYPE_CHECKING:
    from bot.client import JesseClient

log = logging.getLogger(__name__)

TOKEN_LIFE_S: Final = 14.5 * 60
_EDIT_TIMEOUT_S: Final = 10.0
_DRAIN_S: Final = 3.0
_RETRY_DELAYS_S: Final = (1.0, 5.0, 15.0, 60.0, 300.0)
_NETWORK: Final = (aiohttp.ClientError, OSError, TimeoutError)
_TOO_LARGE: Final = 40005


@dataclass(frozen=True, slots=True)
class _Place:
    """The message that shows a job, and until when its interaction can edit it."""

    interaction: discord.Interaction[Any]
    channel_id: int
    message_id: int
    token_ends_at: float


class JobMessages:
    """Follows jobs and edits their messages, at most one edit in a while."""

    def __init__(self, client: "JesseClient") -> None:
        self._client = client
        self._tasks = BackgroundTasks(client.alert)

    async def show(self, interaction: discord.Interaction[Any], job: Job) -> None:
        """Answer an interaction with a job's progress, and follow the job to its end."""
        view = job.view
        message_id = await respond(
            interaction, embeds=[progress_embed(view)], view=job_buttons(view)
        )
        place = _Place(
            interaction,
            view.owner.channel_id,
            message_id,
            interaction.created_at.timestamp() + TOKEN_LIFE_S,
        )
        self._tasks.spawn(f"message of job {view.id}", self._follow(job, view, place))

    async def tell_interrupted(self, jobs: list[UnfinishedJob]) -> None:
        """Tell the authors of jobs that an earlier process left behind."""
        for job in jobs:
            await self._tell_interrupted(job)

    async def close(self) -> None:
        """Let messages that are on their way arrive, then stop."""
        await self._tasks.drain(_DRAIN_S)

    async def _follow(self, job: Job, shown: JobView, place: _Place) -> None:
        await self._remember(job, place)
        finished = asyncio.ensure_future(job.finished())
        try:
            async for view in job.watch():
                if view.state.is_final:
                    break
                if _differs(view, shown):
                    await self._show_progress(view, place, finished)
                    shown = view
                await asyncio.wait({finished}, timeout=self._client.options.edit_interval_s)
            final = await finished
        finally:
            finished.cancel()
        # The next process tells of what the end of this one interrupted.
        if final.state is not JobState.INTERRUPTED:
            await self._show_end(final, place)

    async def _remember(self, job: Job, place: _Place) -> None:
        try:
            await self._client.services.stored_jobs.job_shown(job.view.id, place.message_id)
        except Exception:
            log.exception("the message of job %s could not be stored", job.view.id)

    async def _show_progress(
        self, view: JobView, place: _Place, finished: "asyncio.Future[JobView]"
    ) -> None:
        edit = asyncio.ensure_future(
            self._edit(place, embeds=[progress_embed(view)], view=job_buttons(view))
        )
        # An edit that waits for Discord must not hold the result up.
        both: set[asyncio.Future[Any]] = {edit, finished}
        await asyncio.wait(both, timeout=_EDIT_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        if not edit.done():
            await asyncio.wait({edit}, timeout=1.0)
        edit.cancel()
        (error,) = await asyncio.gather(edit, return_exceptions=True)
        if isinstance(error, Exception):
            log.info("progress of job %s not shown: %s", view.id, self._client.redact(str(error)))

    async def _show_end(self, view: JobView, place: _Place) -> None:
        ending = await asyncio.to_thread(ending_of, view, self._client.redact)
        if not self._is_expired(place) and await self._edit_end(ending, place):
            return
        message = await self._send(
            place.channel_id, ending, mention=view.owner.user_id, key=f"end-{view.id}"
        )
        if message is not None:
            moved = moved_embed(view, message.jump_url)
            await self._mend(place.channel_id, place.message_id, moved)

    async def _edit_end(self, ending: Ending, place: _Place) -> bool:
        for version in (ending, ending.without_files()):
            try:
                await place.interaction.edit_original_response(
                    embeds=list(version.embeds),
                    attachments=Parcel(version.files).attachments(),
                    view=version.view(),
                )
                return True
            except discord.HTTPException as error:
                log.warning("the end of a job could not be edited in: %s", _reason(error))
                if error.code != _TOO_LARGE:
                    return False
            except _NETWORK as error:
                log.warning("the end of a job could not be edited in: %r", error)
                return False
        return False

    async def _send(
        self, channel_id: int, ending: Ending, *, mention: int, key: str
    ) -> discord.Message | None:
        """Send to a channel until it arrives; None where Discord will never take it."""
        channel = self._client.get_partial_messageable(channel_id)
        only_author = discord.AllowedMentions(users=[discord.Object(mention)])

        async def send(version: Ending) -> discord.Message:
            options: dict[str, Any] = {"view": version.view()} if version.run_id else {}
            return await channel.send(
                f"<@{mention}>",
                embeds=list(version.embeds),
                files=Parcel(version.files).attachments(),
                allowed_mentions=only_author,
                # Discord drops a second message of the same nonce: a retry can't post twice.
                nonce=key,
                **options,
            )

        try:
            return await _insist(lambda: send(ending))
        except discord.HTTPException as error:
            log.warning("a message for channel %s was refused: %s", channel_id, _reason(error))
        try:
            return await _insist(lambda: send(ending.without_files()))
        except discord.HTTPException as error:
            log.error("channel %s takes no message: %s", channel_id, _reason(error))
            return None

    async def _tell_interrupted(self, job: UnfinishedJob) -> None:
        embed = interrupted_embed(job.kind, job.request)
        key = f"cut-{job.id}"
        await self._send(job.channel_id, Ending((embed,)), mention=job.user_id, key=key)
        await self._client.services.stored_jobs.told(job.id)
        if job.message_id is not None:
            await self._mend(job.channel_id, job.message_id, embed)

    async def _mend(self, channel_id: int, message_id: int, embed: discord.Embed) -> None:
        """Edit an old progress message by the bot's token; it may be gone, and that is well."""
        channel = self._client.get_partial_messageable(channel_id)
        try:
            message = channel.get_partial_message(message_id)
            await message.edit(embeds=[embed], view=None)
        except (discord.HTTPException, *_NETWORK) as error:
            log.info("message %s could not be edited: %s", message_id, error)

    async def _edit(
        self, place: _Place, *, embeds: list[discord.Embed], view: discord.ui.View
    ) -> None:
        if not self._is_expired(place):
            await place.interaction.edit_original_response(embeds=embeds, view=view)
            return
        channel = self._client.get_partial_messageable(place.channel_id)
        await channel.get_partial_message(place.message_id).edit(embeds=embeds, view=view)

    def _is_expired(self, place: _Place) -> bool:
        return self._client.options.clock() >= place.token_ends_at


async def _insist(
    send: Callable[[], Awaitable[discord.Message]],
) -> discord.Message:
    """Try until Discord takes it or refuses it; outages are waited out for minutes."""
    for delay_s in _RETRY_DELAYS_S:
        try:
            return await send()
        except discord.DiscordServerError as error:
            log.warning("Discord is failing, next try in %g s: %s", delay_s, _reason(error))
        except _NETWORK as error:
            log.warning("no way to Discord, next try in %g s: %r", delay_s, error)
        await asyncio.sleep(delay_s)
    return await send()


def _differs(view: JobView, shown: JobView) -> bool:
    return (view.state, view.position, view.progress) != (
        shown.state,
        shown.position,
        shown.progress,
    )


def _reason(error: discord.HTTPException) -> str:
    return f"{error.status} (code {error.code}) {error.text}"
