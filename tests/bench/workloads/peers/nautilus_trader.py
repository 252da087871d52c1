"""The crossover in nautilus_trader: streaming indicators, `on_bar` at every bar, bracket orders."""

from decimal import Decimal
from typing import Any, Final

from tests.bench.workloads.peers.task import (
    BALANCE,
    FAST,
    FEE_RATE,
    SIZE,
    SLOW,
    STOP,
    TARGET,
    Task,
)

_VENUE: Final = "BINANCE"
_SYMBOL: Final = "BTCUSDT"
_STEPS: Final = {"1m": "1-MINUTE", "1h": "1-HOUR"}
_LENGTHS: Final = {"1m": "1min", "1h": "1h"}  # its bars are stamped at their close


def make(task: Task) -> "_Nautilus":
    """Return its engine with the bars, which its users add once and keep across resets."""
    return _Nautilus(task)


class _Nautilus:
    def __init__(self, task: Task) -> None:
        from nautilus_trader.model import BarType
        from nautilus_trader.persistence.wranglers import BarDataWrangler

        instrument = _instrument()
        step = _STEPS[task.timeframe]
        bar_type = BarType.from_str(f"{instrument.id}-{step}-LAST-EXTERNAL")
        frame = task.frame().tz_localize("UTC").shift(freq=_LENGTHS[task.timeframe])
        self._engine = _engine(instrument)
        self._engine.add_data(BarDataWrangler(bar_type, instrument).process(frame))
        self._engine.add_strategy(_strategy(instrument.id, bar_type))

    def prepare(self) -> None:
        """Set the engine back to its beginning."""
        self._engine.reset()

    def run(self) -> None:
        """Run it; its reports are made when they are asked for, so that none is."""
        self._engine.run()

    def closed_trades(self) -> int:
        """Return how many it closed: all but the last are snapshots, since they are netted."""
        cache = self._engine.cache
        return len(cache.position_snapshots()) + len(cache.positions_closed())


def _engine(instrument: Any) -> Any:
    from nautilus_trader.backtest.engine import BacktestEngine
    from nautilus_trader.config import BacktestEngineConfig, LoggingConfig
    from nautilus_trader.model import Money, Venue
    from nautilus_trader.model.currencies import USDT
    from nautilus_trader.model.enums import AccountType, OmsType

    config = BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True))
    engine = BacktestEngine(config)
    engine.add_venue(
        Venue(_VENUE),
        oms_type=OmsType.NETTING,
        account_type=AccountType.CASH,
        starting_balances=[Money(BALANCE, USDT)],
    )
    engine.add_instrument(instrument)
    return engine


def _instrument() -> Any:
    from nautilus_trader.model import InstrumentId, Symbol, Venue
    from nautilus_trader.model.currencies import BTC, USDT
    from nautilus_trader.model.instruments import CurrencyPair
    from nautilus_trader.model.objects import Price, Quantity

    symbol = Symbol(_SYMBOL)
    return CurrencyPair(
        instrument_id=InstrumentId(symbol, Venue(_VENUE)),
        raw_symbol=symbol,
        base_currency=BTC,
        quote_currency=USDT,
        price_precision=2,
        price_increment=Price.from_str("0.01"),
        size_precision=6,
        size_increment=Quantity.from_str("0.000001"),
        maker_fee=Decimal(str(FEE_RATE)),
        taker_fee=Decimal(str(FEE_RATE)),
        ts_event=0,
        ts_init=0,
    )


def _strategy(instrument_id: Any, bar_type: Any) -> Any:
    from nautilus_trader.indicators import SimpleMovingAverage
    from nautilus_trader.model.currencies import USDT
    from nautilus_trader.model.enums import OrderSide
    from nautilus_trader.trading.strategy import Strategy

    class Crossover(Strategy):
        def __init__(self) -> None:
            super().__init__()
            self.fast = SimpleMovingAverage(FAST)
            self.slow = SimpleMovingAverage(SLOW)
            self.distance = float("nan")

        def on_start(self) -> None:
            self.instrument = self.cache.instrument(instrument_id)
            self.register_indicator_for_bars(bar_type, self.fast)
            self.register_indicator_for_bars(bar_type, self.slow)
            self.subscribe_bars(bar_type)

        def on_bar(self, bar: Any) -> None:
            if not self.indicators_initialized():
                return
            before, self.distance = self.distance, self.fast.value - self.slow.value
            if before <= 0 < self.distance:
                if self.portfolio.is_flat(instrument_id):
                    self.enter(bar.close.as_double())
            elif self.distance < 0 <= before and self.portfolio.is_net_long(instrument_id):
                self.cancel_all_orders(instrument_id)
                self.close_all_positions(instrument_id)

        def enter(self, price: float) -> None:
            account = self.portfolio.account(instrument_id.venue)
            funds = SIZE * account.balance_total(USDT).as_double()
            orders = self.order_factory.bracket(
                instrument_id=instrument_id,
                order_side=OrderSide.BUY,
                quantity=self.instrument.make_qty(funds / price),
                sl_trigger_price=self.instrument.make_price(price * (1 - STOP)),
                tp_price=self.instrument.make_price(price * (1 + TARGET)),
            )
            self.submit_order_list(orders)

        def on_reset(self) -> None:
            self.fast.reset()
            self.slow.reset()
            self.distance = float("nan")

    return Crossover()
