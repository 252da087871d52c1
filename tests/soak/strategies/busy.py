"""Trades every few minutes, with a memory of its own, so that a short time holds many trades."""

from engine import MultiTimeframeData, PortfolioView, Signal, Strategy
from engine.indicators import sma


class Busy(Strategy):
    """Follow the last minutes with a near stop and target; count candles across restarts."""

    timeframes = ("5m", "15m")
    history_ms = 86_400_000

    def on_init(self, data: MultiTimeframeData) -> None:
        """Bind the average and begin to count."""
        self.average = data["5m"].indicator(sma, 12)
        self.seen = 0

    def on_candle(self, data: MultiTimeframeData, portfolio: PortfolioView) -> list[Signal]:
        """Close everything at each ninth candle, else follow the trend."""
        self.seen += 1
        if self.seen % 9 == 0:
            return [Signal.close()]
        if portfolio.has_position:
            return []
        price = data["5m"].latest.close
        size = 10 + 10 * (self.seen % 8)
        if price > self.average[-1]:
            return [Signal.open_long(size, stop_loss=price * 0.998, take_profit=price * 1.003)]
        return [Signal.open_short(size, stop_loss=price * 1.002, take_profit=price * 0.997)]

    def get_state(self) -> dict[str, int]:
        """Remember how many candles were seen."""
        return {"seen": self.seen}

    def set_state(self, state: dict[str, int]) -> None:
        """Go on counting."""
        self.seen = state["seen"]
