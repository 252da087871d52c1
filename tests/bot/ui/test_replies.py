"""The answer to an interaction: exactly one, in time, and never an error of its own."""

import asyncio
from types import SimpleNamespace

import discord
import pytest

from bot.ui import replies
from bot.ui.replies import answer_privately, respond, settle

DEFERRED = discord.InteractionResponseType.deferred_channel_message
MESSAGE = discord.InteractionResponseType.channel_message


class Response:
    """The first answer; `error` is what sending it raises."""

    def __init__(self, calls, error):
        self.type, self._calls, self._error = None, calls, error

    def is_done(self):
        return self.type is not None

    async def defer(self, *, ephemeral, thinking):
        self.type = DEFERRED
        self._calls.append(("defer", ephemeral))

    async def send_message(self, content=None, **options):
        if self._error:
            raise self._error
        self.type = MESSAGE
        self._calls.append(("send", content, options["ephemeral"]))
        return SimpleNamespace(message_id=None)

    async def autocomplete(self, choices):
        self.type = discord.InteractionResponseType.autocomplete_result
        self._calls.append(("autocomplete", choices))


class Interaction:
    """An interaction that remembers what is done with it."""

    id = 5

    def __init__(self, *, error=None, kind=discord.InteractionType.application_command):
        self.type, self.calls, self.extras = kind, [], {}
        self.response = Response(self.calls, error)
        self.followup = SimpleNamespace(send=self._follow_up)

    async def _follow_up(self, text, *, ephemeral):
        self.calls.append(("follow up", text, ephemeral))

    async def edit_original_response(self, **options):
        self.calls.append(("edit", options["content"]))
        return SimpleNamespace(id=70)

    async def original_response(self):
        return SimpleNamespace(id=80)

    async def delete_original_response(self):
        self.calls.append(("delete",))


def refusal(status, code):
    response = SimpleNamespace(status=status, reason="refused")
    return discord.HTTPException(response, {"code": code, "message": "no"})


async def test_quick_work_needs_no_deferral():
    interaction = Interaction()

    async def work():
        return 42

    assert await settle(interaction, work()) == 42
    assert interaction.calls == []


@pytest.mark.parametrize("is_answered", [False, True])
async def test_slow_work_is_deferred_once_unless_it_was_answered(monkeypatch, is_answered):
    monkeypatch.setattr(replies, "PATIENCE_S", 0.0)
    interaction, goes_on = Interaction(), asyncio.Event()
    interaction.response.type = MESSAGE if is_answered else None

    async def work():
        await goes_on.wait()
        return 42

    settling = asyncio.create_task(settle(interaction, work(), ephemeral=True))
    for _ in range(5):
        await asyncio.sleep(0.001)
    goes_on.set()

    assert await settling == 42
    assert interaction.calls == ([] if is_answered else [("defer", True)])


async def test_work_of_an_interaction_that_is_given_up_is_given_up_too(monkeypatch):
    monkeypatch.setattr(replies, "PATIENCE_S", 0.0)
    begun, ended = asyncio.Event(), []

    async def work():
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    settling = asyncio.create_task(settle(Interaction(), work()))
    await begun.wait()
    settling.cancel()
    await asyncio.wait([settling])
    await asyncio.sleep(0)

    assert ended == [True]


async def test_the_answer_fills_the_deferral_that_was_made_for_it():
    fresh, deferred = Interaction(), Interaction()
    deferred.response.type = DEFERRED

    assert await respond(fresh, content="done") == 80
    assert await respond(deferred, content="done") == 70
    assert fresh.calls == [("send", "done", False)]
    assert deferred.calls == [("edit", "done")]


async def test_a_private_answer_takes_an_unfilled_public_thinking_back():
    interaction = Interaction()
    interaction.response.type = DEFERRED
    await answer_privately(interaction, "no such symbol")

    assert interaction.calls == [("delete",), ("follow up", "no such symbol", True)]


@pytest.mark.parametrize("was_deferred", [False, True])
async def test_a_private_word_after_the_answer_leaves_the_answer_alone(was_deferred):
    interaction = Interaction()
    interaction.response.type = DEFERRED if was_deferred else None
    await respond(interaction, content="done")
    await answer_privately(interaction, "but the picture is missing")

    assert ("delete",) not in interaction.calls
    assert interaction.calls[-1] == ("follow up", "but the picture is missing", True)


@pytest.mark.parametrize("is_answered", [False, True])
async def test_suggestions_that_fail_are_none_and_are_sent_once(is_answered):
    interaction = Interaction(kind=discord.InteractionType.autocomplete)
    if is_answered:
        await interaction.response.autocomplete([])
    await answer_privately(interaction, "the database is damaged")

    assert interaction.calls == [("autocomplete", [])]


@pytest.mark.parametrize("code", [10062, 10015, 40060, 50027])
async def test_an_answer_that_comes_too_late_is_a_line_in_the_log(caplog, code):
    await answer_privately(Interaction(error=refusal(404, code)), "done")

    assert caplog.messages == ["an answer came too late for interaction 5"]
    assert caplog.records[0].exc_info is None


@pytest.mark.parametrize("error", [refusal(500, 0), ConnectionResetError("gone")])
async def test_an_answer_that_can_not_be_sent_raises_nothing_and_is_logged_whole(caplog, error):
    interaction = Interaction(error=error)
    await answer_privately(interaction, "done")

    assert caplog.messages == ["could not answer interaction 5"]
    assert caplog.records[0].exc_info[1] is error
    assert "answered" not in interaction.extras
