"""A simulated exchange in a process of its own that sends many more trades.

Run it as `python -m tests.soak.busy_exchange TRADES_PER_SECOND`; it prints its addresses and, at
the end of its input, how many frames it sent.
"""

import asyncio
import json
import sys
from collections.abc import Iterable
from dataclasses import replace

from data.simulator.clock import SimulatorClock
from data.simulator.events import Frame, FrameSource
from data.simulator.server import SimulatedExchange

START = 1_704_067_200_000 + 60 * 86_400_000 + 20_000


class Repeating:
    """Fills the time between trades with more of them, at the last price, evenly."""

    def __init__(self, source: FrameSource, per_second: float) -> None:
        self._source = source
        self._per_second = per_second
        self._last: dict[str, tuple[Frame, str]] = {}
        self._owed = 0.0
        self._turn = 0

    def frames(self, streams: Iterable[str], after_ms: int, until_ms: int) -> list[Frame]:
        """Return the frames of a time, and as many trades more as make up the pace."""
        found = self._source.frames(streams, after_ms, until_ms)
        for frame in found:
            if frame.stream.endswith("@aggTrade"):
                traded = json.loads(frame.text)["T"]
                self._last[frame.stream] = frame, f'"T":{traded}'
        # What a stall of this machine has held up is not sent in one burst afterwards.
        passed_s = min(until_ms - after_ms, 100) / 1000
        self._owed += passed_s * self._per_second - len(found)
        count, names = max(0, int(self._owed)), list(self._last)
        self._owed = max(0.0, self._owed - count) if count else max(self._owed, -1e3)
        for _ in range(count if names else 0):
            self._turn += 1
            frame, time = self._last[names[self._turn % len(names)]]
            text = frame.text.replace(time, f'"T":{until_ms}')
            found.append(replace(frame, time_ms=until_ms, text=text))
        return found


async def main() -> None:
    """Serve until the input ends."""
    clock = SimulatorClock(START)
    async with SimulatedExchange(
        seed=7, clock=clock, rate_limit=False, kline_updates=False
    ) as exchange:
        exchange._hub._source = Repeating(exchange._hub._source, float(sys.argv[1]))
        print(exchange.rest_url, exchange.ws_url, flush=True)
        await asyncio.to_thread(sys.stdin.read)
        print(exchange.faults.counters["frames"], flush=True)


if __name__ == "__main__":
    asyncio.run(main())
