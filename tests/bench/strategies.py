"""The strategies of the benchmark: a hand-written crossover, and ones that grow in one way."""

from typing import ClassVar, Final

from engine import IndicatorView, MultiTimeframeData, PortfolioView, Signal, Strategy
from engine.indicators import any_of, crossed_above, crossed_below, sma

FAST: Final = 50
SLOW: Final = 200
SIZE_PERCENT: Final = 95.0
STOP: Final = 0.98
TARGET: Final = 1.04


class Crossover(Strategy):
    """Buy where a fast average crosses above a slow one, with stop and target; sell below."""

    def on_init(self, data: MultiTimeframeData) -> None:
        """Bind the averages."""
        self.candles = data[self.smallest_timeframe()]
        self.fast = self.candles.indicator(sma, FAST)
        self.slow = self.candles.indicator(sma, SLOW)

    def on_candle(self, data: MultiTimeframeData, portfolio: PortfolioView) -> list[Signal]:
        """Compare the averages of the last two candles."""
        fast, slow = self.fast, self.slow
        if fast[-1] > slow[-1] and fast[-2] <= slow[-2]:
            if not portfolio.has_position:
                return [buy(self.candles.close)]
        elif fast[-1] < slow[-1] and fast[-2] >= slow[-2] and portfolio.has_position:
            return [Signal.close()]
        return []


class HourCrossover(Crossover):
    """The crossover at 1h closes."""

    timeframes: ClassVar[tuple[str, ...]] = ("1h",)


class MinuteCrossover(Crossover):
    """The crossover at 1m closes."""

    timeframes: ClassVar[tuple[str, ...]] = ("1m",)


class WokenCrossover(MinuteCrossover):
    """The crossover at 1m closes, called at crossings only."""

    def wake(self, data: MultiTimeframeData) -> IndicatorView:
        """Decide at crossings, up and down."""
        up = self.candles.indicator(crossed_above, self.fast, self.slow)
        down = self.candles.indicator(crossed_below, self.fast, self.slow)
        turned: IndicatorView = self.candles.indicator(any_of, up, down)
        return turned


CROSSOVERS: Final[dict[str, type[Strategy]]] = {
    "1h": HourCrossover,
    "1m": MinuteCrossover,
    "1m-wake": WokenCrossover,
}


def buy(price: float) -> Signal:
    """Return the signal that every crossover opens with."""
    return Signal.open_long(SIZE_PERCENT, stop_loss=price * STOP, take_profit=price * TARGET)


def rotating(count: int) -> type[Strategy]:
    """Return a strategy that holds so many positions and replaces the oldest every hour."""

    class Rotating(Strategy):
        timeframes = ("1h",)

        def on_candle(self, data: MultiTimeframeData, portfolio: PortfolioView) -> list[Signal]:
            price = data["1h"].close
            opened = Signal.open_long(
                SIZE_PERCENT / count, stop_loss=price * 0.5, take_profit=price * 2.0
            )
            held = portfolio.positions
            if len(held) < count:
                return [opened] * (count - len(held))
            return [Signal.close(held[0].id), opened]

    return Rotating


def with_timeframes(count: int) -> type[Strategy]:
    """Return the 1m crossover with so many timeframes in all."""
    chosen = ("1m", "5m", "15m", "30m", "1h", "4h", "12h", "1d")[:count]
    return type("WithTimeframes", (Crossover,), {"timeframes": chosen})


def with_indicators(count: int) -> type[Strategy]:
    """Return a 1m strategy that reads so many averages at every close and never trades."""

    class WithIndicators(Strategy):
        timeframes = ("1m",)

        def on_init(self, data: MultiTimeframeData) -> None:
            self.averages = [data["1m"].indicator(sma, FAST + n) for n in range(count)]

        def on_candle(self, data: MultiTimeframeData, portfolio: PortfolioView) -> list[Signal]:
            for average in self.averages:
                if average[-1] < 0:
                    return [Signal.close()]
            return []

    return WithIndicators
