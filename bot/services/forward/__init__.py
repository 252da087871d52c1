"""Forward tests as a use case: paper trading on live candles, kept in SQLite, without Discord."""
