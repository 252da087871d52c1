"""`make bench`: measure speed and memory of what users wait for, and print ratios.

Imports the standard library only: a child's peak memory begins with its parent's.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.catalog import Workload, choose, workloads
from tests.bench.comparison import Comparison, clean_environment, compare
from tests.bench.measuring import FULL_DAYS, QUICK_DAYS, ROOT, Context
from tests.bench.peer_environment import make_environments
from tests.bench.report import describe_machine, table, write_json


def main(argv: list[str] | None = None) -> int:
    """Run the chosen workloads; 1 where one failed, 2 for an unknown name."""
    arguments = _parse(argv)
    if arguments.list:
        for workload in workloads():
            print(f"{workload.name:<32} {workload.title}; reference: {workload.reference}")
        return 0
    with_peers = os.environ.get("PEERS") == "1"
    try:
        chosen = choose(arguments.names, with_peers=with_peers)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return _run(chosen, arguments)


def _run(chosen: list[Workload], arguments: argparse.Namespace) -> int:
    environments = make_environments(w.peer for w in chosen if w.peer)
    done: list[Comparison] = []
    with tempfile.TemporaryDirectory(prefix="jesse-bench-") as folder:
        days = QUICK_DAYS if arguments.quick else FULL_DAYS
        context = Context(Path(folder), days, arguments.quick)
        _say(f"making {context.candles:,} simulated 1m candles")
        _make_candles(context)
        for number, workload in enumerate(chosen, start=1):
            _say(f"[{number}/{len(chosen)}] {workload.name}: {workload.title}")
            done.append(compare(workload, context, environments.get(workload.peer)))
    machine = describe_machine()
    load = ", ".join(f"{value:.1f}" for value in machine["load_average"])
    print(f"{context.candles:,} candles; {machine['processors']} processors, load average {load}\n")
    print(table(done))
    write_json(arguments.json, context, done)
    print(f"\nJSON: {arguments.json}")
    return 1 if any(comparison.failed for comparison in done) else 0


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description="Measure speed and memory.")
    parser.add_argument("names", nargs="*", help="workloads, or how their names begin")
    parser.add_argument("--quick", action="store_true", help="fewer candles and repeats")
    parser.add_argument("--list", action="store_true", help="list the workloads")
    default = Path(os.environ.get("DATA_DIR") or ROOT / "var") / "bench.json"
    parser.add_argument("--json", type=Path, default=default, metavar="PATH")
    return parser.parse_args(argv)


def _make_candles(context: Context) -> None:
    command = [sys.executable, "-m", "tests.bench.market", context.to_json()]
    subprocess.run(command, cwd=ROOT, env=clean_environment(), check=True)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
