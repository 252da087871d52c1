import base64

import pytest


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"user": "stranger"}, "the page has the users"),
        ({"user": ["operator"]}, "the page has the users"),
        ({"channel": "12"}, "no channel 12"),
        ({"channel": None}, "no channel 0"),
        ({"text": 5}, "'text' must be a text, not int"),
        ({"text": ""}, "Cannot send an empty message"),
        ({"text": "x" * 2001}, "Invalid Form Body"),
    ],
)
async def test_what_a_user_may_not_send_is_refused_in_one_line(change, words, act):
    status, body = await act("send", **{"text": "hello", **change})

    assert status == 400
    assert words in body["error"]
    assert "\n" not in body["error"]


async def test_a_user_writes_in_a_channel_and_to_the_bot(act, sandbox):
    await act("send", text="hello")
    await act("send", text="to the bot", channel="dm", user="viewer")

    assert [m.content for m in sandbox.channel("research").messages] == ["hello"]
    assert [m.content for m in sandbox.direct_messages("viewer").messages] == ["to the bot"]


async def test_the_direct_messages_of_somebody_else_are_closed(act, sandbox):
    private = sandbox.direct_messages("viewer").id
    status, body = await act("send", text="hello", channel=str(private))

    assert (status, body["error"]) == (400, "operator can't see this channel")


@pytest.mark.parametrize(
    ("action", "body", "words"),
    [
        ("click", {"message": "5", "control": "x"}, "this message is gone"),
        ("click", {"message": "five", "control": "x"}, "'message' must be an id, not 'five'"),
        ("select", {"message": "5", "control": "x", "values": "1h"}, "a list of texts"),
        ("submit", {"interaction": "5"}, "Unknown interaction"),
        ("slash", {"command": "nothing"}, "isn't offered /nothing"),
        ("slash", {"command": "x", "options": []}, "'options' must be an object, not list"),
        ("slash", {"command": "x", "options": {"y": {"id": 5}}}, "'id' must be a text"),
        ("slash", {"command": "x", "options": {"y": {"base64": "%", "filename": "f"}}}, "whole"),
    ],
)
async def test_what_does_not_exist_is_refused(action, body, words, act):
    status, answer = await act(action, **body)

    assert status == 400
    assert words in answer["error"]


async def test_a_form_is_sent_only_where_one_was_opened(act, sandbox):
    sandbox.commands.overwrite(None, [{"name": "x", "description": "y"}])
    _, opened = await act("slash", command="x")
    status, body = await act("submit", interaction=opened["interaction"], values={})

    assert (status, body["error"]) == (400, "this interaction opened no form")


async def test_ids_and_files_of_options_arrive_as_what_they_are(act, sandbox):
    options = [
        {"name": "who", "description": "d", "type": 6},
        {"name": "data", "description": "d", "type": 11},
    ]
    sandbox.commands.overwrite(None, [{"name": "x", "description": "y", "options": options}])
    given = {
        "who": {"id": str(sandbox.ids.viewer_id)},
        "data": {"filename": "a.csv", "base64": base64.b64encode(b"1,2").decode()},
    }
    _, opened = await act("slash", command="x", options=given)
    data = sandbox.desk.get(int(opened["interaction"])).data
    file_id = data["options"][1]["value"]

    assert data["options"][0]["value"] == str(sandbox.ids.viewer_id)
    assert data["resolved"]["attachments"][file_id]["filename"] == "a.csv"
    assert sandbox.state.uploads[int(file_id)].data == b"1,2"


async def test_suggestions_come_from_the_bot(act, research):
    _, body = await act("suggest", command="backtest", option="strategy", typed="re", options={})

    assert body["choices"] == [
        {"name": "breakout", "value": "breakout"},
        {"name": "mean_reversion", "value": "mean_reversion"},
    ]
