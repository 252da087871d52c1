"""Forward tests on a simulated exchange whose time moves only when a test says so."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.soak.world import World, open_world


@pytest.fixture
def strategies(tmp_path: Path) -> Path:
    """A folder of strategies that tests write themselves."""
    folder = tmp_path / "strategies"
    folder.mkdir()
    return folder


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Candles alone and ticks of a quiet exchange; the strategy at hand is `busy`."""
    async with open_world(tmp_path, speed_up=100.0) as opened:
        yield opened
