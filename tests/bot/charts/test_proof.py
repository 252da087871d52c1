from pathlib import Path

import pytest

from bot.charts.chromium import find_chromium
from bot.charts.errors import ChartUnavailable, RenderFailed
from bot.charts.proof import main, prove_drawing


@pytest.mark.browser
async def test_a_browser_that_draws_is_proven():
    browser = find_chromium()
    if browser is None:
        pytest.skip("no browser on this machine")
    proof = await prove_drawing(browser)
    assert proof.png_bytes > 1_000


async def test_no_browser_proves_nothing():
    with pytest.raises(ChartUnavailable, match="apt-get install chromium"):
        await prove_drawing(None)


async def test_something_else_than_a_picture_proves_nothing(monkeypatch):
    async def render(self, figure, **options):
        return b"<html>not a picture</html> but long enough"

    monkeypatch.setattr("bot.charts.renderer.PngRenderer.render", render)
    with pytest.raises(RenderFailed, match="no picture"):
        await prove_drawing(Path("/usr/bin/chromium"))


def test_as_a_command_it_fails_where_nothing_is_drawn(monkeypatch, capsys):
    monkeypatch.setattr("bot.charts.proof.find_chromium", lambda given: None)
    assert main() == 1
    assert "charts can't be drawn" in capsys.readouterr().err
