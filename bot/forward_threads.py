"""The thread of each forward test and the message in it that shows how the test stands.

Ids are kept in the database, so that the next process goes on with the same messages; what somebody
deleted is made anew. Where threads aren't allowed, the message in the channel shows the test.
"""

import asyncio
import logging
import time
from typing import Any, Final

import aiohttp
import discord

from bot.services.alert_kinds import START
from bot.services.alert_settings import AlertSettings, AlertState
from bot.services.forward.desk import ForwardDesk
from bot.services.forward.service import ALIVE
from bot.ui.forward import started_embed, status_embed
from data.database import Database
from data.errors import DataError
from data.storage.records import ForwardTest

log = logging.getLogger(__name__)

EDIT_EVERY_S: Final = 30.0
_AFTER_TRADES_S: Final = 2.0
_ASK_AGAIN_S: Final = 600.0
_ARCHIVE_MINUTES: Final = 10_080
_THREAD_NAME: Final = 100

UNKNOWN_CHANNEL: Final = 10003
UNKNOWN_MESSAGE: Final = 10008
_THREAD_EXISTS: Final = 160004
_THREAD_ARCHIVED: Final = 50083
NETWORK: Final = (aiohttp.ClientError, OSError, TimeoutError)


class ForwardThreads:
    """Finds or makes the thread of a test; `channel_id` is where they are made."""

    def __init__(self, client: discord.Client, database: Database, channel_id: int) -> None:
        self._client = client
        self._database = database
        self._settings = AlertSettings(database)
        self.channel_id = channel_id
        self._turn = asyncio.Lock()
        self._not_before = 0.0

    async def ensure(self, test_id: int) -> int | None:
        """Return a test's thread, made if need be; None where the bot may make none.

        Raises what Discord's library raises.
        """
        async with self._turn:
            test = await self._database.get_forward_test(test_id)
            if test is None:
                return None
            if test.thread_id is not None:
                return test.thread_id
            anchor = await self._anchor(test)
            return await self._make(test, anchor)

    async def find(self, test_id: int) -> ForwardTest | None:
        """Return a test as it is stored."""
        return await self._database.get_forward_test(test_id)

    async def anchor(self, test: ForwardTest) -> int:
        """Return the message in the channel that stands for a test."""
        async with self._turn:
            return await self._anchor(test)

    async def forget(self, test_id: int) -> None:
        """Note that the thread of a test is gone: the next that is asked for is a new one."""
        await self._database.set_forward_test_channel(
            test_id, channel_id=self.channel_id, thread_id=None
        )
        await self._database.set_status_message(test_id, None)
        _, number = await self._known_anchor(test_id)
        await self._database.set_setting(_anchor_key(test_id), [None, number + 1])

    async def _anchor(self, test: ForwardTest) -> int:
        known, number = await self._known_anchor(test.id)
        if known is not None:
            return known
        channel = self._client.get_partial_messageable(self.channel_id)
        # The nonce keeps a message that arrived before a crash from being sent again; the number
        # in it tells one that takes the place of another.
        nonce = f"test-{test.id}-{number}"
        is_silent = (await self._settings.read()).of(START, {}) is not AlertState.ON
        message = await channel.send(embed=started_embed(test), nonce=nonce, silent=is_silent)
        await self._database.set_setting(_anchor_key(test.id), [message.id, number])
        return message.id

    async def _known_anchor(self, test_id: int) -> tuple[int | None, int]:
        """Return the message that stands for a test, if any, and how many there were before."""
        known, number = await self._database.get_setting(_anchor_key(test_id), (None, 0))
        return known, number

    async def _make(self, test: ForwardTest, anchor: int) -> int | None:
        if time.monotonic() < self._not_before:
            return None
        try:
            thread_id = await self._start_thread(test, anchor)
        except discord.NotFound as error:
            if error.code == UNKNOWN_MESSAGE:
                await self.forget(test.id)
                return await self._make(test, await self._anchor(test))
            raise
        except discord.Forbidden as error:
            log.warning("no thread for %s: %s", test.name, error.text)
            self._not_before = time.monotonic() + _ASK_AGAIN_S
            return None
        await self._database.set_forward_test_channel(
            test.id, channel_id=self.channel_id, thread_id=thread_id
        )
        await self._database.set_status_message(test.id, None)
        return thread_id

    async def _start_thread(self, test: ForwardTest, anchor: int) -> int:
        name = f"{test.name} · {test.symbol}"[:_THREAD_NAME]
        channel = self._client.get_partial_messageable(self.channel_id)
        message = channel.get_partial_message(anchor)
        http = self._client.http
        try:
            made = await http.start_thread_with_message(
                channel.id, message.id, name=name, auto_archive_duration=_ARCHIVE_MINUTES
            )
        except discord.HTTPException as error:
            if error.code != _THREAD_EXISTS:
                raise
            return anchor  # a thread has the id of the message that it was made from
        return int(made["id"])


class StatusBoard:
    """Keeps the status messages of all tests up to date; `run` is its task.

    They are edited at most every `every_s`, and soon after a trade.
    """

    def __init__(
        self,
        client: discord.Client,
        desk: ForwardDesk,
        threads: ForwardThreads,
        *,
        every_s: float = EDIT_EVERY_S,
        after_trades_s: float = _AFTER_TRADES_S,
    ) -> None:
        self._client = client
        self._desk = desk
        self._threads = threads
        self._every_s = every_s
        self._after_trades_s = after_trades_s
        self._shown: dict[int, dict[str, Any]] = {}
        self._touched: set[int] = set()
        self._woken = asyncio.Event()

    def touch(self, test_id: int) -> None:
        """Show a test anew soon."""
        self._touched.add(test_id)
        self._woken.set()

    async def run(self) -> None:
        """Show until cancelled."""
        self._touched.update(await self._alive())
        while True:
            await self._client.wait_until_ready()
            await self.show_all()
            try:
                async with asyncio.timeout(self._every_s):
                    await self._woken.wait()
                await asyncio.sleep(self._after_trades_s)
            except TimeoutError:
                self._touched.update(await self._alive())
            self._woken.clear()

    async def show_all(self) -> None:
        """Show every test that was touched; what can't be shown now is tried again later."""
        touched, self._touched = self._touched, set()
        for test_id in sorted(touched):
            try:
                await self._show(test_id)
            except (discord.HTTPException, DataError, *NETWORK) as error:
                log.info("the status of test %s could not be shown: %s", test_id, error)
                self._touched.add(test_id)

    async def _alive(self) -> list[int]:
        try:
            return [test.id for test in await self._desk.database.list_forward_tests(ALIVE)]
        except DataError as error:
            log.warning("no list of forward tests: %s", error)
            return []

    async def _show(self, test_id: int) -> None:
        thread_id = await self._threads.ensure(test_id)
        test = await self._desk.database.get_forward_test(test_id)
        if test is None:
            return
        embed = status_embed(await self._desk.view(test))
        shown = embed.to_dict()
        if self._shown.get(test_id) == shown:
            return
        try:
            await self._put(test, thread_id, embed)
        except discord.NotFound as error:
            await self._mend(test, error)
            self.touch(test_id)
            return
        self._shown[test_id] = dict(shown)

    async def _put(self, test: ForwardTest, thread_id: int | None, embed: discord.Embed) -> None:
        if thread_id is None:
            anchor = await self._threads.anchor(test)
            await self._edit(self._threads.channel_id, anchor, embed)
        elif test.status_message_id is not None:
            await self._edit(thread_id, test.status_message_id, embed)
        else:
            await self._post(test, thread_id, embed)

    async def _post(self, test: ForwardTest, thread_id: int, embed: discord.Embed) -> None:
        thread = self._client.get_partial_messageable(thread_id)
        message = await thread.send(embed=embed, nonce=f"status-{test.id}-{thread_id}"[:25])
        await self._desk.database.set_status_message(test.id, message.id)
        try:
            await thread.get_partial_message(message.id).pin()
        except discord.HTTPException as error:
            log.info("the status of %s could not be pinned: %s", test.name, error.text)

    async def _edit(self, channel_id: int, message_id: int, embed: discord.Embed) -> None:
        channel = self._client.get_partial_messageable(channel_id)
        message = channel.get_partial_message(message_id)
        try:
            await message.edit(embed=embed)
        except discord.HTTPException as error:
            if error.code != _THREAD_ARCHIVED:
                raise
            await self._client.http.edit_channel(channel_id, archived=False)
            await message.edit(embed=embed)

    async def _mend(self, test: ForwardTest, error: discord.NotFound) -> None:
        """Forget the message or thread that is gone."""
        if error.code == UNKNOWN_MESSAGE and test.thread_id is not None:
            await self._desk.database.set_status_message(test.id, None)
        else:
            await self._threads.forget(test.id)


def _anchor_key(test_id: int) -> str:
    return f"forward:{test_id}:anchor"
