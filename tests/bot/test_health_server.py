import asyncio
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from pydantic import SecretStr

from bot.errors import InvalidSettings
from bot.health_server import Glance, Heartbeat, serve_health
from bot.services.readiness import Readiness

WELL = Readiness((), {"uptime_s": 5})
ILL = Readiness(("the gateway of Discord is not connected",), {"uptime_s": 6})


class Look:
    """Finds what the test says, and counts how often it was asked."""

    def __init__(self, found=WELL) -> None:
        self.found = found
        self.count = 0

    async def __call__(self):
        self.count += 1
        return self.found


class Switch:
    """A dead man's switch: counts calls, answers as it is told."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.status = 200
        self.url = ""

    async def answer(self, request):
        self.calls.append(request.path)
        return web.Response(status=self.status)


@pytest.fixture
async def switch():
    found = Switch()
    app = web.Application()
    app.router.add_get("/ping/secret-id", found.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/ping/secret-id"
    yield found
    await runner.cleanup()


@asynccontextmanager
async def asking(look, path="/healthz", method="GET"):
    async with (
        serve_health(look, 0, host="127.0.0.1") as port,
        aiohttp.ClientSession() as session,
        session.request(method, f"http://127.0.0.1:{port}{path}") as response,
    ):
        yield response


async def test_200_and_figures_where_all_is_well():
    async with asking(Look(WELL)) as response:
        assert response.status == 200
        assert await response.json() == {"status": "ok", "reasons": [], "uptime_s": 5}
        assert response.headers["Cache-Control"] == "no-store"


async def test_503_and_reasons_where_something_is_wrong():
    async with asking(Look(ILL)) as response:
        assert response.status == 503
        answer = await response.json()
    assert answer["status"] == "unavailable"
    assert answer["reasons"] == ["the gateway of Discord is not connected"]


@pytest.mark.parametrize(("path", "method"), [("/", "GET"), ("/etc/passwd", "GET")])
async def test_nothing_else_is_served(path, method):
    async with asking(Look(), path, method) as response:
        assert response.status == 404


async def test_nothing_can_be_sent_there():
    async with asking(Look(), method="POST") as response:
        assert response.status == 405


async def test_a_supervisor_may_ask_for_the_head_only():
    async with asking(Look(ILL), method="HEAD") as response:
        assert response.status == 503


async def test_however_many_ask_there_is_one_look_a_moment():
    look = Look()
    glance = Glance(look, valid_s=3600)
    await asyncio.gather(*(glance() for _ in range(50)))
    assert look.count == 1
    always = Glance(look, valid_s=0)
    await always()
    await always()
    assert look.count == 3


async def test_a_port_that_is_taken_is_an_error_that_names_the_setting():
    async with serve_health(Look(), 0, host="127.0.0.1") as port:
        with pytest.raises(InvalidSettings, match=f"PORT {port} can't be listened on"):
            async with serve_health(Look(), port, host="127.0.0.1"):
                pass


async def test_the_port_is_free_again_afterwards():
    async with serve_health(Look(), 0, host="127.0.0.1") as port:
        pass
    async with serve_health(Look(), port, host="127.0.0.1") as again:
        assert again == port


async def test_by_default_it_listens_for_everybody():
    async with (
        serve_health(Look(), 0) as port,
        aiohttp.ClientSession() as session,
        session.get(f"http://localhost:{port}/healthz") as response,
    ):
        assert response.status == 200


async def test_the_heartbeat_calls_while_all_is_well_and_not_otherwise(switch):
    look = Look(WELL)
    heartbeat = Heartbeat(look, SecretStr(switch.url))
    async with aiohttp.ClientSession() as session:
        await heartbeat.beat(session)
        look.found = ILL
        await heartbeat.beat(session)
        assert len(switch.calls) == 1
        look.found = WELL
        await heartbeat.beat(session)
    assert len(switch.calls) == 2


async def test_the_heartbeat_goes_on_until_it_is_cancelled(switch):
    look = Look(WELL)
    task = asyncio.create_task(Heartbeat(look, SecretStr(switch.url), every_s=0).run())
    async with asyncio.timeout(10):
        while len(switch.calls) < 3:  # noqa: ASYNC110 - the switch tells nobody
            await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_without_an_address_it_looks_and_calls_nobody(caplog):
    look = Look(ILL)
    async with aiohttp.ClientSession() as session:
        await Heartbeat(look, None).beat(session)
    assert look.count == 1
    assert "gateway of Discord is not connected" in caplog.text


async def test_a_change_of_health_is_logged_once(caplog):
    look = Look(ILL)
    heartbeat = Heartbeat(look, None)
    async with aiohttp.ClientSession() as session:
        for found in (ILL, ILL, WELL, WELL):
            look.found = found
            await heartbeat.beat(session)
    assert [r.getMessage() for r in caplog.records] == [
        "health: the gateway of Discord is not connected",
        "health: all is well again",
    ]


@pytest.mark.parametrize("fault", ["refused", "status", "nonsense"])
async def test_an_address_that_fails_is_logged_once_and_never_in_full(switch, caplog, fault):
    url = {
        "refused": "http://127.0.0.1:9/ping/secret-id",
        "status": switch.url,
        "nonsense": "http://[bad/secret-id",
    }[fault]
    switch.status = 500
    heartbeat = Heartbeat(Look(WELL), SecretStr(url))
    async with aiohttp.ClientSession() as session:
        for _ in range(3):
            await heartbeat.beat(session)
    assert len(caplog.records) == 1
    assert "secret-id" not in caplog.text
    assert "HEARTBEAT_URL can't be called" in caplog.text


async def test_a_new_success_after_failures_is_logged(switch, caplog):
    caplog.set_level("INFO")
    heartbeat = Heartbeat(Look(WELL), SecretStr(switch.url))
    async with aiohttp.ClientSession() as session:
        switch.status = 503
        await heartbeat.beat(session)
        switch.status = 200
        await heartbeat.beat(session)
    assert "can be called again" in caplog.records[-1].getMessage()
