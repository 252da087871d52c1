"""`jesse simulate`: the simulated exchange alone, for trying things out from other programs."""

import argparse
import asyncio
import math
import os

from bot.errors import InvalidInput
from data.simulator.server import run_simulator


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    port, speed = arguments.port, arguments.speed
    if not 0 <= port <= 65_535:
        raise InvalidInput(f"--port must be 0 to 65535, got {port}")
    if not (math.isfinite(speed) and speed > 0):
        raise InvalidInput(f"--speed must be above 0, got {speed:g}")
    serving = run_simulator(port=port, seed=arguments.seed, speed=speed, announce=print)
    try:
        asyncio.run(serving)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error
        raise InvalidInput(
            f"port {port} can't be used: {reason}: choose another with --port"
        ) from error
    return 0
