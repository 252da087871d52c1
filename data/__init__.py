"""Market data: exchanges, the candle store, live streams, SQLite and the simulated exchange."""
