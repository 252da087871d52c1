"""Random cases for the reference and the engine: candles on a coarse lattice, scripts, costs.

A case is drawn from one `random.Random`, so the same code serves Hypothesis (which then shrinks
its draws) and the bulk runs over seeds. Nothing is simulated here.
"""

import math
import random
from dataclasses import dataclass, replace
from typing import Literal

from engine.candles import Candle
from engine.orders import Signal
from engine.timeframe import TIMEFRAMES, get_timeframe_ms

MINUTE_MS = 60_000
WEEK_MS = 7 * 24 * 60 * MINUTE_MS
MONDAY_MS = 1_704_067_200_000  # Monday 2024-01-01 00:00 UTC

BAD_NUMBERS = (math.nan, math.inf, -math.inf, 0.0, -1.0)
EXACT_SIZES = (100.0, 100.0, 50.0, 50.0, 25.0, 10.0, 200.0, 500.0, 1000.0)


@dataclass(frozen=True)
class Order:
    """What a script asks for: levels in ticks from the close, or as the bad number itself."""

    kind: str
    size_percent: float = 0.0
    stop_ticks: int | None = None
    target_ticks: int | None = None
    bad_stop: float | None = None
    bad_target: float | None = None
    position_id: int | None = None

    def to_signal(self, close: float, tick: float) -> Signal:
        """Return the signal at a latest close."""
        if self.kind == "close":
            return Signal.close(self.position_id)
        make = Signal.open_long if self.kind == "long" else Signal.open_short
        stop = None if self.stop_ticks is None else close + self.stop_ticks * tick
        target = None if self.target_ticks is None else close + self.target_ticks * tick
        return make(
            self.size_percent,
            stop_loss=stop if self.bad_stop is None else self.bad_stop,
            take_profit=target if self.bad_target is None else self.bad_target,
        )


@dataclass(frozen=True)
class Case:
    """One run: all that the reference and the engine need to know."""

    candles: tuple[Candle, ...]
    timeframes: tuple[str, ...]
    script: tuple[tuple[Order, ...], ...]
    tick: float
    start: int | None = None
    initial_balance: float = 10_000.0
    fee_rate: float = 0.0
    slippage_bps: float = 0.0
    max_leverage: float = 1.0
    fill: Literal["close", "next_open"] = "close"
    funding: tuple[tuple[int, float], ...] = ()

    def signals(self, call: int, close: float) -> list[Signal]:
        """Return what the strategy answers to its n-th call at a latest close."""
        orders = self.script[call % len(self.script)] if self.script else ()
        return [order.to_signal(close, self.tick) for order in orders]


def make_case(draw: random.Random, longest: int = 160) -> Case:
    """Draw a case of at most `longest` candles."""
    timeframes = draw_timeframes(draw)
    times = draw_times(draw, draw.randint(1, longest), timeframes)
    tick = draw.choice((0.25, 0.5, 1.0))
    candles = draw_candles(draw, times, tick)
    return Case(
        candles=candles,
        timeframes=timeframes,
        script=draw_script(draw),
        tick=tick,
        start=draw_start(draw, times),
        initial_balance=draw.choice((10_000.0, 1_000.0, 333.33)),
        fee_rate=draw.choice((0.0, 0.0005, 0.0005, 0.01)),
        slippage_bps=draw.choice((0.0, 0.0, 1.0, 5.0, 100.0)),
        max_leverage=draw.choice((1.0, 1.0, 2.0, 5.0, 20.0)),
        fill="close" if draw.random() < 0.5 else "next_open",
        funding=draw_funding(draw, times),
    )


def draw_timeframes(draw: random.Random) -> tuple[str, ...]:
    """Draw one to four of all timeframes in any order; the smallest is mostly a short one."""
    chosen = {draw.choice(TIMEFRAMES[:3]) if draw.random() < 0.8 else draw.choice(TIMEFRAMES)}
    for _ in range(draw.randint(0, 3)):
        chosen.add(draw.choice(TIMEFRAMES))
    ordered = sorted(chosen, key=get_timeframe_ms)
    draw.shuffle(ordered)
    return tuple(ordered)


def draw_times(draw: random.Random, count: int, timeframes: tuple[str, ...]) -> list[int]:
    """Draw rising minutes: mostly one after another, sometimes with a hole up to a bar's edge."""
    step = get_timeframe_ms(draw.choice(timeframes))
    edge = MONDAY_MS + draw.randint(1, 3) * draw.choice((WEEK_MS, WEEK_MS // 7, step))
    time = edge - draw.randint(0, 40) * MINUTE_MS
    hole_chance = draw.choice((0.0, 0.02, 0.1, 0.4))
    times = []
    for _ in range(count):
        times.append(time)
        time += MINUTE_MS
        if draw.random() < hole_chance:
            time = draw_end_of_hole(draw, time, get_timeframe_ms(draw.choice(timeframes)))
    return times


def draw_end_of_hole(draw: random.Random, time: int, step: int) -> int:
    """Draw the minute after a hole: near, at the first or last minute of a bar, or bars later."""
    bar_end = time - (time - MONDAY_MS) % step + step
    way = draw.randrange(5)
    if way == 0:
        return time + draw.randint(1, 7) * MINUTE_MS
    if way == 1:
        return max(time, bar_end - MINUTE_MS)
    if way == 2:
        return bar_end
    if way == 3:
        return bar_end + draw.randint(1, 3) * step
    return bar_end + draw.randint(0, 2) * step + draw.randint(0, 4) * MINUTE_MS


def draw_candles(draw: random.Random, times: list[int], tick: float) -> tuple[Candle, ...]:
    """Draw a walk on the lattice; a low lattice makes for moves of many percent."""
    price = draw.choice((12, 40, 200, 2000))
    jump_chance = draw.choice((0.0, 0.05, 0.3))
    reach = draw.choice((1, 2, 4))
    candles = []
    for time in times:
        jump = draw.randint(-3, 3) if draw.random() < jump_chance else 0
        opened = max(1, price + jump)
        price = max(1, opened + draw.randint(-reach, reach))
        high = max(opened, price) + draw.randint(0, reach)
        low = max(1, min(opened, price) - draw.randint(0, reach))
        volume = float(draw.randint(0, 9))
        candles.append(Candle(time, opened * tick, high * tick, low * tick, price * tick, volume))
    return tuple(candles)


def draw_script(draw: random.Random) -> tuple[tuple[Order, ...], ...]:
    """Draw the answers to the calls; they begin again after the last."""
    busy = draw.choice((0.1, 0.4, 0.8))
    opened = 0
    script = []
    for _ in range(draw.randint(1, 40)):
        orders: list[Order] = []
        while draw.random() < busy and len(orders) < 4:
            order = draw_order(draw, opened)
            opened += order.kind != "close"
            orders.append(order)
        script.append(tuple(orders))
    return tuple(script)


def draw_order(draw: random.Random, opened: int) -> Order:
    """Draw a signal; ids are drawn near those that the script may have opened so far."""
    if draw.random() < 0.25:
        named = draw.random() < 0.7
        near = max(1, opened - draw.randint(-1, 5))
        return Order("close", position_id=near if named else None)
    long = draw.random() < 0.5
    worse, better = (-1, 1) if long else (1, -1)
    order = Order(
        "long" if long else "short",
        draw.choice(EXACT_SIZES) if draw.random() < 0.5 else draw.uniform(0.5, 60),
        worse * draw_distance(draw) if draw.random() < 0.7 else None,
        better * draw_distance(draw) if draw.random() < 0.7 else None,
    )
    if draw.random() < 0.1:
        order = spoil(order, draw.randrange(3), draw.choice(BAD_NUMBERS))
    return order


def draw_distance(draw: random.Random) -> int:
    """Draw a level's distance in ticks: near the price, at times on its wrong side."""
    return draw.randint(-1, 0) if draw.random() < 0.08 else draw.randint(1, 8)


def spoil(order: Order, which: int, number: float) -> Order:
    """Return an order with a number that may be no size or no price."""
    if which == 0:
        return replace(order, size_percent=number)
    return replace(order, bad_stop=number) if which == 1 else replace(order, bad_target=number)


def draw_start(draw: random.Random, times: list[int]) -> int | None:
    """Draw a start: none, at a candle, or in the hole before one; at least one candle is left."""
    way = draw.randrange(4)
    if way < 2:
        return None
    index = draw.randint(0, (len(times) - 1) // (1 if draw.random() < 0.3 else 3))
    holes = find_holes(times)
    if way == 2 or not holes:
        return times[index]
    return draw_time_in(draw, draw.choice(holes))


def draw_funding(draw: random.Random, times: list[int]) -> tuple[tuple[int, float], ...]:
    """Draw funding times at closes, within candles and within holes, in order."""
    if draw.random() < 0.6:
        return ()
    holes = find_holes(times)
    found = set()
    for _ in range(draw.randint(1, 6)):
        if holes and draw.random() < 0.5:
            found.add(draw_time_in(draw, draw.choice(holes)))
        else:
            found.add(draw.choice(times) + draw.choice((0, 0, MINUTE_MS, 1, -1, 30_000)))
    rates = (0.0001, -0.0001, 0.01, -0.05, 0.3)
    return tuple((time, draw.choice(rates)) for time in sorted(found))


def find_holes(times: list[int]) -> list[tuple[int, int]]:
    """Return the close time before each hole and the open time after it."""
    closes = [time + MINUTE_MS for time in times]
    return [hole for hole in zip(closes, times[1:], strict=False) if hole[0] < hole[1]]


def draw_time_in(draw: random.Random, hole: tuple[int, int]) -> int:
    """Draw a minute of a hole, its edges included."""
    return hole[0] + draw.randint(0, (hole[1] - hole[0]) // MINUTE_MS) * MINUTE_MS
