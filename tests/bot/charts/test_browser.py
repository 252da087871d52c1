"""Drawing with a real browser: one for all tests here, killed now and then."""

import asyncio
import json
import os
import signal
import struct
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from bot.charts.equity import equity_figure
from bot.charts.errors import RenderFailed
from bot.charts.monthly import monthly_returns_figure
from bot.charts.renderer import PngRenderer
from bot.charts.trades import trades_figure

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

SMALL = {"data": [{"y": [1, 3, 2]}]}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def renderer(chromium: Path) -> AsyncIterator[PngRenderer]:
    async with PngRenderer(chromium) as shared:
        yield shared


@pytest.fixture
def short_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder of this test alone, whose path is short enough for a browser's sockets."""
    with tempfile.TemporaryDirectory(prefix="jc-") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def size_of(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", png[16:24])


def leader() -> psutil.Process:
    """The process that Kaleido started, which leads the browser's group."""
    (found,) = [p for p in psutil.Process().children() if p.is_running() and own_folders(p)]
    return found


def own_folders(process: psutil.Process) -> list[str]:
    words = process.cmdline() if process.status() != psutil.STATUS_ZOMBIE else []
    return [word for word in words if "jesse-charts-" in word]


def browser_processes() -> list[psutil.Process]:
    """The browsers of this test process; another's tests may run beside."""
    return [p for p in psutil.Process().children(recursive=True) if own_folders(p)]


async def test_a_picture_has_the_size_that_was_asked_for(renderer):
    assert size_of(await renderer.render(SMALL, width=400, height=300, scale=2)) == (800, 600)
    assert size_of(await renderer.render(SMALL)) == (1200, 720)


async def test_a_figures_own_height_counts_where_none_is_asked_for(renderer, build):
    figure = monthly_returns_figure(build())

    assert size_of(await renderer.render(figure)) == (1200, round(1.5 * figure.layout.height))


async def test_a_figure_its_dict_and_its_json_give_the_same_picture(renderer, build):
    figure = equity_figure(build())

    pictures = {
        await renderer.render(shape)
        for shape in (figure, figure.to_dict(), json.dumps(figure.to_dict()))
    }

    assert len(pictures) == 1


async def test_every_chart_can_be_drawn(renderer, build):
    results = build()

    for draw in (equity_figure, trades_figure, monthly_returns_figure):
        assert len(await renderer.render(draw(results))) > 20_000


async def test_pictures_asked_for_at_once_are_not_mixed_up(renderer):
    sizes = [(200 + 10 * number, 200) for number in range(5)]

    pictures = await asyncio.gather(
        *(renderer.render(SMALL, width=w, height=h, scale=1) for w, h in sizes)
    )

    assert [size_of(picture) for picture in pictures] == sizes


async def test_the_browser_stays_for_the_next_picture(renderer):
    await renderer.warm_up()
    before = leader().pid

    await renderer.render(SMALL)

    assert leader().pid == before


async def test_a_figure_that_can_not_be_drawn_is_refused_and_the_next_is_drawn(renderer):
    await renderer.warm_up()
    before = leader().pid

    with pytest.raises(RenderFailed, match="can't draw"):
        await renderer.render({"layout": {}})

    assert size_of(await renderer.render(SMALL)) == (1200, 720)
    assert leader().pid == before


async def test_who_stops_waiting_for_a_picture_leaves_the_browser_alone(renderer):
    await renderer.warm_up()
    before = leader().pid
    os.killpg(before, signal.SIGSTOP)
    waiting = asyncio.ensure_future(renderer.render(SMALL))
    await asyncio.wait({waiting}, timeout=0.1)

    waiting.cancel()
    os.killpg(before, signal.SIGCONT)
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert size_of(await renderer.render(SMALL)) == (1200, 720)
    assert leader().pid == before


async def test_after_a_killed_browser_the_next_picture_starts_another(renderer):
    await renderer.warm_up()
    before = leader()
    (browser,) = before.children()

    os.kill(browser.pid, signal.SIGKILL)

    assert size_of(await renderer.render(SMALL)) == (1200, 720)
    assert leader().pid != before.pid


async def test_a_browser_killed_while_drawing_is_replaced_and_the_picture_comes(renderer):
    await renderer.warm_up()
    before = leader()
    # Stopped, it can't finish the picture before it is killed.
    os.killpg(before.pid, signal.SIGSTOP)
    drawing = asyncio.ensure_future(renderer.render(SMALL))
    await asyncio.wait({drawing}, timeout=0.3)

    os.killpg(before.pid, signal.SIGKILL)

    assert size_of(await drawing) == (1200, 720)
    assert leader().pid != before.pid


async def test_closing_leaves_no_process_and_no_folder_and_no_secret_was_seen(
    chromium, short_folder, monkeypatch
):
    monkeypatch.setenv("DISCORD_TOKEN", "very-secret")
    others = set(browser_processes())
    async with PngRenderer(chromium) as own:
        await own.warm_up()
        mine = [p for p in browser_processes() if p not in others]
        seen = [p.environ() for p in mine if p.status() != psutil.STATUS_ZOMBIE]
        assert list(short_folder.iterdir())

    assert len(seen) > 2
    assert not any("DISCORD_TOKEN" in environment for environment in seen)
    assert set(browser_processes()) == others
    assert not [p for p in mine if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    assert list(short_folder.iterdir()) == []


@pytest.mark.parametrize("hangs", [False, True])
async def test_an_idle_browser_goes_with_its_folder_even_where_it_hangs(
    chromium, short_folder, hangs
):
    others = set(browser_processes())
    waiting = []

    def call_later(_, function):
        waiting.append(function)
        return asyncio.get_running_loop().call_later(3600.0, function)

    async with PngRenderer(chromium, call_later=call_later) as own:
        await own.warm_up()
        [mine] = {p for p in browser_processes() if p not in others} & {
            *psutil.Process().children()
        }
        if hangs:
            os.killpg(mine.pid, signal.SIGSTOP)
        waiting[0]()
        await asyncio.gather(*own._endings)

        assert set(browser_processes()) == others
        assert list(short_folder.iterdir()) == []
        assert size_of(await own.render(SMALL)) == (1200, 720)

    assert set(browser_processes()) == others


async def test_the_page_and_the_browser_reach_no_network(renderer):
    await renderer.warm_up()
    (browser,) = leader().children()
    words = browser.cmdline()
    (profile,) = [word for word in words if word.startswith("--user-data-dir=")]
    text = (Path(profile.partition("=")[2]).parent / "page.html").read_text()

    assert "http" not in text
    assert "plotly.min.js" in text
    assert "--host-resolver-rules=MAP * ~NOTFOUND" in words
    assert "--disable-background-networking" in words
