"""A check in sentences, for the shell and the channel alike. Pure; times are in UTC, as candles."""

from dataclasses import dataclass

from bot.services.check import Failure, StrategyCheck, WakeCheck
from engine.candles import format_time


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `holds` is None where nothing could be said."""

    title: str
    text: str
    holds: bool | None


def findings(check: StrategyCheck) -> list[Finding]:
    """Return what was found, in the order in which it was looked at."""
    found = [_runs(check)]
    if check.failure is None:
        found.append(_repeats(check))
    if check.wake is not None:
        found += [_future(check), _wake(check.wake)]
    return found


def _runs(check: StrategyCheck) -> Finding:
    title = "Runs"
    if check.failure is not None:
        return Finding(title, _failed(check.failure), False)
    text = f"called at {check.closes:,} closes, it decides something at {check.decisions:,}"
    return Finding(title, text, True)


def _repeats(check: StrategyCheck) -> Finding:
    title = "Repeats itself"
    if check.varies_at is None:
        return Finding(title, "a second run decides the same", True)
    text = (
        f"a second run decides otherwise {_at(check.varies_at)}: "
        f"does it use chance or a clock, or keep something outside of itself?"
    )
    return Finding(title, text, False)


def _future(check: StrategyCheck) -> Finding:
    title = "Sees no future"
    if check.peeks_at is not None:
        text = (
            f"it decides otherwise {_at(check.peeks_at)} when later candles are missing: "
            f"does an indicator use candles to come?"
        )
        return Finding(title, text, False)
    if not check.cuts:
        return Finding(title, "it decides nothing on these candles: nothing could be seen", None)
    text = f"it decides the same with all later candles taken away, tried {check.cuts} times"
    return Finding(title, text, True)


def _wake(wake: WakeCheck) -> Finding:
    title = "Wakes in time"
    if not wake.has_wake:
        text = f"it has no wake: it is called at all of {wake.closes:,} closes"
        return Finding(title, text, None)
    if wake.missed is not None:
        text = (
            f"wake is wrong {_at(wake.missed)}: "
            f"on_candle decides something there, and wake says it would not"
        )
        return Finding(title, text, False)
    if wake.failure is not None:
        text = f"called only where wake says so, it fails: {_failed(wake.failure)}"
        return Finding(title, text, False)
    if not wake.same_results:
        text = (
            "the trades differ though wake misses no decision: "
            "does on_candle remember something from calls in which it decides nothing?"
        )
        return Finding(title, text, False)
    text = f"wake holds: called at {wake.calls:,} of {wake.closes:,} closes, with the same trades"
    return Finding(title, text, True)


def _failed(failure: Failure) -> str:
    where = "before any candle" if failure.time is None else _at(failure.time)
    return f"{failure.text}; {where}"


def _at(time: int) -> str:
    return f"at the candle of {format_time(time)}"
