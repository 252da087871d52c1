"""The instruments that the simulated exchange lists, with their steps and typical sizes.

Prices and quantities are integers here: multiples of 10^-price_decimals and
10^-quantity_decimals. No price path lives here.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SymbolSpec:
    """Describe one perpetual contract.

    `base_price` is the level (USDT) the price wanders around, `annual_volatility` a fraction,
    `minute_volume_usd` a typical turnover per minute, `tick_units` the price step in
    10^-price_decimals. The quantity step is 10^-quantity_decimals.
    """

    symbol: str
    base_asset: str
    base_price: float
    annual_volatility: float
    price_decimals: int
    tick_units: int
    quantity_decimals: int
    minute_volume_usd: float

    @property
    def price_scale(self) -> int:
        """Return how many price units make one USDT."""
        return int(10**self.price_decimals)

    @property
    def quantity_scale(self) -> int:
        """Return how many quantity units make one coin."""
        return int(10**self.quantity_decimals)

    @property
    def quote_decimals(self) -> int:
        """Return the decimals of price times quantity."""
        return self.price_decimals + self.quantity_decimals

    @property
    def tick_size(self) -> float:
        """Return the price step in USDT."""
        return self.tick_units / self.price_scale


# base asset, base price, annual volatility, price decimals, tick units, quantity decimals, USD/min
_ROWS = (
    ("BTC", 65_000.0, 0.50, 2, 10, 3, 6_000_000.0),
    ("ETH", 3_200.0, 0.60, 2, 1, 3, 4_500_000.0),
    ("BNB", 600.0, 0.55, 3, 10, 2, 350_000.0),
    ("SOL", 160.0, 0.70, 4, 100, 2, 2_000_000.0),
    ("XRP", 2.1, 0.66, 4, 1, 1, 1_100_000.0),
    ("DOGE", 0.18, 0.74, 5, 1, 0, 800_000.0),
    ("ADA", 0.62, 0.66, 4, 1, 0, 300_000.0),
    ("TRX", 0.25, 0.50, 5, 1, 0, 120_000.0),
    ("LINK", 16.0, 0.66, 3, 1, 2, 220_000.0),
    ("AVAX", 28.0, 0.70, 3, 1, 0, 240_000.0),
    ("LTC", 95.0, 0.58, 2, 1, 3, 160_000.0),
    ("DOT", 5.2, 0.64, 3, 1, 1, 130_000.0),
    ("BCH", 450.0, 0.62, 2, 1, 3, 150_000.0),
    ("UNI", 8.4, 0.70, 3, 1, 0, 110_000.0),
    ("ATOM", 6.1, 0.64, 3, 1, 2, 80_000.0),
    ("ETC", 21.0, 0.64, 3, 1, 2, 75_000.0),
    ("XLM", 0.30, 0.66, 5, 1, 0, 90_000.0),
    ("NEAR", 4.3, 0.72, 3, 1, 0, 130_000.0),
    ("AAVE", 250.0, 0.70, 2, 1, 1, 150_000.0),
    ("FIL", 4.4, 0.70, 3, 1, 1, 90_000.0),
)


def listed_symbols() -> tuple[SymbolSpec, ...]:
    """Return every contract the simulated exchange lists, the largest first."""
    return tuple(SymbolSpec(f"{row[0]}USDT", *row) for row in _ROWS)
