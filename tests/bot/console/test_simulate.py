"""`jesse simulate` with ports and speeds that can't be."""

import socket

import pytest


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--port", 99_999), "--port must be 0 to 65535, got 99999"),
        (("--port", -1), "--port must be 0 to 65535, got -1"),
        (("--speed", 0), "--speed must be above 0, got 0"),
        (("--speed", "nan"), "--speed must be above 0, got nan"),
        (("--speed", "inf"), "--speed must be above 0, got inf"),
    ],
)
def test_bad_input_gets_one_clear_message(jesse, arguments, message):
    outcome = jesse("simulate", *arguments)
    assert outcome.code == 2
    assert outcome.err.startswith(f"error: {message}")
    assert outcome.err.count("\n") == 1


def test_a_port_that_is_in_use_is_named(jesse):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        outcome = jesse("simulate", "--port", port)
    assert outcome.code == 2
    assert outcome.err == (
        f"error: port {port} can't be used: Address already in use: choose another with --port\n"
    )
