"""The thread and the status message of a forward test, where somebody deletes or archives them."""

from types import SimpleNamespace

import discord
import pytest

from bot.forward_threads import (
    UNKNOWN_CHANNEL,
    UNKNOWN_MESSAGE,
    ForwardThreads,
    StatusBoard,
)
from bot.services.forward.overview import view_test
from bot.services.forward.session import ForwardConfig
from data.database import Database
from data.errors import StoreError
from data.storage.records import NewForwardTest

START = 1_704_067_200_000
CHANNEL = 9
THREAD_EXISTS, THREAD_ARCHIVED, MISSING_ACCESS = 160004, 50083, 50001


def refused(kind, status, code):
    response = SimpleNamespace(status=status, reason="refused")
    return kind(response, {"code": code, "message": "no"})


class Discord:
    """A client whose calls are remembered; `errors` are raised by the next calls of a name."""

    def __init__(self):
        self.calls, self.errors, self._last_id = [], {}, 100
        self.http = SimpleNamespace(
            start_thread_with_message=self._start_thread, edit_channel=self._edit_channel
        )

    def get_partial_messageable(self, channel_id):
        return SimpleNamespace(
            id=channel_id,
            send=lambda **options: self._send(channel_id, options["nonce"]),
            get_partial_message=lambda message_id: self._message(channel_id, message_id),
        )

    def _message(self, channel_id, message_id):
        async def edit(*, embed):
            self._note("edit", channel_id, message_id)

        async def pin():
            self._note("pin", channel_id, message_id)

        return SimpleNamespace(id=message_id, edit=edit, pin=pin)

    def _note(self, name, *arguments):
        self.calls.append((name, *arguments))
        if self.errors.get(name):
            raise self.errors[name].pop(0)

    async def _send(self, channel_id, nonce):
        self._note("send", channel_id, nonce)
        self._last_id += 1
        return SimpleNamespace(id=self._last_id)

    async def _start_thread(self, channel_id, message_id, *, name, auto_archive_duration):
        self._note("thread", channel_id, message_id)
        return {"id": str(message_id)}

    async def _edit_channel(self, channel_id, *, archived):
        self._note("unarchive", channel_id)

    def made(self, name):
        return [call[1:] for call in self.calls if call[0] == name]


class Desk:
    """Shows tests that nothing runs."""

    def __init__(self, database):
        self.database = database

    async def view(self, test):
        return await view_test(self.database, test, None)


@pytest.fixture
async def database(tmp_path):
    async with Database.open(tmp_path / "jesse.db") as opened:
        yield opened


@pytest.fixture
async def test(database):
    new = NewForwardTest(
        name="one",
        strategy="eager",
        params={},
        symbol="BTC/USDT",
        exchange="simulated",
        config=ForwardConfig(START - 3_600_000, START).to_json(),
    )
    return await database.create_forward_test(new)


@pytest.fixture
def client():
    return Discord()


@pytest.fixture
def threads(client, database):
    return ForwardThreads(client, database, CHANNEL)


@pytest.fixture
def board(client, database, threads):
    return StatusBoard(client, Desk(database), threads)


async def show(board, test_id):
    board.touch(test_id)
    await board.show_all()


async def test_a_test_that_is_not_stored_gets_no_thread_and_no_status(client, threads, board):
    assert await threads.ensure(404) is None
    await show(board, 404)

    assert client.calls == []


async def test_a_thread_is_made_once_and_kept(client, database, threads, test):
    assert await threads.ensure(test.id) == 101
    assert await threads.ensure(test.id) == 101

    assert client.calls == [("send", CHANNEL, f"test-{test.id}-0"), ("thread", CHANNEL, 101)]
    assert (await database.get_forward_test(test.id)).thread_id == 101


async def test_a_thread_that_was_made_before_a_crash_is_found_again(client, threads, test):
    client.errors["thread"] = [refused(discord.HTTPException, 400, THREAD_EXISTS)]

    assert await threads.ensure(test.id) == 101


async def test_a_deleted_first_message_is_sent_anew_with_a_nonce_of_its_own(client, threads, test):
    client.errors["thread"] = [refused(discord.NotFound, 404, UNKNOWN_MESSAGE)]

    assert await threads.ensure(test.id) == 102
    assert client.made("send") == [
        (CHANNEL, f"test-{test.id}-0"),
        (CHANNEL, f"test-{test.id}-1"),
    ]


@pytest.mark.parametrize(
    "error",
    [
        refused(discord.NotFound, 404, UNKNOWN_CHANNEL),
        refused(discord.HTTPException, 400, 50035),
    ],
)
async def test_a_thread_that_can_not_be_made_for_another_reason_is_an_error(
    client, threads, test, error
):
    client.errors["thread"] = [error]
    with pytest.raises(discord.HTTPException) as caught:
        await threads.ensure(test.id)

    assert caught.value is error


async def test_where_threads_are_not_allowed_the_first_message_shows_the_test(
    client, board, test, caplog
):
    client.errors["thread"] = [refused(discord.Forbidden, 403, MISSING_ACCESS)]
    await show(board, test.id)

    assert client.made("edit") == [(CHANNEL, 101)]
    assert "no thread for one" in caplog.text


async def test_a_status_that_did_not_change_is_not_sent_again(client, board, test):
    await show(board, test.id)
    before = list(client.calls)
    await show(board, test.id)

    assert before[-1] == ("pin", 101, 102)
    assert client.calls == before


async def test_a_status_that_may_not_be_pinned_is_shown_all_the_same(client, database, board, test):
    client.errors["pin"] = [refused(discord.Forbidden, 403, MISSING_ACCESS)]
    await show(board, test.id)

    assert (await database.get_forward_test(test.id)).status_message_id == 102


async def shown_before(database, test):
    """Let a process before this one have shown the test."""
    await database.set_forward_test_channel(test.id, channel_id=CHANNEL, thread_id=50)
    await database.set_status_message(test.id, 51)


async def test_the_next_process_goes_on_with_the_same_message(client, database, board, test):
    await shown_before(database, test)
    await show(board, test.id)

    assert client.calls == [("edit", 50, 51)]


async def test_an_archived_thread_is_opened_for_a_new_status(client, database, board, test):
    await shown_before(database, test)
    client.errors["edit"] = [refused(discord.HTTPException, 400, THREAD_ARCHIVED)]
    await show(board, test.id)

    assert client.calls == [("edit", 50, 51), ("unarchive", 50), ("edit", 50, 51)]


async def test_a_deleted_status_is_posted_anew_in_the_same_thread(client, database, board, test):
    await shown_before(database, test)
    client.errors["edit"] = [refused(discord.NotFound, 404, UNKNOWN_MESSAGE)]
    await board.show_all()
    await show(board, test.id)
    await board.show_all()

    assert client.made("send") == [(50, f"status-{test.id}-50")]
    assert (await database.get_forward_test(test.id)).status_message_id == 101


async def test_a_deleted_thread_is_made_anew(client, database, board, test):
    await shown_before(database, test)
    client.errors["edit"] = [refused(discord.NotFound, 404, UNKNOWN_CHANNEL)]
    await show(board, test.id)
    await board.show_all()

    stored = await database.get_forward_test(test.id)
    assert client.made("thread") == [(CHANNEL, 101)]
    assert (stored.thread_id, stored.status_message_id) == (101, 102)


@pytest.mark.parametrize(
    "error", [refused(discord.HTTPException, 500, 0), ConnectionResetError("gone")]
)
async def test_what_can_not_be_shown_now_is_shown_at_the_next_turn(
    client, database, board, test, error
):
    await shown_before(database, test)
    client.errors["edit"] = [error]
    await show(board, test.id)
    await board.show_all()
    await board.show_all()

    assert client.made("edit") == [(50, 51), (50, 51)]


async def test_without_a_list_of_tests_the_board_goes_on(client, database, board, caplog):
    async def refuse(wanted):
        raise StoreError("the database is damaged")

    board._desk = SimpleNamespace(database=SimpleNamespace(list_forward_tests=refuse))

    assert await board._alive() == []
    assert "no list of forward tests: the database is damaged" in caplog.text
