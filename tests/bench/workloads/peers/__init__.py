"""The same crossover in other backtesters, each in an environment of its own.

Only NumPy is common to all environments, so the modules here import nothing else at their top (the
peer itself where it is used), and the bars reach the reference as an .npz file. In processor time.
"""

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.bench.measuring import Context, Meter, Skipped, timed
from tests.bench.peer_catalog import PEERS, Peer
from tests.bench.workloads.peers.task import COLUMNS, Task, check_trades


@contextmanager
def ours(context: Context, option: str) -> Iterator[Meter]:
    """Run our engine on all bars; leave the peer's part of them for the other side as a file.

    The option names the peer and the crossover of ours, `1m-wake` is the one with a `wake`.
    """
    from tests.bench.market import load
    from tests.bench.workloads.engine import run_engine

    peer, crossover = _read(option)
    bars = load(context).aggregate(peer.base(crossover))
    part = bars.part(0, min(len(bars), peer.slice_bars.get(crossover, len(bars))))
    columns = {name: getattr(part, name) for name in COLUMNS}
    trades = len(run_engine(part, crossover).trades)
    Task(crossover, columns, trades, len(bars)).write(context, peer.name)

    def measure() -> Mapping[str, float]:
        with timed() as watch:
            run_engine(bars, crossover)
        return {"time": watch.processor_seconds}

    yield Meter(measure)


@contextmanager
def reference(context: Context, option: str) -> Iterator[Meter]:
    """Run a peer on its part of the same bars; its time is scaled to all of them."""
    peer, crossover = _read(option)
    task = Task.read(context, peer.name, crossover)
    module = importlib.import_module(f"{__name__}.{peer.name}")
    try:
        running = module.make(task)
    except ImportError as error:
        raise Skipped(f"{peer.release} can't be imported: {error}") from error

    def measure() -> Mapping[str, float]:
        running.prepare()
        with timed() as watch:
            running.run()
        check_trades(running.closed_trades(), task.trades)
        return {"time": watch.processor_seconds * task.all_bars / len(task)}

    yield Meter(measure)


def _read(option: str) -> tuple[Peer, str]:
    name, crossover = option.split(":")
    return PEERS[name], crossover
