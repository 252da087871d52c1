import pytest

from bot.sandbox.composing import Upload, compose, find_pings, revise, safe_filename
from bot.sandbox.errors import DiscordError
from bot.sandbox.models import UploadedFile


def made(sandbox, payload, *files):
    numbered = {n: UploadedFile(name, b"x") for n, name in enumerate(files)}
    upload = Upload(payload, numbered)
    return compose(sandbox.state, upload, channel_id=sandbox.channel_id, author=sandbox.state.bot)


@pytest.mark.parametrize(
    ("name", "stored"),
    [("chart 1.png", "chart_1.png"), ("añ(b).csv", "ab.csv"), ("..", "file"), ("a/b", "ab")],
)
def test_file_names_are_made_safe(name, stored):
    assert safe_filename(name) == stored


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        (None, ((5, 6), True)),
        ({"parse": []}, ((), False)),
        ({"parse": ["users"]}, ((5,), False)),
        ({"parse": ["everyone"], "roles": ["6"]}, ((6,), True)),
    ],
)
def test_allowed_mentions_decide_who_is_notified(allowed, expected):
    assert find_pings("@here <@5> <@&6> <@!5>", allowed) == expected


async def test_an_edit_keeps_what_it_does_not_name(sandbox):
    first = made(sandbox, {"content": "a", "embeds": [{"title": "t"}]}, "x.txt")

    second = revise(sandbox.state, first, Upload({"content": "b"}))
    third = revise(sandbox.state, second, Upload({"embeds": None, "attachments": []}))

    assert (second.embeds, second.attachments) == (first.embeds, first.attachments)
    assert (third.content, third.embeds, third.attachments) == ("b", (), ())


async def test_an_edit_can_keep_one_file_and_add_another(sandbox):
    first = made(sandbox, {}, "a.txt", "b.txt")
    keep = [{"id": str(first.attachments[1].id)}, {"id": 0, "description": "new"}]
    upload = Upload({"attachments": keep}, {0: UploadedFile("c.txt", b"y")})

    edited = revise(sandbox.state, first, upload)

    files = [(file.filename, file.description) for file in edited.attachments]
    assert files == [("b.txt", None), ("c.txt", "new")]


async def test_an_edit_can_not_leave_a_message_empty_or_name_a_missing_file(sandbox):
    first = made(sandbox, {"content": "a"})

    with pytest.raises(DiscordError, match="50006"):
        revise(sandbox.state, first, Upload({"content": ""}))
    with pytest.raises(DiscordError, match="50035"):
        revise(sandbox.state, first, Upload({"attachments": [{"id": 7}]}))


async def test_requests_over_25_mebibytes_and_ten_files_are_refused(sandbox):
    nine = UploadedFile("x.bin", bytes(9 * 1024 * 1024))
    upload = Upload({}, dict.fromkeys(range(3), nine))
    with pytest.raises(DiscordError, match="40005"):
        compose(sandbox.state, upload, channel_id=1, author=sandbox.state.bot)
    with pytest.raises(DiscordError, match="50035"):
        made(sandbox, {}, *(f"{n}.txt" for n in range(11)))
