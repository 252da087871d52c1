import io

import discord
import pytest


async def test_an_address_without_its_last_slash_leads_to_the_page(site, sandbox, http):
    async with http.get(site.url.rstrip("/")) as response:
        assert (response.status, str(response.url)) == (200, site.url)
        assert "text/html" in response.headers["Content-Type"]


async def test_static_files_have_their_types_and_others_are_not_found(site, sandbox, http):
    for name, kind in (("page.js", "text/javascript"), ("page.css", "text/css")):
        async with http.get(f"{site.url}static/{name}") as response:
            assert response.content_type == kind
    for name in ("nothing.js", "..%2Froutes.py", "%2e%2e%2froutes.py"):
        async with http.get(f"{site.url}static/{name}") as response:
            assert response.status == 404


async def test_the_page_loads_nothing_from_elsewhere(site, sandbox, http):
    async with http.get(site.url) as response:
        # The name of a drawing's language looks like an address and is never asked for.
        assert "http" not in (await response.text()).replace("http://www.w3.org/2000/svg", "")
    for name in ("page.css", "messages.css", "controls.css", "composer.css"):
        async with http.get(f"{site.url}static/{name}") as response:
            text = await response.text()
            assert "@import" not in text
            assert "url(" not in text


async def test_the_start_names_the_users_and_the_channel(site, sandbox, http):
    async with http.get(f"{site.url}start") as response:
        start = await response.json()

    assert [(user["name"], user["shown"]) for user in start["users"]] == [
        ("operator", "Operator"),
        ("viewer", "Viewer"),
    ]
    assert (start["guild"], start["channel"]) == ("Jesse Lab", str(sandbox.channel_id))


@pytest.mark.parametrize(
    ("name", "disposition", "kind"),
    [
        ("evil.html", "attachment", "text/html"),
        ("evil.svg", "attachment", "image/svg+xml"),
        ("chart.png", "inline", "image/png"),
    ],
)
async def test_a_file_never_runs_as_part_of_the_page(
    name, disposition, kind, site, sandbox, research, http
):
    channel = research.get_channel(sandbox.channel_id)
    await channel.send(file=discord.File(io.BytesIO(b"<script>alert(1)</script>"), name))
    found = sandbox.channel("research").messages[-1].attachments[0]
    path = found.url.partition("/attachments/")[2]
    async with http.get(f"{site.url}files/{path}") as response:
        assert response.headers["Content-Disposition"].startswith(f"{disposition};")
        assert response.content_type == kind
        assert response.headers["Content-Security-Policy"].endswith("sandbox")
        assert await response.read() == b"<script>alert(1)</script>"


async def test_a_file_that_is_not_there_is_not_found(site, sandbox, http):
    for path in ("1/2/x.png", "1/x/x.png"):
        async with http.get(f"{site.url}files/{path}") as response:
            assert response.status == 404


async def test_older_messages_come_in_pages(site, sandbox, http, listening):
    for number in range(205):
        await sandbox.user("operator").send(f"message {number}")
    async with listening() as socket:
        snapshot = await socket.receive_json()
    assert snapshot["has_older"]
    assert snapshot["messages"][0]["content"] == "message 105"

    query = {"user": "operator", "channel": str(sandbox.channel_id)}
    before = snapshot["messages"][0]["id"]
    async with http.get(f"{site.url}older", params={**query, "before": before}) as response:
        older = await response.json()
    assert older["has_older"]
    assert [m["content"] for m in older["messages"]] == [f"message {i}" for i in range(5, 105)]
    async with http.get(f"{site.url}older", params={**query, "before": "x"}) as response:
        assert (await response.json())["error"] == "'before' must be a message's id, not 'x'"


async def test_an_unknown_action_is_not_found(site, sandbox, http):
    headers = {"Origin": sandbox.base_url}
    async with http.post(f"{site.url}act/drop", json={}, headers=headers) as response:
        assert response.status == 404


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        ("{", "application/json", "not JSON"),
        ("[]", "application/json", "an object"),
        ("{}", "text/plain", "are JSON"),
    ],
)
async def test_a_body_that_is_no_json_object_is_refused(data, kind, words, site, sandbox, http):
    headers = {"Origin": sandbox.base_url, "Content-Type": kind}
    async with http.post(f"{site.url}act/send", data=data, headers=headers) as response:
        assert response.status == 400
        assert words in (await response.json())["error"]


async def test_a_failure_of_the_sandbox_is_one_line(act, sandbox, monkeypatch):
    def fail(*_):
        raise RuntimeError("first\nsecond")

    monkeypatch.setattr(sandbox.commands, "offered", fail)
    status, body = await act("slash", command="x", options={})

    assert status == 500
    assert body == {"error": "the sandbox failed: RuntimeError: first second"}
