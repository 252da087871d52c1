"""A process that runs `jesse` in children of its own: imports are paid once, not at each start.

It reads an argument list as JSON per line, forks, prints the child's process id and, when the
child has ended, how. Run it as `python -m tests.soak.nursery LOG`.
"""

import importlib
import json
import os
import sys

PRELOADED = (
    "ccxt.async_support",
    "bot.cli",
    "bot.console.forward",
    "bot.console.failures",
    "bot.services.forward.compose",
    "data.exchange",
    "pandas",
    "pyarrow.parquet",
)


def main() -> None:
    """Serve until the input ends."""
    for name in PRELOADED:
        importlib.import_module(name)
    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            run_child(json.loads(line))
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def run_child(arguments: list[str]) -> None:
    """Run the command with its words in the log, and end like a process of its own."""
    log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    from bot.cli import main as jesse

    code = jesse(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
