"""Proof that charts can be drawn here: a small figure becomes a PNG. For doctor and image builds.

`python -m bot.charts.proof` prints one line and returns 1 where nothing can be drawn.
"""

import asyncio
import struct
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bot.charts.chromium import find_chromium
from bot.charts.errors import ChartError, RenderFailed
from bot.charts.renderer import PngRenderer
from bot.errors import BotError
from bot.settings import Settings

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_WIDTH: Final = 400
_HEIGHT: Final = 300
_FIGURE: Final[dict[str, Any]] = {
    "data": [{"type": "scatter", "x": [1, 2, 3], "y": [1, 3, 2]}],
    "layout": {"title": {"text": "Jesse"}},
}


@dataclass(frozen=True, slots=True)
class Proof:
    """A picture was drawn: its size, and how long it took with the start of the browser."""

    png_bytes: int
    took_s: float


async def prove_drawing(browser: Path | None) -> Proof:
    """Draw a small figure with a browser of its own.

    Raises:
        ChartUnavailable: there is no browser, or it does not start.
        RenderFailed: what came back is no picture of the size asked for.
    """
    started = time.monotonic()
    async with PngRenderer(browser) as renderer:
        data = await renderer.render(_FIGURE, width=_WIDTH, height=_HEIGHT, scale=1)
    if data[:8] != _SIGNATURE or struct.unpack(">II", data[16:24]) != (_WIDTH, _HEIGHT):
        raise RenderFailed("the browser drew something that is no picture of the size asked for")
    return Proof(len(data), time.monotonic() - started)


def main() -> int:
    """Draw with the configured browser and print one line; return 1 where that fails."""
    try:
        browser = find_chromium(Settings.load().chromium_path)
        proof = asyncio.run(prove_drawing(browser))
    except (ChartError, BotError) as error:
        print(f"charts can't be drawn: {error}", file=sys.stderr)
        return 1
    print(f"{browser} drew a PNG of {proof.png_bytes:,} bytes in {proof.took_s:.1f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
