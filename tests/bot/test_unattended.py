"""The whole bot on its own: health over HTTP, the heartbeat, and lost state."""

import logging
import socket
from pathlib import Path

import aiohttp
import pytest
from pydantic import SecretStr


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def health(port):
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/healthz") as response,
    ):
        return response.status, await response.json()


async def until_health(port, status):
    """Ask until the answer has a status: a look is shared for two seconds."""
    while True:
        found, answer = await health(port)
        if found == status:
            return answer


async def test_a_connected_bot_is_healthy(running, candles, port):
    async with running(port=port) as bench:
        answer = await until_health(port, 200)
        assert answer["gateway"]["connected"] is True
        assert answer["database"]["writes"] is True
        secrets = (bench.sandbox.bot_token, str(bench.settings.data_dir))
        assert not any(secret in str(answer) for secret in secrets)
    with pytest.raises(aiohttp.ClientConnectorError):
        await health(port)


async def test_a_bot_whose_gateway_is_gone_is_not_healthy(running, candles, port):
    async with running(port=port) as bench:
        await until_health(port, 200)
        await bench.sandbox.go_down()
        answer = await until_health(port, 503)
        assert answer["reasons"] == ["the gateway of Discord is not connected"]
        await bench.sandbox.come_back()
        await bench.sandbox.wait_until_connected(timeout_s=60)
        await until_health(port, 200)


async def test_every_job_of_a_new_bot_works(running):
    async with running() as bench:
        scheduler = bench.app.client.services.scheduler
        records = [await scheduler.run_now(view.name) for view in scheduler.views()]
    assert [record.failures for record in records] == [0] * 7
    assert "nothing to do" in records[0].text


async def test_without_a_port_nothing_listens(running, candles, caplog):
    caplog.set_level(logging.INFO)
    async with running():
        pass
    assert not any("health is told" in record.getMessage() for record in caplog.records)


async def test_state_that_will_be_lost_is_told_in_log_and_channel(running, candles, caplog):
    changes = {
        "railway_environment_name": "production",
        "railway_volume_mount_path": Path("/data"),
    }
    async with running(**changes) as bench:
        told = await bench.channel.wait_for_message(lambda m: "State will be lost" in m.text)
        assert "Set DATA\\_DIR=/data" in told.text
    errors = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert any("not on the volume at /data" in record.getMessage() for record in errors)


async def test_the_address_of_the_heartbeat_is_in_no_log(running, candles, caplog):
    caplog.set_level(logging.DEBUG)
    url = SecretStr("http://127.0.0.1:9/ping/secret-id")
    async with running(heartbeat_url=url) as bench:
        assert "secret-id" not in bench.app.client.redact(f"called {url.get_secret_value()}")
    logged = [r.getMessage() for r in caplog.records if r.name.startswith("bot")]
    assert "secret-id" not in "\n".join(logged)
