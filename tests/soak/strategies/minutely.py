"""Trades at every close, so that each candle of a load test ends in a fill."""

from engine import MultiTimeframeData, PortfolioView, Signal, Strategy
from engine.indicators import sma


class Minutely(Strategy):
    """Turn the position at each close; its stop and target are never far."""

    timeframes = ("1m",)
    history_ms = 86_400_000

    def on_init(self, data: MultiTimeframeData) -> None:
        """Bind an average, as a strategy does."""
        self.average = data["1m"].indicator(sma, 50)

    def on_candle(self, data: MultiTimeframeData, portfolio: PortfolioView) -> list[Signal]:
        """Close what is open, and open the other way."""
        price = data["1m"].latest.close
        if price > self.average[-1]:
            opened = Signal.open_long(50, stop_loss=price * 0.99, take_profit=price * 1.01)
        else:
            opened = Signal.open_short(50, stop_loss=price * 1.01, take_profit=price * 0.99)
        return [Signal.close(), opened]
