"""Snapshots: all that an engine's future depends on but the candles, as values for JSON."""

from typing import TYPE_CHECKING, Any, Final

from engine.errors import InvalidRun
from engine.execution.desk import Totals
from engine.orders import Position, Side, Signal, SignalAction

if TYPE_CHECKING:
    from engine.engine import Engine

SNAPSHOT_VERSION: Final = 1


def take_snapshot(engine: "Engine") -> dict[str, Any]:
    """Return an engine's state; `last_open_time` (ms) is that of the last candle it has seen."""
    position = engine.market.position
    return {
        "version": SNAPSHOT_VERSION,
        "last_open_time": int(engine.market.base["timestamp"][position - 1]) if position else None,
        "balance": engine.portfolio.balance,
        "positions": [_values(position) for position in engine.portfolio.positions],
        "next_id": engine.desk.next_id,
        "totals": _values(engine.desk.totals),
        "entries_paused": engine.desk.entries_paused,
        "pending": [_values(signal) for signal in engine.pending],
        "funding": [list(item) for item in engine.funding],
        "strategy_state": engine.save_strategy_state(),
    }


def put_back(engine: "Engine", snapshot: dict[str, Any]) -> None:
    """Put a state back into an engine that was warmed up to the snapshot's last candle."""
    if snapshot.get("version") != SNAPSHOT_VERSION:
        raise InvalidRun(f"snapshot of version {snapshot.get('version')}: can't be resumed")
    position = engine.market.position
    last = int(engine.market.base["timestamp"][position - 1]) if position else None
    if last != snapshot["last_open_time"]:
        raise InvalidRun(
            f"snapshot was taken at candle {snapshot['last_open_time']}, warmed up to {last}"
        )
    engine.portfolio.restore(
        snapshot["balance"],
        [Position(**{**item, "side": Side(item["side"])}) for item in snapshot["positions"]],
    )
    engine.desk.next_id = snapshot["next_id"]
    engine.desk.entries_paused = snapshot["entries_paused"]
    for name, value in snapshot["totals"].items():
        setattr(engine.desk.totals, name, value)
    engine.pending[:] = [
        Signal(**{**item, "action": SignalAction(item["action"])}) for item in snapshot["pending"]
    ]
    engine.funding.clear()
    engine.funding.extend((time, rate) for time, rate in snapshot["funding"])
    engine.strategy.set_state(snapshot["strategy_state"])


def _values(record: Position | Signal | Totals) -> dict[str, Any]:
    # As `asdict` gives them, but nothing in these is nested: taken at every live close.
    return {name: getattr(record, name) for name in record.__slots__}
