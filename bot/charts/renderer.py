"""PNG pictures of figures from one browser. No figures are made here, no files are found.

The browser comes up with the first picture, stays for the next ones, and goes when none has been
wanted for a while. When it is gone or dies, the next picture starts another. Where there is too
little memory for a browser, none is started: the whole machine would hang with it.
"""

import asyncio
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from bot.charts.chromium import HOW_TO_GET_ONE
from bot.charts.errors import BrowserDied, ChartUnavailable, RenderFailed
from bot.charts.theme import HEIGHT, SCALE, WIDTH
from bot.memory_room import memory_room

if TYPE_CHECKING:
    from concurrent.futures import Future

    from plotly.graph_objects import Figure

    from bot.charts.browser import BrowserThread

log = logging.getLogger(__name__)

_ATTEMPTS: Final = 2
_LOOK_AFTER_S: Final = 0.2
_MB: Final = 1024 * 1024
# What a browser takes, its program's pages included; with less it draws for minutes, or never.
_NEEDED_MB: Final = 360
_NEEDED_MB_BY_NAME: Final = {"chromium-headless-shell": 240, "chrome-headless-shell": 240}
# It takes one to three seconds to start again, but where no worker fits beside it, it goes soon.
_IDLE_S: Final = 180.0
_CRAMPED_IDLE_S: Final = 3.0
_WORKER_MB: Final = 300

# Calls a function in so many seconds, unless the handle is cancelled before; as of an event loop.
CallLater = Callable[[float, Callable[[], None]], asyncio.TimerHandle]


class PngRenderer:
    """Draw figures as PNG, one after the other, in one browser that is warm for `idle_s`.

    `browser` is the program, None where there is none (then `render` raises `ChartUnavailable`).
    Nothing here blocks the event loop: the browser has a thread of its own. `call_later` is the
    event loop's unless given, `room` tells how many bytes more may be used.
    """

    def __init__(
        self,
        browser: Path | None,
        *,
        timeout_s: float = 20.0,
        start_timeout_s: float = 60.0,
        idle_s: float = _IDLE_S,
        call_later: CallLater | None = None,
        room: Callable[[], int] | None = None,
    ) -> None:
        self._browser = browser
        self._timeout_s = timeout_s
        self._start_timeout_s = start_timeout_s
        self._idle_s = idle_s
        self._call_later = call_later
        self._room = room
        self._is_cramped = False
        self._users = 0
        self._idle_timer: asyncio.TimerHandle | None = None
        self._endings: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()
        self._thread: BrowserThread | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def render(
        self,
        figure: "Figure | Mapping[str, Any] | str",
        *,
        width: int = WIDTH,
        height: int | None = None,
        scale: float = SCALE,
    ) -> bytes:
        """Return a figure (or its JSON) as PNG of `width * scale` by `height * scale` pixels.

        Without a height, the figure's own counts. Calls may come at once; each waits for its turn.

        Raises:
            ChartUnavailable: there is no browser, no memory for it, or it does not start.
            RenderFailed: the browser refused the figure, died twice over it or took too long.
        """
        with self._in_use():
            plain = await asyncio.to_thread(_plain, figure)
            own_height = plain.get("layout", {}).get("height")
            size = {"width": width, "height": height or own_height or HEIGHT}
            async with self._turn:
                return await self._draw(plain, {"format": "png", "scale": scale, **size})

    async def warm_up(self) -> None:
        """Start the browser ahead of the first picture.

        Raises:
            ChartUnavailable: there is no browser, or it does not start.
        """
        with self._in_use():
            async with self._turn:
                await self._live_thread()

    async def close(self) -> None:
        """End the browser; a later picture would start another."""
        async with self._turn:
            self._stop_waiting()
            self._end_browser()
        await asyncio.gather(*self._endings)

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        self._users += 1
        self._stop_waiting()
        try:
            yield
        finally:
            self._users -= 1
            if not self._users and self._thread is not None:
                call_later = self._call_later or asyncio.get_running_loop().call_later
                idle_s = min(self._idle_s, _CRAMPED_IDLE_S) if self._is_cramped else self._idle_s
                self._idle_timer = call_later(idle_s, self._end_browser)

    def _stop_waiting(self) -> None:
        timer, self._idle_timer = self._idle_timer, None
        if timer is not None:
            timer.cancel()

    def _end_browser(self) -> None:
        """Let go of the browser at once; one that hangs holds no later picture up."""
        thread, self._thread = self._thread, None
        if thread is not None:
            ending = asyncio.create_task(asyncio.to_thread(thread.close), name="end of a browser")
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)

    async def _draw(self, figure: Mapping[str, Any], options: Mapping[str, Any]) -> bytes:
        for _ in range(_ATTEMPTS):
            thread = await self._live_thread()
            try:
                async with asyncio.timeout(self._timeout_s):
                    return await _picture(thread, thread.draw(figure, options))
            except BrowserDied as error:
                log.warning("%s: starting another", error)
                await self._discard()
            except TimeoutError:
                await self._discard()
                raise RenderFailed(f"no picture within {self._timeout_s:g} seconds") from None
        raise RenderFailed("the browser died twice over this figure")

    async def _live_thread(self) -> "BrowserThread":
        if self._browser is None or not self._browser.is_file():
            missing = f"no program at {self._browser}: " if self._browser else ""
            raise ChartUnavailable(missing + HOW_TO_GET_ONE)
        if self._thread is not None and self._thread.is_over:
            await self._discard()
        failure: Exception | None = None
        for sandbox in _sandbox_choices():
            try:
                return await self._started(self._browser, sandbox=sandbox)
            except (BrowserDied, TimeoutError) as error:
                failure = error
                await self._discard()
        reason = str(failure) or f"not up within {self._start_timeout_s:g} seconds"
        raise ChartUnavailable(f"{self._browser} does not start: {reason}")

    async def _started(self, browser: Path, *, sandbox: bool) -> "BrowserThread":
        if self._thread is None:
            thread_class = await asyncio.to_thread(self._prepare, browser)
            self._thread = thread_class(browser, sandbox=sandbox)
            self._thread.start()
        async with asyncio.timeout(self._start_timeout_s):
            await asyncio.shield(asyncio.wrap_future(self._thread.started))
        return self._thread

    def _prepare(self, browser: Path) -> "type[BrowserThread]":
        room_mb, needed_mb = (self._room or memory_room)() // _MB, _needed_mb(browser)
        if room_mb < needed_mb:
            raise ChartUnavailable(
                f"too little memory for a browser: {room_mb} MB are left, it takes {needed_mb} MB"
            )
        self._is_cramped = room_mb < needed_mb + _WORKER_MB
        return _thread_class()

    async def _discard(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.to_thread(thread.close, force=True)


async def _picture(thread: "BrowserThread", drawing: "Future[bytes]") -> bytes:
    # Only waited for, never cancelled: who stops waiting must not disturb the browser.
    picture = asyncio.wrap_future(drawing)
    picture.add_done_callback(lambda done: done.cancelled() or done.exception())
    while not picture.done():
        await asyncio.wait({picture}, timeout=_LOOK_AFTER_S)
        # Kaleido takes seconds to notice that its browser is gone.
        if thread.is_over and not picture.done():
            raise BrowserDied("the browser for charts died while drawing")
    return picture.result()


def write_png(figure: "Figure", path: Path, browser: Path | None) -> None:
    """Draw one figure into a PNG file with a browser of its own; not to be called from a loop.

    Raises:
        ChartUnavailable: there is no browser, or it does not start.
        RenderFailed: the browser could not draw the figure.
    """
    path.write_bytes(asyncio.run(_render_once(figure, browser)))


async def _render_once(figure: "Figure", browser: Path | None) -> bytes:
    async with PngRenderer(browser) as renderer:
        return await renderer.render(figure)


def _thread_class() -> "type[BrowserThread]":
    # Kaleido takes a while to import, and a bot that draws nothing never needs it.
    from bot.charts.browser import BrowserThread

    return BrowserThread


def _needed_mb(browser: Path) -> int:
    return _NEEDED_MB_BY_NAME.get(browser.name, _NEEDED_MB)


def _plain(figure: "Figure | Mapping[str, Any] | str") -> Mapping[str, Any]:
    if isinstance(figure, str):
        plain: Mapping[str, Any] = json.loads(figure)
        return plain
    return figure if isinstance(figure, Mapping) else figure.to_dict()


def _sandbox_choices() -> tuple[bool, ...]:
    # Chromium refuses its sandbox to root, and containers often forbid what it is built of.
    return (False,) if os.geteuid() == 0 else (True, False)
