"""One browser for drawing, on a thread with an event loop of its own.

Kaleido blocks its loop while it starts, stops and cleans up; here it blocks nobody. Importing this
module imports Kaleido, so only the renderer does it, and late.
"""

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, MutableMapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

import psutil
from choreographer.browsers.chromium import Chromium
from choreographer.channels import ChannelClosedError, Pipe
from kaleido import Kaleido, PageGenerator
from kaleido.errors import BrowserClosedError, BrowserFailedError

from bot.charts.errors import BrowserDied, RenderFailed

log = logging.getLogger(__name__)

# Parts of a window that nobody sees, with 50 MB in two processes of their own; a browser that has
# other names for them passes these over.
_UNSEEN: Final = (
    "PreloadTopChromeWebUI",
    "SpareRendererForSitePerProcess",
    "WebUIOmniboxAimPopup",
    "WebUIOmniboxFullPopup",
    "WebUIOmniboxPopup",
)

FLAGS: Final = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-crash-reporter",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--mute-audio",
    "--no-pings",
    f"--disable-features={','.join(_UNSEEN)}",
)

# What a browser needs to run; tokens and keys of this process are none of its business.
_ENVIRONMENT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")

# Chromium makes a socket 45 characters below its TMPDIR, whose path may have 107.
_LONGEST_FOLDER: Final = 107 - 45

_GONE: Final = (BrowserClosedError, BrowserFailedError, ChannelClosedError, OSError)

_CLOSE_TIMEOUT_S: Final = 15.0
_POLITE_S: Final = 3.0
_LEFTOVERS_TIMEOUT_S: Final = 2.0


class QuietChromium(Chromium):
    """A Chromium that reaches no network and sees no secret of this process."""

    def get_cli(self) -> Sequence[str]:
        """Return the command, with the flags that keep it quiet."""
        return [*super().get_cli(), *FLAGS]

    def get_env(self) -> MutableMapping[str, str]:
        """Return the few variables that it needs."""
        kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        # Killed, it would leave a folder behind; in its own one that is cleared away with it.
        folder = str(self.tmp_dir.path.parent)
        own_folder = {"TMPDIR": folder} if len(folder) <= _LONGEST_FOLDER else {}
        return kept | {"TZ": "UTC"} | own_folder


class BrowserThread:
    """A browser's life from start to end: one thread, one loop, one temporary folder.

    `started` is done once figures can be drawn, or holds `BrowserDied`. Every method may be called
    from any thread; only `close` blocks.
    """

    def __init__(self, browser: Path, *, sandbox: bool) -> None:
        self.started: Future[None] = Future()
        self._browser = browser
        self._sandbox = sandbox
        self._kaleido: Kaleido | None = None
        self._pipe: Pipe | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._forced = False
        self._thread = threading.Thread(target=self._run, name="chart-browser", daemon=True)

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The process that leads the browser's group, None before there is one."""
        return getattr(self._kaleido, "subprocess", None)

    @property
    def is_over(self) -> bool:
        """Whether the browser, once started, went away."""
        gone = self.process is None or self.process.poll() is not None
        return (self.started.done() and gone) or not self._thread.is_alive()

    def start(self) -> None:
        """Start the browser; `started` tells when it is up."""
        self._thread.start()

    def draw(self, figure: Mapping[str, Any], options: Mapping[str, Any]) -> Future[bytes]:
        """Draw a figure as PNG; the result raises `RenderFailed` or `BrowserDied`."""
        if self._loop is None or self.is_over:
            raise BrowserDied("the browser for charts is gone")
        return asyncio.run_coroutine_threadsafe(self._draw(figure, options), self._loop)

    def close(self, *, force: bool = False) -> None:
        """End the browser, by force where asked or where it doesn't go, and leave nothing of it."""
        if force:
            self._kill()
        self._ask_to_stop()
        self._thread.join(_CLOSE_TIMEOUT_S)
        if self._thread.is_alive():
            self._kill()
            self._thread.join(_CLOSE_TIMEOUT_S)

    def _run(self) -> None:
        # A snap sees a /tmp of its own, but shares the home folder.
        parent = Path.home() if "snap" in self._browser.parts else None
        folder = Path(tempfile.mkdtemp(prefix="jesse-charts-", dir=parent))
        try:
            asyncio.run(self._live(folder))
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - the thread's border
            # Who waits for the browser is told, or else the log.
            if self.started.done():
                log.warning("the browser for charts did not close well: %s", error)
            else:
                reason = error.args[0] if error.args else repr(error)
                self.started.set_exception(BrowserDied(str(reason)))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    async def _live(self, folder: Path) -> None:
        page = folder / "page.html"
        # Without a word about MathJax, the page would ask for it on the internet.
        page.write_text(PageGenerator(mathjax=False).generate_index(), encoding="utf-8")
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        pipe = self._pipe = Pipe()
        kaleido = self._kaleido = Kaleido(
            page_generator=page,
            timeout=None,
            path=self._browser,
            browser_cls=QuietChromium,
            channel_cls=lambda: pipe,
            tmp_dir=str(folder),
            enable_extensions=False,
            enable_sandbox=self._sandbox,
        )
        try:
            await kaleido.open()
            self.started.set_result(None)
            await self._stop.wait()
        finally:
            await self._end(kaleido, pipe)

    async def _end(self, kaleido: Kaleido, pipe: Pipe) -> None:
        closing = asyncio.ensure_future(kaleido.close())
        await asyncio.wait({closing}, timeout=0 if self._forced else _POLITE_S)
        if self.process is not None:
            await asyncio.to_thread(_end_group, self.process)
        # Kaleido may still wait for an answer of the browser, or for a word through its pipe.
        pipe.close()
        closing.cancel()
        await asyncio.wait({closing}, timeout=_POLITE_S)

    async def _draw(self, figure: Mapping[str, Any], options: Mapping[str, Any]) -> bytes:
        assert self._kaleido is not None
        task = asyncio.ensure_future(self._kaleido.calc_fig(figure, options))
        await asyncio.wait({task})
        # Kaleido cancels what it was asked for when its browser goes away.
        if task.cancelled():
            raise BrowserDied("the browser for charts died while drawing")
        try:
            return bytes(task.result())
        except _GONE as error:
            raise BrowserDied(f"the browser for charts died while drawing: {error}") from error
        except Exception as error:
            raise RenderFailed(f"the browser can't draw this figure: {error}") from error

    def _kill(self) -> None:
        self._forced = True
        if self.process is not None:
            _end_group(self.process)
        if self._pipe is not None:
            self._pipe.close()

    def _ask_to_stop(self) -> None:
        if self._loop is None or self._stop is None:
            return
        try:
            self._loop.call_soon_threadsafe(self._stop.set)
        except RuntimeError:
            # The loop has ended by itself, and the browser with it.
            return


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a browser, and wait until nothing of it writes to its folder."""
    deadline = time.monotonic() + _LEFTOVERS_TIMEOUT_S
    while _is_running(process.pid) and time.monotonic() < deadline:
        # The process that Kaleido starts leads a group with all of the browser in it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.poll()
        time.sleep(0.02)


def _is_running(group: int) -> bool:
    for process in psutil.process_iter(["status"]):
        # A dead one that nobody has reaped yet is in its group still, but does no more harm.
        if process.info["status"] == psutil.STATUS_ZOMBIE:
            continue
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getpgid(process.pid) == group:
                return True
    return False
