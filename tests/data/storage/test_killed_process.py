"""A process killed while it commits: what is stored is a row of whole steps."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from data.database import Database

STEPPING_PROCESS = Path(__file__).parent / "stepping_process.py"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")


@pytest.fixture
def stepping_process(pytestconfig, path):
    """Start the process that commits steps."""

    @contextmanager
    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, STEPPING_PROCESS, path, *map(str, arguments)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(pytestconfig.rootpath)},
        )
        with process:
            try:
                yield process
            finally:
                process.kill()

    return start


@pytest.mark.parametrize("killed_at", [1, 37, 200])
async def test_a_killed_process_leaves_whole_steps(
    stepping_process, path, make_step, read_step, killed_at
):
    with stepping_process() as process:
        while process.stdout.readline() != f"{killed_at}\n":
            pass
        process.send_signal(signal.SIGKILL)
        told = [int(line) for line in process.stdout.read().split()]
    assert process.returncode == -signal.SIGKILL

    async with Database.open(path) as database:
        stored = await read_step(database, 1)
        assert stored >= max([killed_at, *told])
        assert await database.commit_step(make_step(1, stored + 1))


@pytest.mark.parametrize(
    "statement",
    [
        "BEGIN",
        "INSERT INTO portfolios",
        "DELETE FROM positions",
        "INSERT INTO trades",
        "INSERT INTO outbox",
        "COMMIT",
    ],
)
async def test_a_process_killed_inside_a_step_leaves_those_before_it(
    stepping_process, path, make_step, read_step, statement
):
    with stepping_process(25, statement) as process:
        told = [int(line) for line in process.stdout.read().split()]
    assert process.returncode == -signal.SIGKILL

    assert told == list(range(1, 25))
    async with Database.open(path) as database:
        assert await read_step(database, 1) == 24
        assert await database.commit_step(make_step(1, 25))
        assert await read_step(database, 1) == 25
