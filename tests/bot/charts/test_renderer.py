"""What the renderer does when browsers die, hang or never come up, with browsers on paper."""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest

from bot.charts import renderer as module
from bot.charts.errors import BrowserDied, ChartUnavailable, RenderFailed
from bot.charts.renderer import PngRenderer

MB = 1024 * 1024
SMALL = {"data": [{"y": [1, 3, 2]}]}
BROWSER = Path("/bin/sh")

Draw = Callable[[], Future[bytes]]


def done(value: bytes | Exception) -> Future[bytes]:
    future: Future[bytes] = Future()
    if isinstance(value, Exception):
        future.set_exception(value)
    else:
        future.set_result(value)
    return future


class PaperBrowsers:
    """Stands for the class of browser threads; each new one does what comes next in the script.

    A script entry is what a picture gives (bytes, an error, a future that never comes) or what
    happens instead: "never up", "hangs" (at its start), "dies silently". The last entry repeats.
    """

    def __init__(self, *script: object) -> None:
        self.script = list(script)
        self.made: list[PaperBrowser] = []

    def __call__(self, browser: Path, *, sandbox: bool) -> "PaperBrowser":
        entry = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        self.made.append(PaperBrowser(entry, sandbox=sandbox))
        return self.made[-1]


class PaperBrowser:
    def __init__(self, entry: object, *, sandbox: bool) -> None:
        self.entry = entry
        self.sandbox = sandbox
        self.started: Future[None] = Future()
        self.is_over = False
        self.closed: list[bool] = []
        self.drawn: list[tuple[object, dict]] = []
        self.close_thread: threading.Thread | None = None
        self.may_close = threading.Event()
        self.may_close.set()
        self.is_drawing = asyncio.Event()

    def start(self) -> None:
        if self.entry == "never up":
            self.started.set_exception(BrowserDied("it closed at once"))
        elif self.entry != "hangs":
            self.started.set_result(None)

    def draw(self, figure, options) -> Future[bytes]:
        if self.is_over:
            raise BrowserDied("the browser for charts is gone")
        self.drawn.append((figure, dict(options)))
        self.is_drawing.set()
        if self.entry == "dies silently":
            self.is_over = True
            return Future()
        if isinstance(self.entry, Future):
            return self.entry
        return done(self.entry)

    def close(self, *, force: bool = False) -> None:
        self.close_thread = threading.current_thread()
        self.may_close.wait(30)
        self.closed.append(force)


class Clock:
    """Seconds that pass when a test says so, with the timers of an event loop."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[asyncio.TimerHandle] = []

    def call_later(self, seconds: float, function: Callable[[], None]) -> asyncio.TimerHandle:
        loop = asyncio.get_running_loop()
        self.timers.append(asyncio.TimerHandle(self.now + seconds, function, (), loop))
        return self.timers[-1]

    async def advance(self, seconds: float) -> None:
        """Let time pass, and what it calls begin."""
        self.now += seconds
        due = [timer for timer in self.timers if timer.when() <= self.now]
        self.timers = [timer for timer in self.timers if timer not in due]
        for timer in due:
            if not timer.cancelled():
                timer._run()
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def on_paper(monkeypatch: pytest.MonkeyPatch) -> Callable[..., PaperBrowsers]:
    def install(*script: object) -> PaperBrowsers:
        browsers = PaperBrowsers(*script)
        monkeypatch.setattr(module, "_thread_class", lambda: browsers)
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        monkeypatch.setattr(module, "memory_room", lambda: 8000 * MB)
        return browsers

    return install


async def test_one_browser_serves_all_pictures_and_is_closed_politely_at_the_end(on_paper):
    browsers = on_paper(b"png")

    async with PngRenderer(BROWSER) as renderer:
        assert [await renderer.render(SMALL) for _ in range(3)] == [b"png"] * 3

    (browser,) = browsers.made
    assert len(browser.drawn) == 3
    assert browser.closed == [False]


async def test_nothing_is_started_before_the_first_picture(on_paper):
    browsers = on_paper(b"png")

    async with PngRenderer(BROWSER):
        pass

    assert browsers.made == []


async def test_a_browser_can_be_started_ahead_of_the_first_picture(on_paper):
    browsers = on_paper(b"png")

    async with PngRenderer(BROWSER) as renderer:
        await renderer.warm_up()
        assert len(browsers.made) == 1
        await renderer.render(SMALL)

    assert len(browsers.made) == 1


async def test_the_size_is_passed_on_and_the_figures_own_height_counts(on_paper):
    browsers = on_paper(b"png")

    async with PngRenderer(BROWSER) as renderer:
        await renderer.render(SMALL | {"layout": {"height": 200}}, width=300, scale=2)
        await renderer.render(SMALL | {"layout": {"height": 200}}, height=400)

    first, second = (options for _, options in browsers.made[0].drawn)
    assert first == {"format": "png", "width": 300, "height": 200, "scale": 2}
    assert second["height"] == 400


async def test_a_browser_that_dies_over_a_picture_is_replaced_and_the_picture_comes(on_paper):
    browsers = on_paper(BrowserDied("gone"), b"png")

    async with PngRenderer(BROWSER) as renderer:
        assert await renderer.render(SMALL) == b"png"

    assert [browser.closed for browser in browsers.made] == [[True], [False]]


async def test_a_browser_that_dies_without_a_word_is_noticed_and_replaced(on_paper):
    browsers = on_paper("dies silently", b"png")

    async with PngRenderer(BROWSER) as renderer:
        assert await renderer.render(SMALL) == b"png"

    assert browsers.made[0].closed == [True]


async def test_a_browser_that_died_between_pictures_is_replaced(on_paper):
    browsers = on_paper(b"first", b"second")

    async with PngRenderer(BROWSER) as renderer:
        assert await renderer.render(SMALL) == b"first"
        browsers.made[0].is_over = True
        assert await renderer.render(SMALL) == b"second"

    assert browsers.made[0].closed == [True]


async def test_a_figure_that_kills_two_browsers_is_given_up(on_paper):
    browsers = on_paper(BrowserDied("gone"))

    async with PngRenderer(BROWSER) as renderer:
        with pytest.raises(RenderFailed, match="died twice"):
            await renderer.render(SMALL)

    assert len(browsers.made) == 2


async def test_a_picture_that_takes_too_long_is_given_up_and_costs_the_browser_its_life(on_paper):
    browsers = on_paper(Future(), b"png")

    async with PngRenderer(BROWSER, timeout_s=0.01) as renderer:
        with pytest.raises(RenderFailed, match=r"no picture within 0\.01 seconds"):
            await renderer.render(SMALL)
        assert browsers.made[0].closed == [True]
        assert await renderer.render(SMALL) == b"png"


async def test_a_refused_figure_costs_no_browser(on_paper):
    browsers = on_paper(RenderFailed("the browser can't draw this figure"))

    async with PngRenderer(BROWSER) as renderer:
        with pytest.raises(RenderFailed, match="can't draw"):
            await renderer.render(SMALL)

    assert [browser.closed for browser in browsers.made] == [[False]]


async def test_closing_a_browser_never_blocks_the_loop(on_paper):
    browsers = on_paper(b"png")

    async with PngRenderer(BROWSER) as renderer:
        await renderer.warm_up()

    assert browsers.made[0].close_thread is not threading.current_thread()


async def test_root_starts_without_a_sandbox(on_paper):
    browsers = on_paper(b"png")

    async with PngRenderer(BROWSER) as renderer:
        await renderer.warm_up()

    assert [browser.sandbox for browser in browsers.made] == [False]


async def test_others_start_with_a_sandbox_and_without_where_it_is_forbidden(on_paper, monkeypatch):
    browsers = on_paper("never up", b"png")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    async with PngRenderer(BROWSER) as renderer:
        assert await renderer.render(SMALL) == b"png"

    assert [browser.sandbox for browser in browsers.made] == [True, False]
    assert browsers.made[0].closed == [True]


async def test_a_browser_that_does_not_start_is_named_with_the_reason(on_paper):
    on_paper("never up")

    async with PngRenderer(BROWSER) as renderer:
        with pytest.raises(ChartUnavailable, match="/bin/sh does not start: it closed at once"):
            await renderer.render(SMALL)


async def test_a_browser_that_hangs_at_its_start_is_given_up(on_paper):
    browsers = on_paper("hangs")

    async with PngRenderer(BROWSER, start_timeout_s=0.01) as renderer:
        with pytest.raises(ChartUnavailable, match=r"not up within 0\.01 seconds"):
            await renderer.warm_up()

    assert browsers.made[0].closed == [True]


async def test_without_a_browser_the_error_says_how_to_get_one():
    async with PngRenderer(None) as renderer:
        with pytest.raises(ChartUnavailable, match="apt-get install chromium"):
            await renderer.render(SMALL)


async def test_a_program_that_is_no_browser_is_named():
    async with PngRenderer(Path("/bin/false")) as renderer:
        with pytest.raises(ChartUnavailable, match="/bin/false does not start"):
            await renderer.render(SMALL)


async def test_a_browser_that_nobody_needs_is_closed_and_the_next_picture_starts_another(
    on_paper, clock
):
    browsers = on_paper(b"first", b"second")

    async with PngRenderer(BROWSER, idle_s=180.0, call_later=clock.call_later) as renderer:
        assert await renderer.render(SMALL) == b"first"
        await clock.advance(179.0)
        assert browsers.made[0].close_thread is None
        await clock.advance(1.0)
        await endings(renderer)
        assert browsers.made[0].closed == [False]
        assert await renderer.render(SMALL) == b"second"

    assert [browser.closed for browser in browsers.made] == [[False], [False]]


async def test_each_picture_keeps_the_browser_for_a_while_longer(on_paper, clock):
    browsers = on_paper(b"png")

    async with PngRenderer(BROWSER, idle_s=180.0, call_later=clock.call_later) as renderer:
        for _ in range(5):
            await renderer.render(SMALL)
            await clock.advance(170.0)

        assert len(browsers.made) == 1


async def test_a_browser_that_was_only_warmed_up_is_closed_too(on_paper, clock):
    browsers = on_paper(b"png")

    async with PngRenderer(BROWSER, idle_s=180.0, call_later=clock.call_later) as renderer:
        await renderer.warm_up()
        await clock.advance(180.0)
        await endings(renderer)

        assert browsers.made[0].closed == [False]


async def test_a_browser_at_work_is_not_idle_however_long_it_takes(on_paper, clock):
    picture: Future[bytes] = Future()
    browsers = on_paper(picture)

    async with PngRenderer(BROWSER, idle_s=180.0, call_later=clock.call_later) as renderer:
        await renderer.warm_up()
        drawing = [asyncio.create_task(renderer.render(SMALL)) for _ in range(2)]
        await browsers.made[0].is_drawing.wait()
        await clock.advance(1_000.0)
        assert browsers.made[0].close_thread is None
        picture.set_result(b"png")

        assert await asyncio.gather(*drawing) == [b"png", b"png"]
    assert len(browsers.made) == 1


async def test_an_idle_browser_that_does_not_close_holds_no_picture_up(on_paper, clock):
    browsers = on_paper(b"first", b"second")

    async with PngRenderer(BROWSER, idle_s=180.0, call_later=clock.call_later) as renderer:
        await renderer.render(SMALL)
        browsers.made[0].may_close.clear()
        await clock.advance(180.0)

        assert await renderer.render(SMALL) == b"second"
        assert browsers.made[0].closed == []
        browsers.made[0].may_close.set()

    assert [browser.closed for browser in browsers.made] == [[False], [False]]


async def test_a_failed_picture_leaves_no_browser_for_ever(on_paper, clock):
    browsers = on_paper(RenderFailed("the browser can't draw this figure"))

    async with PngRenderer(BROWSER, idle_s=180.0, call_later=clock.call_later) as renderer:
        with pytest.raises(RenderFailed):
            await renderer.render(SMALL)
        await clock.advance(180.0)
        await endings(renderer)

        assert browsers.made[0].closed == [False]


async def test_where_little_memory_is_left_the_browser_goes_soon(on_paper, clock):
    browsers = on_paper(b"png")
    rooms = [500 * MB, 1000 * MB]

    async with PngRenderer(
        BROWSER, call_later=clock.call_later, room=lambda: rooms.pop(0)
    ) as renderer:
        await renderer.render(SMALL)
        await clock.advance(3.0)
        await endings(renderer)
        assert browsers.made[0].closed == [False]

        await renderer.render(SMALL)
        await clock.advance(100.0)
        assert browsers.made[1].close_thread is None
    assert not rooms


@pytest.mark.parametrize(("name", "needed"), [("chromium", 360), ("chromium-headless-shell", 240)])
async def test_a_browser_that_has_no_room_is_not_started(on_paper, tmp_path, name, needed):
    browsers = on_paper(b"png")
    browser = tmp_path / name
    browser.touch()
    rooms = [(needed - 1) * MB, needed * MB]

    async with PngRenderer(browser, room=lambda: rooms.pop(0)) as renderer:
        with pytest.raises(ChartUnavailable, match=f"{needed - 1} MB are left.*takes {needed} MB"):
            await renderer.render(SMALL)
        assert browsers.made == []
        # Once a browser is there, what is left says nothing.
        assert [await renderer.render(SMALL) for _ in range(2)] == [b"png"] * 2


async def test_no_timer_outlives_the_renderer(on_paper):
    on_paper(b"png")
    async with PngRenderer(BROWSER) as renderer:
        await renderer.render(SMALL)
        timer = renderer._idle_timer
        assert timer is not None

    assert timer.cancelled()


async def endings(renderer: PngRenderer) -> None:
    await asyncio.gather(*renderer._endings)
