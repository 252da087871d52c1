import aiohttp
import pytest


@pytest.mark.parametrize(
    "path", ["", "static/page.js", "start", "live", "older", "files/1/2/x.png"]
)
async def test_nothing_is_served_without_the_token(path, site, sandbox, http):
    for base in ("/channel/", "/channel/wrong/", "/channel/%C3%A9/", f"/{site.url[-33:]}"):
        async with http.get(f"{sandbox.base_url}{base}{path}") as response:
            assert response.status == 404


async def test_an_action_without_the_token_is_not_found(sandbox, http):
    headers = {"Origin": sandbox.base_url}
    url = f"{sandbox.base_url}/channel/wrong/act/send"
    async with http.post(url, json={}, headers=headers) as response:
        assert response.status == 404


async def test_a_name_that_points_at_this_machine_is_not_the_page(site, sandbox, http):
    port = sandbox.base_url.rpartition(":")[2]
    for host, status in (
        (f"evil.example:{port}", 404),
        (f"127.0.0.1.evil.example:{port}", 404),
        (f"localhost:{port}", 200),
    ):
        async with http.get(site.url, headers={"Host": host}) as response:
            assert response.status == status


@pytest.mark.parametrize("origin", [None, "http://evil.example", "null", "http://127.0.0.1:1"])
async def test_only_the_page_itself_may_act(origin, site, sandbox, http):
    headers = {} if origin is None else {"Origin": origin}
    body = {"user": "operator", "channel": str(sandbox.channel_id), "text": "hello"}
    async with http.post(f"{site.url}act/send", json=body, headers=headers) as response:
        assert response.status == 403
    with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
        await http.ws_connect(f"{site.url}live", headers=headers)

    assert sandbox.channel("research").messages == []


async def test_every_answer_is_fenced_in(site, sandbox, http):
    for url in (site.url, f"{site.url}static/page.js", f"{sandbox.base_url}/channel/wrong/"):
        async with http.get(url) as response:
            policy = response.headers["Content-Security-Policy"]
            assert "default-src 'none'; script-src 'self';" in policy
            assert "unsafe" not in policy
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Referrer-Policy"] == "no-referrer"
            assert response.headers["X-Frame-Options"] == "DENY"


async def test_two_pages_have_different_tokens(site, new_page):
    assert new_page().url.rpartition("/channel/")[2] != site.url.rpartition("/channel/")[2]
    assert len(site.url.split("/")[-2]) >= 32
