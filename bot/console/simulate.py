"""`jesse simulate`: the simulated exchange alone, for trying things out from other programs."""

import argparse
import asyncio

from data.simulator.server import run_simulator


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    asyncio.run(
        run_simulator(
            port=arguments.port, seed=arguments.seed, speed=arguments.speed, announce=print
        )
    )
    return 0
