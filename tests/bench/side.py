"""One side of a workload in a process of its own: `python -m tests.bench.side NAME SIDE CONTEXT`.

Each line on standard input asks for a measurement or the peak; each answer is a line of JSON.
"""

import importlib
import json
import os
import sys
import traceback
from typing import Any, TextIO

from tests.bench.catalog import workloads
from tests.bench.measuring import Context, Meter, Side, Skipped


def main(name: str, side: str, context: str) -> int:
    """Set the side up, then answer until the input ends."""
    channel = _take_over_stdout()
    workload = next(w for w in workloads() if w.name == name)
    try:
        module = importlib.import_module(f"tests.bench.workloads.{workload.module}")
        make: Side = getattr(module, side)
        with make(Context.from_json(context), workload.option) as meter:
            _send(channel, {"ready": True})
            for line in sys.stdin:
                _send(channel, _answer(line.strip(), meter))
    except Skipped as reason:
        _send(channel, {"skipped": str(reason)})
    except Exception as error:  # noqa: BLE001 - the border of the process: told to the parent
        traceback.print_exc()
        _send(channel, {"failed": f"{type(error).__name__}: {error}"})
        return 1
    return 0


def _answer(command: str, meter: Meter) -> dict[str, Any]:
    if command == "measure":
        return {"figures": dict(meter.measure())}
    return {"peak_bytes": meter.peak()}


def _take_over_stdout() -> TextIO:
    """Keep standard output for answers alone; what others print goes to standard error."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return channel


def _send(channel: TextIO, answer: dict[str, Any]) -> None:
    channel.write(json.dumps(answer) + "\n")
    channel.flush()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
