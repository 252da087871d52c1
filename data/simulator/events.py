"""The frames that an exchange sends over its streams, as a pure function of market time.

Both clocks use `FrameSource.frames`. Sockets, faults and subscriptions live elsewhere.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter

import numpy as np

from data.simulator.errors import UnknownIntervalError
from data.simulator.intervals import interval_ms, join_candles, open_time_of
from data.simulator.klines import before_minute, minute_states
from data.simulator.market import FUNDING_MS, SimulatedMarket
from data.simulator.noise import Noise
from data.simulator.path import MINUTE_MS
from data.simulator.render import decimal_text
from data.simulator.symbols import SymbolSpec
from data.simulator.ticks import IDS_PER_MINUTE, first_trade_id

_TRADE_DELAY_MS = 47
_CLOSE_DELAY_MS = (150, 1000)  # after the candle's end
_LONGEST_DELAY_MS = 1000
_TIME = attrgetter("time_ms")


@dataclass(frozen=True, slots=True)
class Frame:
    """Hold one message of one stream; `open_time_ms` is that of the candle it belongs to."""

    time_ms: int
    stream: str
    symbol: str
    open_time_ms: int
    closes: bool
    text: str


class FrameSource:
    """Make the frames of any streams over any interval of market time.

    `update_ms` is the pace of updates of forming candles; without `kline_updates` candles come
    at their close only.
    """

    def __init__(
        self, market: SimulatedMarket, *, kline_updates: bool = True, update_ms: int = 250
    ) -> None:
        self._market = market
        self._kline_updates = kline_updates
        self._update_ms = update_ms
        self._noises = {spec.symbol: Noise(market.seed, spec.symbol) for spec in market.symbols}
        self._minute: Callable[[str, int], tuple[Frame, ...]]
        self._minute = lru_cache(maxsize=256)(self._make_minute)

    def frames(self, streams: Iterable[str], after_ms: int, until_ms: int) -> list[Frame]:
        """Return the frames with after_ms < time <= until_ms, in order of time."""
        first = open_time_of(after_ms - _LONGEST_DELAY_MS, MINUTE_MS)
        minutes = range(max(first, self._market.listed_at), until_ms + 1, MINUTE_MS)
        found = [
            frame
            for stream in sorted(streams)
            for minute in minutes
            for frame in _between(self._minute(stream, minute), after_ms, until_ms)
        ]
        return sorted(found, key=_TIME)

    def _make_minute(self, stream: str, minute_ms: int) -> tuple[Frame, ...]:
        """Return the frames caused by what happens within one minute."""
        name, _, kind = stream.partition("@")
        symbol = name.upper()
        # as at Binance, a stream that does not exist can be subscribed and stays silent
        if name != name.lower() or symbol not in self._noises:
            return ()
        spec = self._market.spec(symbol)
        if kind == "aggTrade":
            return self._trades(stream, spec, minute_ms)
        if kind in ("markPrice", "markPrice@1s"):
            pace = 1000 if kind.endswith("@1s") else 3000
            return self._marks(stream, spec, minute_ms, pace)
        if kind.startswith("kline_"):
            return self._klines(stream, spec, minute_ms, kind.removeprefix("kline_"))
        return ()

    def _trades(self, stream: str, spec: SymbolSpec, minute_ms: int) -> tuple[Frame, ...]:
        ticks = self._market.ticks(spec.symbol, minute_ms)
        first_ids = first_trade_id(minute_ms) + np.cumsum(ticks.trades) - ticks.trades
        frames = []
        rows = zip(
            ticks.time_ms.tolist(),
            ticks.price.tolist(),
            ticks.quantity.tolist(),
            first_ids.tolist(),
            ticks.trades.tolist(),
            ticks.is_buyer_maker.tolist(),
            strict=True,
        )
        for index, (time_ms, price, quantity, first, count, maker) in enumerate(rows):
            sent = time_ms + _TRADE_DELAY_MS
            amount = decimal_text(quantity, spec.quantity_decimals)
            text = (
                f'{{"e":"aggTrade","E":{sent},"a":{first_trade_id(minute_ms) + index},'
                f'"s":"{spec.symbol}","p":"{decimal_text(price, spec.price_decimals)}",'
                f'"q":"{amount}","nq":"{amount}","f":{first},"l":{first + count - 1},'
                f'"T":{time_ms},"m":{"true" if maker else "false"},"st":1}}'
            )
            frames.append(Frame(sent, stream, spec.symbol, minute_ms, False, text))
        return tuple(frames)

    def _marks(
        self, stream: str, spec: SymbolSpec, minute_ms: int, pace_ms: int
    ) -> tuple[Frame, ...]:
        times = np.arange(minute_ms, minute_ms + MINUTE_MS, pace_ms)
        prices = minute_states(self._market, spec.symbol, minute_ms, times)["close"]
        next_funding = open_time_of(minute_ms, FUNDING_MS) + FUNDING_MS
        rate = self._market.funding(spec.symbol, next_funding, 1).rate[0]
        frames = []
        for time_ms, units in zip(times.tolist(), prices.tolist(), strict=True):
            price = f"{units / spec.price_scale:.8f}"
            text = (
                f'{{"e":"markPriceUpdate","E":{time_ms},"s":"{spec.symbol}","p":"{price}",'
                f'"ap":"{price}","P":"{price}","i":"{price}","r":"{rate:.8f}",'
                f'"T":{next_funding},"st":1}}'
            )
            frames.append(Frame(time_ms, stream, spec.symbol, minute_ms, False, text))
        return tuple(frames)

    def _klines(
        self, stream: str, spec: SymbolSpec, minute_ms: int, interval: str
    ) -> tuple[Frame, ...]:
        try:
            length = interval_ms(interval)
        except UnknownIntervalError:
            return ()
        open_time = open_time_of(minute_ms, length)
        closes = minute_ms + MINUTE_MS == open_time + length
        if not (closes or self._kline_updates):
            return ()
        times = [minute_ms + MINUTE_MS - 1] if closes else []
        if self._kline_updates:
            times = [*self._update_times(spec, minute_ms), *times]
        before = before_minute(self._market, spec.symbol, open_time, minute_ms)
        states = minute_states(self._market, spec.symbol, minute_ms, np.array(times))
        frames = []
        for index, time_ms in enumerate(times):
            candle = join_candles(np.concatenate([before, states[index : index + 1]]), length)[0]
            final = closes and index == len(times) - 1
            sent = self._close_time(spec, interval, open_time + length) if final else time_ms
            in_minute = int(states["trades"][index])
            text = _kline_text(candle, spec, interval, length, sent, minute_ms, in_minute, final)
            frames.append(Frame(sent, stream, spec.symbol, open_time, final, text))
        return tuple(frames)

    def _update_times(self, spec: SymbolSpec, minute_ms: int) -> list[int]:
        """Return the ends of the update steps in which something traded."""
        ticks = self._market.ticks(spec.symbol, minute_ms)
        steps = np.unique((ticks.time_ms - minute_ms) // self._update_ms + 1) * self._update_ms
        inside: list[int] = (minute_ms + steps[steps < MINUTE_MS]).tolist()
        return inside

    def _close_time(self, spec: SymbolSpec, interval: str, end_ms: int) -> int:
        random = self._noises[spec.symbol].generator(f"close-{interval}", end_ms)
        return end_ms - 1 + int(random.integers(*_CLOSE_DELAY_MS))


def _between(frames: tuple[Frame, ...], after_ms: int, until_ms: int) -> tuple[Frame, ...]:
    first = bisect_right(frames, after_ms, key=_TIME)
    return frames[first : bisect_right(frames, until_ms, lo=first, key=_TIME)]


def _kline_text(
    candle: np.void,
    spec: SymbolSpec,
    interval: str,
    length_ms: int,
    sent_ms: int,
    minute_ms: int,
    trades_in_minute: int,
    final: bool,
) -> str:
    price, quantity, quote = spec.price_decimals, spec.quantity_decimals, spec.quote_decimals
    opened, high, low = int(candle["open"]), int(candle["high"]), int(candle["low"])
    open_time = int(candle["timestamp"])
    last_id = first_trade_id(minute_ms) + trades_in_minute - 1
    return (
        f'{{"e":"kline","E":{sent_ms},"s":"{spec.symbol}","k":{{"t":{open_time},'
        f'"T":{open_time + length_ms - 1},"s":"{spec.symbol}","i":"{interval}",'
        f'"f":{open_time // MINUTE_MS * IDS_PER_MINUTE},"L":{last_id},'
        f'"o":"{decimal_text(opened, price)}","c":"{decimal_text(int(candle["close"]), price)}",'
        f'"h":"{decimal_text(high, price)}","l":"{decimal_text(low, price)}",'
        f'"v":"{decimal_text(int(candle["volume"]), quantity)}","n":{int(candle["trades"])},'
        f'"x":{"true" if final else "false"},'
        f'"q":"{decimal_text(int(candle["quote_volume"]), quote)}",'
        f'"V":"{decimal_text(int(candle["taker_buy_base"]), quantity)}",'
        f'"Q":"{decimal_text(int(candle["taker_buy_quote"]), quote)}","B":"0"}}}}'
    )
