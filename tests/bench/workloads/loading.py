"""Loading cached candles, against pandas reading the same files."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.bench.measuring import Context, Meter, WrongResult, timed


@contextmanager
def ours(context: Context, _option: str) -> Iterator[Meter]:
    """Read all candles, checks and checksums included."""
    from tests.bench.market import load

    def measure() -> Mapping[str, float]:
        with timed() as watch:
            candles = load(context)
        _check(len(candles), context)
        return {"time": watch.seconds}

    yield Meter(measure)


@contextmanager
def reference(context: Context, _option: str) -> Iterator[Meter]:
    """Read the folder with pandas, which checks nothing."""
    import pandas as pd

    from tests.bench.market import key

    series = key()
    folder = context.data_dir / "candles" / series.exchange / series.folder

    def measure() -> Mapping[str, float]:
        with timed() as watch:
            frame = pd.read_parquet(folder)
        _check(len(frame), context)
        return {"time": watch.seconds}

    yield Meter(measure)


def _check(found: int, context: Context) -> None:
    if found != context.candles:
        raise WrongResult(f"{found} candles read of {context.candles}")
