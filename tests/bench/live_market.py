"""The market of the live workloads: symbols, candles and trades as pure functions of a minute.

Both sides of the socket know it, so that what a test must have done can be computed. No sockets.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final, Literal

import numpy as np

from engine.candles import CandleSeries

MINUTE_MS: Final = 60_000
BEGIN: Final = 1_704_067_200_000  # 2024-01-01
STOPPED_AT: Final = 0.985  # beyond the stop of `minutely`, 1 % below its close

OrderKind = Literal["close", "ticks"]
_CLOSE_DELAY_MS: Final = 100
_AFTER: Final = 0.97
_BEFORE: Final = 0.9901


@dataclass(frozen=True, slots=True)
class Order:
    """What an exchange is to send: the closing frames of a minute, or trades within it.

    `open_time` (ms) is the minute's. `count` is how many trades there are over all symbols;
    `per_second` is their pace, 0 as fast as they are taken.
    """

    kind: OrderKind
    open_time: int
    symbols: int
    count: int = 0
    per_second: float = 0.0

    def to_json(self) -> str:
        """Return it as a line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> "Order":
        """Read what `to_json` wrote."""
        return cls(**json.loads(line))


def symbol_of(number: int) -> str:
    """Return a symbol's name; its frames call it so without the slash."""
    return f"S{number:03}/USDT"


def id_of(number: int) -> str:
    """Return the exchange's own name of a symbol."""
    return f"S{number:03}USDT"


def close_of(open_time: int) -> float:
    """Return the close of a minute: it rises, so that the strategy buys."""
    return round(100.0 + (open_time - BEGIN) // MINUTE_MS * 0.001, 3)


def candles(start: int, end: int) -> CandleSeries:
    """Return the candles that open at start..end (ms, end excluded)."""
    times = np.arange(start, end, MINUTE_MS, dtype=np.int64)
    close = np.round(100.0 + (times - BEGIN) // MINUTE_MS * 0.001, 3)
    zeros = np.zeros(len(times))
    return CandleSeries("1m", times, close, close, close, close, zeros + 1.0, volume_delta=zeros)


def stop_tick(order: Order) -> tuple[float, int]:
    """Return price and time (ms) of the trade of each symbol that its stop must be filled at."""
    rounds = order.count // order.symbols
    price = close_of(order.open_time - MINUTE_MS) * STOPPED_AT
    return round(price, 3), order.open_time + (rounds - 2) * MINUTE_MS // rounds


def frames(order: Order) -> Iterator[tuple[str, str]]:
    """Return the frames of an order in their order, each with its channel."""
    return _closes(order) if order.kind == "close" else _ticks(order)


def _closes(order: Order) -> Iterator[tuple[str, str]]:
    price = f"{close_of(order.open_time):.3f}"
    end = order.open_time + MINUTE_MS
    for number in range(order.symbols):
        name = id_of(number)
        text = (
            f'{{"e":"kline","E":{end + _CLOSE_DELAY_MS},"s":"{name}","k":{{'
            f'"t":{order.open_time},"T":{end - 1},"s":"{name}","i":"1m","f":1,"L":2,'
            f'"o":"{price}","c":"{price}","h":"{price}","l":"{price}","v":"1.000","n":2,'
            f'"x":true,"q":"100.000","V":"0.500","Q":"50.000","B":"0"}}}}'
        )
        yield f"{name.lower()}@kline_1m", text


def _ticks(order: Order) -> Iterator[tuple[str, str]]:
    """Trades of all symbols in turn: a long way around the price, near the stop, beyond it, on."""
    entry = close_of(order.open_time - MINUTE_MS)
    rounds = order.count // order.symbols
    names = [id_of(number) for number in range(order.symbols)]
    for turn in range(rounds):
        time_ms = order.open_time + turn * MINUTE_MS // rounds
        price = f"{_price(entry, turn, rounds):.3f}"
        for name in names:
            yield (
                f"{name.lower()}@aggTrade",
                f'{{"e":"aggTrade","E":{time_ms + 40},"a":{turn},"s":"{name}","p":"{price}",'
                f'"q":"0.125","nq":"0.125","f":{turn},"l":{turn},"T":{time_ms},"m":false,"st":1}}',
            )


def _price(entry: float, turn: int, rounds: int) -> float:
    left = rounds - turn
    if left <= 3:
        return entry * (_BEFORE, STOPPED_AT, _AFTER)[3 - left]
    return entry * (1.0 + 0.001 * ((turn * 7) % 11 - 5))
