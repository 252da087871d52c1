"""Finding a browser, and getting one where there is none. Imports nothing that takes time.

`python -m bot.charts.chromium` makes sure of a browser and prints one line.
"""

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

Find = Callable[[Path | str | None], Path | None]
Run = Callable[[Sequence[str]], None]

NAMES: Final = (
    *("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome"),
    "chromium-headless-shell",
)
PLACES: Final = (
    Path("/usr/bin/chromium"),
    Path("/usr/bin/chromium-browser"),
    Path("/usr/bin/google-chrome"),
    Path("/usr/lib/chromium/chromium"),
    Path("/opt/google/chrome/chrome"),
    Path("/snap/bin/chromium"),
    Path("/usr/bin/chromium-headless-shell"),
    Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
    Path("/Applications/Chromium.app/Contents/MacOS/Chromium"),
)
HOW_TO_GET_ONE: Final = (
    "no Chromium or Chrome found, so charts come as HTML only: install it"
    " (Debian: apt-get install chromium fonts-dejavu-core), or name yours in CHROMIUM_PATH"
)

_APT_COMMANDS: Final = (
    ("apt-get", "update"),
    ("apt-get", "install", "-y", "--no-install-recommends", "chromium", "fonts-dejavu-core"),
)
_DOWNLOAD: Final = (sys.executable, "-c", "import kaleido; kaleido.get_chrome_sync()")
_INSTALL_TIMEOUT_S: Final = 900.0

# On Ubuntu without snaps, the command is a script that only asks for one.
_STUB_BYTES: Final = 10_000
_STUB_SIGN: Final = b"snap install"


def find_chromium(given: Path | str | None = None) -> Path | None:
    """Return the browser to draw with: the given one, the system's, or a downloaded one.

    A given path that isn't a program is reported in the log and passed over.
    """
    if given is not None:
        if _is_program(Path(given)):
            return Path(given)
        log.warning("no program at %s: looking for a browser elsewhere", given)
    return next((path for path in _candidates() if _is_program(path)), None)


def ensure_chromium(
    given: Path | str | None = None,
    *,
    find: Find = find_chromium,
    run: Run | None = None,
    is_root: bool | None = None,
) -> Path | None:
    """Return a browser, installing one where there is none; None where that fails.

    The system's packages are tried first (as root, where apt is), then a download of Chrome. Each
    failure is logged and leads to the next.
    """
    found = find(given)
    if found is not None:
        return found
    run = run or _run
    if _is_root() if is_root is None else is_root:
        found = _try("apt-get", _APT_COMMANDS, find, run)
    return found or _try("the download of Chrome", (_DOWNLOAD,), find, run)


def main() -> int:
    """Make sure of a browser and print where it is, or how to get one; always 0."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    found = ensure_chromium()
    print(f"browser for charts: {found}" if found else HOW_TO_GET_ONE)
    return 0


def _candidates() -> Iterator[Path]:
    yield from (Path(found) for name in NAMES if (found := shutil.which(name)))
    yield from PLACES
    downloaded = _downloaded()
    if downloaded is not None:
        yield downloaded


def _downloaded() -> Path | None:
    # Imported last, for it takes a tenth of a second; it knows where its own download lies.
    from choreographer.browsers.chromium import Chromium

    found = Chromium.find_browser(skip_local=False)
    return None if found is None else Path(found)


def _is_program(path: Path) -> bool:
    if not path.is_file() or not os.access(path, os.X_OK):
        return False
    with path.open("rb") as file:
        return _STUB_SIGN not in file.read(_STUB_BYTES)


def _try(what: str, commands: Sequence[Sequence[str]], find: Find, run: Run) -> Path | None:
    try:
        for command in commands:
            run(command)
        found = find(None)
        if found is not None:
            # A download may lack the system's libraries; only a browser that starts will do.
            run((str(found), "--version"))
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("no browser from %s: %s", what, _reason(error))
        return None
    return found


def _run(command: Sequence[str]) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(
        command, check=True, capture_output=True, timeout=_INSTALL_TIMEOUT_S, env=environment
    )


def _reason(error: Exception) -> str:
    output = getattr(error, "stderr", None) or b""
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else str(error)


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


if __name__ == "__main__":
    raise SystemExit(main())
