"""The workloads by name: what each measures, against what, in which units. Nothing runs here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tests.bench.peer_catalog import PEERS, Peer


@dataclass(frozen=True, slots=True)
class Workload:
    """One comparison of two sides.

    `module` (below `tests.bench.workloads`) has the functions `ours` and `reference`, which get
    `option`. `figures` are units by name. `peer` names the peer in whose environment the reference
    runs.
    """

    name: str
    module: str
    title: str
    reference: str
    figures: Mapping[str, str]
    option: str = ""
    repeats: int = 7
    quick_repeats: int = 3
    warm_ups: int = 1
    peer: str = ""

    def rounds(self, *, is_quick: bool) -> int:
        """Return how often each side is measured."""
        return self.quick_repeats if is_quick else self.repeats


GROWN: Final = ("x2", "x4", "x8")
STRATEGIES: Final = ("ma_crossover", "breakout", "rsi_reversal", "multi_timeframe", "1m")


def workloads() -> tuple[Workload, ...]:
    """Return every workload, in the order in which they run."""
    return (
        Workload(
            "load",
            "loading",
            "cached 1m candles into a CandleSeries",
            "pandas.read_parquet of the folder",
            {"time": "s"},
            repeats=9,
        ),
        *_engine(),
        *_growth(),
        *_processes(),
        *_rest(),
        *_live(),
        *_peers(),
    )


def _engine() -> tuple[Workload, ...]:
    loop = "the plain reference loop on a slice, scaled per candle"
    return (
        Workload(
            "engine-1h",
            "engine",
            "engine, 1h crossover on the 1m base",
            loop,
            {"time": "s"},
            option="1h",
        ),
        Workload(
            "engine-1m",
            "engine",
            "engine, on_candle at every 1m close",
            loop,
            {"rate": "candles/s"},
            option="1m",
        ),
        Workload(
            "engine-1m-wake",
            "engine",
            "engine, the same with on_candle called at crossings only (wake)",
            loop,
            {"rate": "candles/s"},
            option="1m-wake",
        ),
    )


def _growth() -> tuple[Workload, ...]:
    candles = tuple(
        Workload(
            f"growth-candles-{strategy}",
            "growth",
            f"time per candle of {strategy} with 2, 4, 8 times the candles",
            "an eighth of the candles",
            dict.fromkeys(GROWN, "ns/candle"),
            option=f"candles:{strategy}",
            repeats=5,
        )
        for strategy in STRATEGIES
    )
    wholes = {
        "positions": "open positions, the oldest replaced every hour",
        "timeframes": "timeframes of a 1m strategy",
        "indicators": "indicators read at every 1m close",
    }
    others = tuple(
        Workload(
            f"growth-{name}",
            "growth",
            f"time with 2, 4, 8 {words}",
            "one of them",
            dict.fromkeys(GROWN, "s"),
            option=f"{name}:",
            repeats=3,
            quick_repeats=2,
        )
        for name, words in wholes.items()
    )
    return candles + others


def _processes() -> tuple[Workload, ...]:
    return (
        Workload(
            "process-backtest",
            "processes",
            "jesse backtest over all candles, start to exit",
            "python -c pass",
            {"time": "s", "processor": "s"},
            option="backtest",
        ),
        Workload(
            "process-help",
            "processes",
            "jesse --help, start to exit",
            "python -c pass",
            {"time": "s", "processor": "s"},
            option="help",
            repeats=15,
            quick_repeats=5,
        ),
    )


def _rest() -> tuple[Workload, ...]:
    lag = dict.fromkeys(("lag p50", "lag p99", "lag max"), "s")
    acknowledgement = dict.fromkeys(("ack p50", "ack p99", "ack max"), "s")
    return (
        Workload(
            "charts",
            "charts",
            "a PNG from the warm browser",
            "the first PNG, browser start included",
            {"equity": "s", "trades": "s"},
            repeats=5,
        ),
        Workload(
            "fetch",
            "fetching",
            "candles from the simulated exchange into the store",
            "bare GETs of the same pages",
            {"rate": "candles/s"},
            repeats=5,
        ),
        Workload(
            "bot",
            "bot",
            "the bot with two backtests and charts under way",
            "the same bot, idle",
            {**lag, **acknowledgement, "heartbeat late": "s"},
            repeats=2,
            quick_repeats=1,
        ),
        Workload(
            "workers",
            "workers",
            "one-year backtests with two worker processes: sweeps on 1h and 1m, single ones on 1h",
            "with one",
            {
                **dict.fromkeys(("1h", "1m", "alone", "bare loop"), "runs/s"),
                **dict.fromkeys(("1h processor", "1m processor", "alone processor"), "s"),
            },
            repeats=5,
        ),
    )


def _live() -> tuple[Workload, ...]:
    ticks = {"rate": "ticks/s", "processor": "us/tick", "loop held p99": "s", "loop held": "s"}
    floods = {
        "ticks": "20 tests with stops, trades as fast as they are taken",
        "shared": "50 tests on 20 symbols, trades as fast as they are taken",
        "paced": "20 tests with stops, 20,000 trades a second",
    }
    return (
        *(
            Workload(
                f"live-{option}",
                "live",
                title,
                "bare websocket, each frame through json.loads",
                ticks,
                option=option,
                repeats=5,
            )
            for option, title in floods.items()
        ),
        Workload(
            "live-closes",
            "live",
            "200 candles close at once: from the first frame to the stored fills of 200 tests",
            "the same rows in one bare SQLite transaction",
            dict.fromkeys(("median fill", "last fill", "worst", "processor", "loop held"), "s"),
            option="closes",
            repeats=5,
        ),
    )


def _peers() -> tuple[Workload, ...]:
    return tuple(
        Workload(
            f"peer-{peer.name}-{crossover}",
            "peers",
            f"engine, {crossover} crossover on {peer.base(crossover)} bars",
            f"{peer.release}, the same crossover{_slice(peer, crossover)}",
            {"time": "s"},
            option=f"{peer.name}:{crossover}",
            repeats=3,
            quick_repeats=2,
            peer=peer.name,
        )
        for peer in PEERS.values()
        for crossover in peer.crossovers
    )


def _slice(peer: Peer, crossover: str) -> str:
    bars = peer.slice_bars.get(crossover)
    return f" on the first {bars:,} bars, scaled per bar" if bars else ""


def choose(names: list[str], *, with_peers: bool) -> list[Workload]:
    """Return the workloads of these names, or of names that begin so; all where none is given.

    Raises:
        ValueError: a name that fits none.
    """
    known = [w for w in workloads() if with_peers or not w.peer]
    wrong = [name for name in names if not any(w.name.startswith(name) for w in known)]
    if wrong:
        raise ValueError(f"no workload {', '.join(wrong)}; see --list")
    return [w for w in known if not names or any(w.name.startswith(name) for name in names)]
